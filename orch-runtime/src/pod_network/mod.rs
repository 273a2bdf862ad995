//! The network of one node's pods: a bridge, a pair of virtual devices for each pod, and who has which address. Runtimes
//! share it: [`PodNetwork`] is what they are told.

mod addresses;
mod book;
mod bridge;
mod config;
mod netlink;
mod network;

pub use self::config::{PodNetwork, PodNetworkError};
pub(crate) use self::netlink::Netlink;
pub(crate) use self::network::{Joined, Network};
