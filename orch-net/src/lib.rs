//! Service proxies: a whole service table made true on one node.
//!
//! - [`MemoryProxy`] answers where a connection would go, for tests and simulations;
#![forbid(unsafe_code)]

mod balance;
mod memory;
mod served;

pub use memory::{MemoryConnection, MemoryProxy};
pub use served::{PortChange, Served};
