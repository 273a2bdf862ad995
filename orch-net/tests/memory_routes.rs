//! `MemoryRoutes` keep what `PodRoutes` promises.

use std::net::IpAddr;

use orch_core::network::{Cidr, PodRoutes};
use orch_net::{MemoryNetwork, MemoryRoutes};
use orch_testkit::suite::routes::{Deed, InMemory, Landscape};

#[derive(Clone, Debug, Default)]
struct Memory(MemoryNetwork);

impl Landscape for Memory {
    fn routes(&self) -> Box<dyn PodRoutes> {
        Box::new(MemoryRoutes::new(self.0.clone()))
    }

    fn next_hop(&self, address: IpAddr) -> Option<IpAddr> {
        self.0.next_hop(address)
    }

    fn suffer(&self, deed: Deed, range: Cidr) {
        match deed {
            Deed::Remove | Deed::Break => self.0.remove_route(&range),
            Deed::Alter => self.0.set_route(range, [192, 0, 2, 99].into(), true),
        }
    }

    fn occupy(&self, range: Cidr, to: IpAddr) {
        self.0.set_route(range, to, false);
    }

    fn vacate(&self, range: Cidr) {
        self.0.remove_route(&range);
    }

    fn everything(&self) -> String {
        format!("{:?}", self.0.routes_of_others())
    }
}

orch_testkit::routes_suite!(InMemory::new(Memory::default()));
