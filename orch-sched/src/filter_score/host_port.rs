//! [`HostPort`]: a port of a node that a pod takes for itself.

use std::fmt;
use std::net::IpAddr;

use orch_core::object::{Pod, Protocol};

/// A port of a node that a pod takes for itself, on one of the node's addresses or on all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// The port's number.
    pub port: i32,
    /// The protocol; the same number of another protocol is another port.
    pub protocol: Protocol,
    /// The address it is bound on; `None` for all.
    pub address: Option<IpAddr>,
}

impl HostPort {
    /// The ports that a pod takes.
    #[must_use]
    pub fn all_of(pod: &Pod) -> Vec<Self> {
        let ports = pod.spec.containers.iter().flat_map(|container| &container.ports);
        let taken = ports.filter_map(|port| {
            // 0 means none, as in Kubernetes.
            let number = port.host_port.filter(|number| *number != 0)?;
            Some(Self { port: number, protocol: port.protocol(), address: address(port.host_ip.as_deref()) })
        });
        taken.collect()
    }

    /// Whether the two cannot be bound on one node: a port bound on all addresses is bound on each.
    #[must_use]
    pub fn conflicts_with(&self, other: &Self) -> bool {
        let overlap = match (self.address, other.address) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        (self.port, self.protocol) == (other.port, other.protocol) && overlap
    }
}

/// The one address that this text speaks of. What is no address, which validation refuses, is taken for all of them:
/// that may cost a node, never a conflict.
fn address(text: Option<&str>) -> Option<IpAddr> {
    let address: IpAddr = text?.parse().ok()?;
    Some(address.to_canonical()).filter(|address| !address.is_unspecified())
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
            Protocol::Sctp => "SCTP",
        };
        match self.address {
            Some(address) => write!(f, "{}/{protocol} on {address}", self.port),
            None => write!(f, "{}/{protocol}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_conflict_where_number_protocol_and_an_address_coincide() {
        let port = |text: &str| HostPort { port: 80, protocol: Protocol::Tcp, address: address(Some(text)) };
        for (conflict, one, other) in [
            (true, "", ""),
            (true, "", "10.0.0.1"),
            (true, "0.0.0.0", "10.0.0.1"),
            (true, "::", "10.0.0.1"),
            (true, "10.0.0.1", "10.0.0.1"),
            (true, "10.0.0.1", "::ffff:10.0.0.1"),
            (true, "::1", "0:0:0:0:0:0:0:1"),
            (true, "nonsense", "10.0.0.1"),
            (false, "10.0.0.1", "10.0.0.2"),
        ] {
            assert_eq!(port(one).conflicts_with(&port(other)), conflict, "{one:?} {other:?}");
            assert_eq!(port(other).conflicts_with(&port(one)), conflict, "{other:?} {one:?}");
        }
        assert!(!port("").conflicts_with(&HostPort { protocol: Protocol::Udp, ..port("") }));
        assert!(!port("").conflicts_with(&HostPort { port: 81, ..port("") }));
    }
}
