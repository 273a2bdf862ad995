//! The nouns and the six contracts from which orchestrators are composed.
//!
//! This crate holds what every part of an orchestrator must agree on and nothing else: the
//! [objects](object) people write and read, and one trait per role with a written promise —
//! [`Store`](store::Store), [`Scheduler`](scheduler::Scheduler), [`Allocator`](allocator::Allocator),
//! [`Controller`](controller::Controller), [`Runtime`](runtime::Runtime) and [`ServiceProxy`](proxy::ServiceProxy). It does no I/O, starts nothing, and knows
//! no backend.
#![forbid(unsafe_code)]

pub mod allocator;
pub mod client;
pub mod clock;
pub mod controller;
pub mod dns;
pub mod encoding;
pub mod entropy;
pub mod key;
pub mod kind;
pub mod network;
pub mod object;
pub mod proxy;
pub mod revision;
pub mod runtime;
pub mod scheduler;
pub mod store;
pub mod validation;
