//! The reconcile engine, and the controllers built on it.
//!
//! A [`Controller`](orch_core::controller::Controller) decides what to do about one key; the [`engine`] finds out which
//! keys are to be looked at, and does what was decided. The [`cache`] is what controllers see.
#![forbid(unsafe_code)]

pub mod backoff;
pub mod binding;
pub mod cache;
mod claim;
pub mod deployment;
pub mod dns;
pub mod endpoint_slice;
pub mod engine;
pub mod garbage;
mod name_hash;
pub mod namespace;
pub mod node_agent;
pub mod node_lifecycle;
pub mod pod_cidr;
pub mod pod_routes;
pub mod replica_set;
mod rest;
mod reverse_index;
pub mod service_address;
pub mod service_proxy;
mod service_slices;
pub mod static_pods;

#[cfg(doctest)]
#[doc = include_str!("../../docs/guides/controller.md")]
struct ControllerGuide;
