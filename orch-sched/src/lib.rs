//! Schedulers: they decide on which node a pod runs.
//!
//! [`FilterScoreScheduler`] sees the whole cluster. Its rules and preferences are plugins; those of this crate are
//! Kubernetes', and a downstream crate adds its own. Here, pods of one tenant stay off the nodes of another:
//!
//! ```
//! use orch_core::object::Pod;
//! use orch_sched::FilterScoreScheduler;
//! use orch_sched::filter_score::{Filter, NodeInfo, PodInfo, Reason};
//!
//! #[derive(Debug)]
//! struct OneTenant;
//!
//! fn tenant(pod: &Pod) -> Option<&String> {
//!     pod.metadata.labels.get("tenant")
//! }
//!
//! impl Filter for OneTenant {
//!     fn name(&self) -> &'static str {
//!         "OneTenant"
//!     }
//!     fn check(&self, pod: &PodInfo, node: &NodeInfo) -> Result<(), Reason> {
//!         match node.pods().find_map(|other| tenant(other.pod())) {
//!             Some(owner) if tenant(pod.pod()) != Some(owner) => Err(format!("in use by tenant {owner}").into()),
//!             _ => Ok(()),
//!         }
//!     }
//!     fn hint(&self, _pod: &PodInfo, excluded: &[&NodeInfo]) -> Option<String> {
//!         Some(format!("add a node, other tenants use {}", excluded.len()))
//!     }
//! }
//!
//! let scheduler = FilterScoreScheduler::builder().filter(OneTenant).seed(42).build();
//! # use std::sync::Arc;
//! # use orch_core::scheduler::{Outcome, Scheduler, SupplyChange};
//! # let mut scheduler = scheduler;
//! # let node = r#"{"metadata": {"name": "n1"}, "status": {"allocatable": {"pods": 10}}}"#;
//! # scheduler.observe(SupplyChange::NodePut(Arc::new(serde_json::from_str(node)?)));
//! # let pod = |name: &str, tenant: &str| serde_json::from_value(serde_json::json!({
//! #     "metadata": {"name": name, "namespace": "shop", "labels": {"tenant": tenant}},
//! #     "spec": {"containers": [{"name": "main"}]},
//! # })).map(Arc::new);
//! # let decisions = scheduler.schedule(&[pod("a-1", "a")?, pod("b-1", "b")?, pod("a-2", "a")?]);
//! # let texts: Vec<_> = decisions.iter().map(|decision| match &decision.outcome {
//! #     Outcome::Refuse(refusal) => refusal.to_string(),
//! #     _ => "placed".to_owned(),
//! # }).collect();
//! # let refused = "0/1 nodes are available: 1 in use by tenant a; add a node, other tenants use 1";
//! # assert_eq!(texts, ["placed", refused, "placed"]);
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! [`OfferScheduler`] divides the cluster among frameworks first, each of which has a scheduler of its own for what it is
//! offered. The dividing is an allocator's: [`offer`] has two, which serve frameworks outside of the process as well.
//!
//! How to write a scheduler of one's own is told in `docs/guides/scheduler.md`, an allocator in `docs/guides/allocator.md`.
#![forbid(unsafe_code)]

pub mod filter_score;
pub mod offer;

pub use filter_score::FilterScoreScheduler;
pub use offer::OfferScheduler;

/// The guide's code compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guides/scheduler.md")]
struct Guide;

/// The same of the other guide.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guides/allocator.md")]
struct AllocatorGuide;
