//! Stores: where the state of a cluster lives.
//!
//! Every type here implements [`Store`](orch_core::store::Store) and passes its conformance suite,
//! `orch_testkit::store_suite!`.
#![forbid(unsafe_code)]

#[cfg(feature = "embedded")]
pub mod embedded;
#[cfg(feature = "etcd")]
pub mod etcd;
pub mod memory;
mod mvcc;
pub mod sharded;

#[cfg(feature = "embedded")]
pub use embedded::{BufferedStore, EmbeddedStore};
#[cfg(feature = "etcd")]
pub use etcd::EtcdStore;
pub use memory::MemoryStore;
pub use sharded::ShardedStore;

#[cfg(doctest)]
#[doc = include_str!("../../docs/guides/store.md")]
struct Guide;
