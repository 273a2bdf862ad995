//! Runtimes: run a pod's containers on one node. The contract is [`orch_core::runtime::Runtime`].
//!
//! | type | a container is |
//! |---|---|
//! | [`FakeRuntime`](fake::FakeRuntime) | an entry in memory that follows a script |
#![forbid(unsafe_code)]

mod changes;
pub mod fake;
