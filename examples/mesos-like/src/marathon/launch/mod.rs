//! Where an instance runs, and as which task.

mod constraint;
mod place;
mod spot;
mod supply;

pub use place::{Placed, Unplaced, place};
pub use spot::Spot;
pub use supply::Supply;
