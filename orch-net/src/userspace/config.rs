//! [`UserspaceConfig`].

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// How a [`UserspaceProxy`](super::UserspaceProxy) behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserspaceConfig {
    /// The addresses of the node at which node ports are served. By default only 127.0.0.1: nothing is opened to
    /// other machines unless that is asked for. Each has a socket of its own, so that datagrams are answered from the
    /// address that they were sent to.
    pub node_addresses: BTreeSet<IpAddr>,
    /// How long an endpoint may take to accept a connection before the next one is tried; 1 s by default.
    pub connect_timeout: Duration,
    /// How many connections of one service port are relayed at the same time; 4096 by default. Further clients wait
    /// until one ends. Each connection takes two of the process's file descriptors.
    pub connections_max: usize,
    /// The flows of datagrams.
    pub flows: FlowLimits,
}

/// How many flows of datagrams are kept, and for how long.
///
/// A flow has no end that can be seen, only silence. The times are those of Linux's own connection tracking: programs and
/// their keep-alives are made for them, and a service behaves the same whichever proxy serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowLimits {
    /// How many flows are kept at one address of a service port, at least one; 4096 by default. Each takes one of the
    /// process's file descriptors. A further client takes the place of the flow that was silent longest: of one that was
    /// never answered, if there is one, since a flood of forged senders consists of such.
    pub flows_max: usize,
    /// How long a flow may be silent that was never answered; 30 s by default.
    pub unanswered: Duration,
    /// How long a flow may be silent that was answered; 120 s by default, the least that RFC 4787 asks for.
    pub answered: Duration,
}

impl Default for UserspaceConfig {
    fn default() -> Self {
        Self {
            node_addresses: BTreeSet::from([Ipv4Addr::LOCALHOST.into()]),
            connect_timeout: Duration::from_secs(1),
            connections_max: 4_096,
            flows: FlowLimits::default(),
        }
    }
}

impl Default for FlowLimits {
    fn default() -> Self {
        Self { flows_max: 4_096, unanswered: Duration::from_secs(30), answered: Duration::from_secs(120) }
    }
}
