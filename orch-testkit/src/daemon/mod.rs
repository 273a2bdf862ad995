//! Real programs for tests, each in a private folder: [`Etcd`], [`EtcdCluster`] on loopback ports of their own;
//! [`Dockerd`], [`Containerd`] in a [`Host`] of their own, with images from [`busybox_image`],
//! given to them or pulled from a [`Registry`].
//!
//! What is started dies with the test process, however that one ends, and its folder goes with it, and the containers.
//! Nothing else on the machine is touched, and many test processes may do this at once. The programs have to be installed;
//! `cargo xtask test` sees to that in this project. Those that run containers need root.
//!
//! These wait for real time, so a runtime whose time is paused cannot start them. All panic, with the last lines of the
//! program's log, when it cannot be started: there is no test without it.

mod certificates;
mod cluster;
mod containerd;
mod dockerd;
mod etcd;
mod folder;
mod host;
mod http;
mod image;
mod janitor;
mod keeper;
mod network;
mod port;
mod process;
pub(crate) mod program;
mod registry;
mod tar;
mod traces;

pub use certificates::Certificates;
pub use cluster::EtcdCluster;
pub use containerd::Containerd;
pub use dockerd::Dockerd;
pub use etcd::{Access, Etcd, EtcdConfig};
pub(crate) use host::require_root;
pub use host::{Host, Inside};
pub use image::{Image, busybox_image};
pub use program::program;
pub use registry::{Registry, RegistryAccess, RegistryFault};
pub use traces::Traces;
