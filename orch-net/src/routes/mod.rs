//! Pods of different hosts reach each other: [`DirectRoutes`] on one link, [`VxlanRoutes`] through a tunnel.

mod direct;
mod forwarding;
mod kernel;
mod model;
mod plan;
mod read;
mod syncer;
mod vxlan;
mod wanted;

pub use direct::{DirectConfig, DirectRoutes};
pub use vxlan::{VxlanConfig, VxlanRoutes};
