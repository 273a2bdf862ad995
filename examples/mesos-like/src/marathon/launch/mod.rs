//! Where an instance runs, and as which task.

mod constraint;
mod container;
mod discovery;
mod disks;
mod environment;
mod health;
mod place;
mod port;
mod spot;
mod supply;
mod task;

pub use disks::{Disks, LocalVolume};
pub use place::{Placed, Unplaced, place};
pub use spot::Spot;
pub use supply::Supply;
pub use task::{Launch, task};
