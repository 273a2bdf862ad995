//! [`UserspaceConfig`].

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// How a [`UserspaceProxy`](super::UserspaceProxy) behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserspaceConfig {
    /// The addresses of the node at which node ports are served. By default only 127.0.0.1: nothing is opened to
    /// other machines unless that is asked for.
    pub node_addresses: BTreeSet<IpAddr>,
    /// How long an endpoint may take to accept a connection before the next one is tried; 1 s by default.
    pub connect_timeout: Duration,
    /// How many connections of one service port are relayed at the same time; 4096 by default. Further clients wait
    /// until one ends. Each connection takes two of the process's file descriptors.
    pub connections_max: usize,
}

impl Default for UserspaceConfig {
    fn default() -> Self {
        Self {
            node_addresses: BTreeSet::from([Ipv4Addr::LOCALHOST.into()]),
            connect_timeout: Duration::from_secs(1),
            connections_max: 4_096,
        }
    }
}
