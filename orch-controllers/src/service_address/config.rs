//! [`ServiceAddressConfig`]: which addresses and ports services get.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::time::Duration;

use orch_core::network::Cidr;

use super::holding::Holding;
use super::pool::Pool;

/// Which addresses and ports services get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAddressConfig {
    /// The ranges of addresses, at most one of each family; `10.96.0.0/12` by default. A service that asks for no
    /// address gets one of each.
    pub ranges: Vec<Cidr>,
    /// The node ports; 30000 to 32767 by default.
    pub node_ports: RangeInclusive<u16>,
    /// What is given to nobody, asked for or not: an address that something else answers on.
    pub reserved: BTreeSet<Holding>,
    /// How long an address or port rests after the last service that had it is gone, before another one may get it; 60 s
    /// by default. Whoever still sends to the former service then reaches nobody rather than somebody else.
    pub rest: Duration,
}

impl Default for ServiceAddressConfig {
    fn default() -> Self {
        let range = Cidr::new(Ipv4Addr::new(10, 96, 0, 0).into(), 12).expect("a range");
        Self {
            ranges: vec![range],
            node_ports: 30_000..=32_767,
            reserved: BTreeSet::new(),
            rest: Duration::from_secs(60),
        }
    }
}

impl ServiceAddressConfig {
    /// The range that an address is in, and could be given from.
    pub(super) fn range_of(&self, address: IpAddr) -> Option<&Cidr> {
        self.ranges.iter().find(|range| range.place(address).is_some())
    }

    /// Whether it may be given to a service at all.
    pub(super) fn may_give(&self, holding: Holding) -> bool {
        let inside = match holding {
            Holding::Address(address) => self.range_of(address).is_some_and(|range| {
                let place = range.place(address).unwrap_or_default();
                Pool::of_range(range).contains(place)
            }),
            Holding::NodePort(port) => self.node_ports.contains(&port),
        };
        inside && !self.reserved.contains(&holding)
    }
}
