//! What a master answers to requests.

pub mod roles;
pub mod route;
pub mod v0;
