//! [`PodCidrConfig`]: which ranges nodes get.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use orch_core::network::Cidr;

/// Which ranges of pod addresses nodes get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodCidrConfig {
    /// The cluster's ranges, at most one of each family, of each of which a node gets a part; parts of 24 bits of
    /// `10.244.0.0/16` by default.
    pub ranges: Vec<NodeRanges>,
    /// How long a range rests after its node is gone, before another node may get it; 5 minutes by default. Pods of the
    /// former node may still run, and others still send to them.
    pub rest: Duration,
}

/// A range that is given to nodes in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeRanges {
    /// The whole.
    pub range: Cidr,
    /// The bits of a part, as Kubernetes' node mask: 24 for ranges of 256 addresses.
    pub bits: u8,
}

impl Default for PodCidrConfig {
    fn default() -> Self {
        let range = Cidr::new(Ipv4Addr::new(10, 244, 0, 0).into(), 16).expect("a range");
        Self { ranges: vec![NodeRanges { range, bits: 24 }], rest: Duration::from_secs(300) }
    }
}

impl PodCidrConfig {
    pub(super) fn validate(&self) -> Result<(), PodCidrConfigError> {
        let mut families = BTreeSet::new();
        for NodeRanges { range, bits } in self.ranges.iter().copied() {
            if range.parts(bits) == 0 {
                return Err(PodCidrConfigError::NoParts { range, bits });
            }
            if !families.insert(range.is_ipv4()) {
                return Err(PodCidrConfigError::TwoOfAFamily { range });
            }
        }
        Ok(())
    }
}

/// Why nodes cannot be given such ranges.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PodCidrConfigError {
    /// The parts are larger than the whole, or smaller than an address.
    #[error("{range} has no parts of {bits} bits: choose from {} to {}", range.bits(), if range.is_ipv4() { 32 } else { 128 })]
    NoParts {
        /// The whole.
        range: Cidr,
        /// The bits of a part.
        bits: u8,
    },
    /// A second range of a family.
    #[error("{range} is the second range of its family: give at most one of IPv4 and one of IPv6")]
    TwoOfAFamily {
        /// Which.
        range: Cidr,
    },
}
