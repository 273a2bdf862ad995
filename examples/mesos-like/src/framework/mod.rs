//! The other side of the scheduler API: what a framework needs to run its tasks on a master, this one or Mesos.

mod connection;
mod instances;
mod place;
mod task;

pub use connection::{Connection, ConnectionError};
pub use instances::{Instances, Progress};
pub use place::{Placement, place};
pub use task::{acknowledge, amounts, command};
