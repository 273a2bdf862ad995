//! What a master is asked over HTTP.

pub mod agents;
pub mod scheduler;
