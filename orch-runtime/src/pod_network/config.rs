//! [`PodNetwork`]: what the network of a node's pods is to be.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::time::Duration;

use orch_core::network::{Cidr, DeviceName};

/// How long an address rests by default: longer than what others know of its last pod.
const QUARANTINE: Duration = Duration::from_secs(60);
/// The least that every device of IPv4 carries at once, and the most that a virtual one does.
const MTU: std::ops::RangeInclusive<u32> = 576..=65_535;

/// The network that the pods of a node are in: one bridge, and a pair of virtual devices for each pod.
///
/// ```
/// use orch_runtime::pod_network::PodNetwork;
///
/// let network = PodNetwork::new("orch0".parse()?, "10.244.7.0/24".parse()?)?.with_mtu(1450)?;
/// assert_eq!(network.gateway().to_string(), "10.244.7.1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodNetwork {
    bridge: DeviceName,
    subnet: Cidr,
    mtu: Option<u32>,
    quarantine: Duration,
}

impl PodNetwork {
    /// A bridge of this name, which is made if it is not there, and pods with addresses of `subnet`. Its first address is the
    /// bridge's own and the pods' gateway.
    ///
    /// # Errors
    /// [`PodNetworkError::Subnet`] when it is not a range of IPv4 addresses of 8 to 29 bits.
    pub fn new(bridge: DeviceName, subnet: Cidr) -> Result<Self, PodNetworkError> {
        if !subnet.is_ipv4() || !(8..=29).contains(&subnet.bits()) {
            return Err(PodNetworkError::Subnet { subnet });
        }
        Ok(Self { bridge, subnet, mtu: None, quarantine: QUARANTINE })
    }

    /// The same with devices that carry at most so many bytes at once. By default it is what the bridge carries; and a bridge
    /// that is made carries what the device does by which the node reaches everything else.
    ///
    /// # Errors
    /// [`PodNetworkError::Mtu`] when no device carries so few or so many.
    pub fn with_mtu(self, mtu: u32) -> Result<Self, PodNetworkError> {
        if MTU.contains(&mtu) { Ok(Self { mtu: Some(mtu), ..self }) } else { Err(PodNetworkError::Mtu { mtu }) }
    }

    /// The same with another time for which an address that was given back rests before another pod gets it; a minute by
    /// default.
    #[must_use]
    pub fn with_quarantine(self, quarantine: Duration) -> Self {
        Self { quarantine, ..self }
    }

    /// The bridge.
    #[must_use]
    pub fn bridge(&self) -> &DeviceName {
        &self.bridge
    }

    /// The addresses.
    #[must_use]
    pub fn subnet(&self) -> Cidr {
        self.subnet
    }

    /// How many bytes devices carry at once, if that is not left to the node.
    #[must_use]
    pub fn mtu(&self) -> Option<u32> {
        self.mtu
    }

    /// How long an address rests.
    #[must_use]
    pub fn quarantine(&self) -> Duration {
        self.quarantine
    }

    /// The bridge's own address.
    #[must_use]
    pub fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.base() + 1)
    }

    /// The pods' addresses as numbers: all but the network's own, the gateway's and the last, which means everybody.
    pub(super) fn pods(&self) -> Range<u32> {
        let size = 1_u32 << (32 - self.subnet.bits());
        self.base() + 2..self.base() + (size - 1)
    }

    fn base(&self) -> u32 {
        match self.subnet.address(0) {
            Some(IpAddr::V4(base)) => base.to_bits(),
            // It was looked at that there is none of the other family.
            _ => 0,
        }
    }
}

impl Default for PodNetwork {
    /// `10.88.0.0/16` on the bridge `orch0`.
    fn default() -> Self {
        let subnet = Cidr::new(Ipv4Addr::new(10, 88, 0, 0).into(), 16).expect("it begins with its first address");
        Self { bridge: "orch0".parse().expect("a name"), subnet, mtu: None, quarantine: QUARANTINE }
    }
}

/// What is wrong with a part of a [`PodNetwork`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PodNetworkError {
    /// A range that pods cannot have their addresses from.
    #[error(
        "pods cannot have addresses of {subnet}: choose a range of IPv4 addresses of 8 to 29 bits, as 10.88.0.0/16"
    )]
    Subnet {
        /// The range as given.
        subnet: Cidr,
    },
    /// A size that no device has.
    #[error("no device carries {mtu} bytes at once: choose 576 to 65535, or leave it to the node")]
    Mtu {
        /// The size as given.
        mtu: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(subnet: &str) -> Result<PodNetwork, PodNetworkError> {
        PodNetwork::new("orch0".parse().expect("a name"), subnet.parse().expect("a range"))
    }

    #[test]
    fn what_would_be_no_network_is_refused() {
        for text in ["10.88.0.0/30", "10.0.0.0/7", "::/16", "fd00::/24"] {
            let error = network(text).expect_err(text).to_string();
            assert!(error.contains(text) && error.contains("8 to 29 bits"), "{error}");
        }
        for mtu in [0, 575, 65_536, u32::MAX] {
            let error = PodNetwork::default().with_mtu(mtu).expect_err("no size").to_string();
            assert!(error.contains(&mtu.to_string()), "{error}");
        }
    }

    #[test]
    fn of_a_subnet_all_but_three_addresses_are_pods() {
        let network = network("10.1.2.8/29").expect("a network");
        let pods: Vec<String> = network.pods().map(|pod| Ipv4Addr::from(pod).to_string()).collect();
        assert_eq!(pods, ["10.1.2.10", "10.1.2.11", "10.1.2.12", "10.1.2.13", "10.1.2.14"]);
        assert_eq!(network.gateway().to_string(), "10.1.2.9");
        assert_eq!(super::tests::network("10.0.0.0/8").expect("a network").pods().len(), (1 << 24) - 3);
    }
}
