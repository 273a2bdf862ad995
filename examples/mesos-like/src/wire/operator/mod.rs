//! The operator API of a master: what whoever looks after a cluster asks it, and what is told of what happens.

mod call;
mod event;
mod response;

pub use call::*;
pub use event::*;
pub use response::*;
