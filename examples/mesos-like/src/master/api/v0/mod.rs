//! The older endpoints: JSON at a path each.

mod lists;
mod state;

pub use lists::{agents, frameworks, quota, roles, tasks, weights};
pub use state::{Leading, state, state_summary};
