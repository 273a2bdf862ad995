//! What a master answers to requests.

pub mod agents;
pub mod operator;
pub mod roles;
pub mod route;
pub mod scheduler;
pub mod v0;
pub mod why;

use orch_core::clock::Timestamp;

use super::about::About;
use super::desk::Desk;

/// A master that leads, as operators ask it.
#[derive(Clone, Copy, Debug)]
pub struct Office<'a> {
    /// What the master is.
    pub about: &'a About,
    /// Since when it leads.
    pub elected: Timestamp,
    /// What is asked of it.
    pub desk: &'a dyn Desk,
}
