//! The engine that runs controllers.
//!
//! A change comes from the store through a watch into the [`Cache`](crate::cache::Cache). The engine shows it to every
//! controller that sees its kind, asks their triggers which keys it concerns, and puts those into each controller's own
//! queue. A worker takes a key, asks the controller for a plan, and performs the plan's actions one at a time. Then the
//! key rests until the cache shows what was written.
//!
//! ```text
//! Store ──watch──▶ Cache ──change──▶ observe, triggers ──keys──▶ queue ──▶ worker: reconcile ──plan──▶ perform
//!   ▲                └── has reached a revision ──────────────────▶ (read your writes)                    │
//!   └─────────────────────────────────── Client: create, update, delete ◀────────────────────────────────┘
//! ```
//!
//! # How it keeps what [`Controller`](orch_core::controller::Controller) promises in its name
//!
//! - **X1** A key in work is not handed out, and a key whose plan wrote something is not handed out before the cache has
//!   reached the revisions of those writes. No timer stands in for that. Where nobody knows whether a write happened, the
//!   store is asked for the object first, and the cache must reach what it says.
//! - **X2** One task for each kind shows every change, in order, to the controllers before it queues what the change
//!   triggers. No key is reconciled before all kinds of its controller were listed.
//! - **X3** A key is queued for every change that a trigger maps to it; one that is in work is queued once more.
//! - **X4** Each key has its own growing pause. A conflict is no error: the key waits for the cache to show what the
//!   conflict was with.
//!
//! A panic of a controller costs the key in work a pause, and nobody else anything.

mod breaker;
mod builder;
mod dispatch;
mod handle;
mod leader;
mod metrics;
mod perform;
pub mod queue;
mod recorder;
mod runner;

pub use breaker::{BreakerState, DisruptionBudget, Reset};
pub use builder::{Engine, EngineBuilder, EngineError, RunOptions};
pub use handle::{EngineHandle, EngineStopper, Stopped};
pub use leader::{Candidacy, ElectionTiming, FencedStore, FencingToken, LeaderElection};
pub use metrics::{EngineMetrics, NoMetrics, Reconciled};
