//! [`DnsConfig`].

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use orch_core::dns::Zone;

/// How a [`DnsServer`](super::DnsServer) behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsConfig {
    /// Where it listens, over UDP and TCP each; by default 127.0.0.1, port 53. On a machine with several addresses,
    /// name those that clients ask: from the unspecified one an answer may leave by another address.
    pub addresses: Vec<SocketAddr>,
    /// The domain of the cluster; `cluster.local` by default.
    pub zone: Zone,
    /// How long clients may keep an answer, also one that says that there is nothing; 5 s by default.
    pub ttl: Duration,
    /// The name servers that are asked for names outside the zone, one after another until one answers. None by default:
    /// such names are refused.
    pub upstreams: Vec<SocketAddr>,
    /// How long each of them may take; 2 s by default.
    pub upstream_timeout: Duration,
    /// How many questions may wait for them at the same time; 1024 by default. More are answered with a failure. Each
    /// takes a file descriptor.
    pub forwards_max: usize,
    /// How many TCP connections of one address are served at the same time; 128 by default. Further clients wait.
    pub connections_max: usize,
    /// How long a TCP connection may be idle, or take for one question or answer; 5 s by default.
    pub connection_timeout: Duration,
}

impl Default for DnsConfig {
    fn default() -> Self {
        Self {
            addresses: vec![(Ipv4Addr::LOCALHOST, 53).into()],
            zone: Zone::default(),
            ttl: Duration::from_secs(5),
            upstreams: Vec::new(),
            upstream_timeout: Duration::from_secs(2),
            forwards_max: 1_024,
            connections_max: 128,
            connection_timeout: Duration::from_secs(5),
        }
    }
}
