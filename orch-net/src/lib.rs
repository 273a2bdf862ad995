//! Service proxies: a whole service table made true on one node.
//!
//! - [`MemoryProxy`] answers where a connection would go, for tests and simulations;
//! - [`UserspaceProxy`] listens on the services' addresses and relays TCP connections. It needs no privileges.
#![forbid(unsafe_code)]

mod balance;
mod memory;
mod served;
mod userspace;

pub use memory::{MemoryConnection, MemoryProxy};
pub use served::{PortChange, Served};
pub use userspace::{UserspaceConfig, UserspaceProxy};

#[cfg(doctest)]
#[doc = include_str!("../../docs/guides/proxy.md")]
struct Guide;
