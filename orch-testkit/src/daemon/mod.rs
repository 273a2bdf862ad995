//! Real programs for tests, each in a private folder on loopback ports of its own: [`Etcd`], [`EtcdCluster`].
//!
//! What is started dies with the test process, however that one ends, and its folder goes with it. Nothing else on the
//! machine is touched, and many test processes may do this at once. The programs have to be installed; `cargo xtask
//! test` sees to that in this project.
//!
//! These wait for real time, so a runtime whose time is paused cannot start them. All panic, with the last lines of the
//! program's log, when it cannot be started: there is no test without it.

mod certificates;
mod cluster;
mod etcd;
mod folder;
mod http;
mod keeper;
mod network;
mod port;
mod program;

pub use certificates::Certificates;
pub use cluster::EtcdCluster;
pub use etcd::{Access, Etcd, EtcdConfig};
