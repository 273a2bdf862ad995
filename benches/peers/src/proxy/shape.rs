//! [`Shape`]: how many services there are, and what their addresses and endpoints are.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use orch_core::object::{Protocol, TrafficPolicy};
use orch_core::proxy::{Affinity, Endpoint, EndpointState, ServicePort, ServicePortName, ServiceTable};

/// The service of which an endpoint changes.
pub const CHANGED: u16 = 500;

/// Where all services are, and where all endpoints are: an address, and how many of its bits are the network's.
pub const SERVICES: &str = "10.96.0.0/16";
pub const ENDPOINTS: &str = "10.128.0.0/9";

/// The port of every service, and of every endpoint.
pub const PORT: u16 = 80;
pub const TARGET: u16 = 8080;

/// So many services, each with so many endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub services: u16,
    pub endpoints: u8,
}

/// What changes: how often the first endpoint of [`CHANGED`] was replaced, and how many services were added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub replaced: u8,
    pub added: u8,
}

impl Shape {
    /// The endpoints of a service.
    pub fn endpoints(self, number: u16, state: State) -> Vec<SocketAddrV4> {
        let [high, low] = number.to_be_bytes();
        let replaced = if number == CHANGED { state.replaced } else { 0 };
        let last = |index: u8| if index == 0 { 100 + replaced } else { index };
        (0..self.endpoints).map(|index| SocketAddrV4::new([10, 128 | high, low, last(index)].into(), TARGET)).collect()
    }

    /// The services, those that were added included.
    pub fn numbers(self, state: State) -> impl Iterator<Item = u16> {
        0..self.services + u16::from(state.added)
    }

    /// The table at first.
    pub fn table(self) -> ServiceTable {
        let mut table = ServiceTable::default();
        self.numbers(State::default()).for_each(|number| self.set(&mut table, number, State::default()));
        table
    }

    /// The next tables, in each of which an endpoint was replaced.
    pub fn replacements(self, table: &mut ServiceTable, state: &mut State, count: usize) -> Vec<Arc<ServiceTable>> {
        let next = |_| {
            state.replaced = (state.replaced + 1) % 150;
            self.set(table, CHANGED, *state);
            Arc::new(table.clone())
        };
        (0..count).map(next).collect()
    }

    /// The next tables, in each of which there is one service more.
    pub fn additions(self, table: &mut ServiceTable, state: &mut State, count: usize) -> Vec<Arc<ServiceTable>> {
        let next = |_| {
            self.set(table, self.services + u16::from(state.added), *state);
            state.added += 1;
            Arc::new(table.clone())
        };
        (0..count).map(next).collect()
    }

    fn set(self, table: &mut ServiceTable, number: u16, state: State) {
        let service = format!("services/shop/web-{number}").parse().expect("a key");
        let endpoint =
            |address: SocketAddrV4| Endpoint { address: address.into(), is_local: false, state: EndpointState::Ready };
        let port = ServicePort {
            protocol: Protocol::Tcp,
            addresses: [address(number).into()].into(),
            port: PORT,
            node_port: None,
            affinity: Affinity::None,
            internal: TrafficPolicy::Cluster,
            external: TrafficPolicy::Cluster,
            endpoints: self.endpoints(number, state).into_iter().map(endpoint).collect(),
        };
        table.set(ServicePortName { service, port: String::new() }, Some(port));
    }
}

/// The address of a service.
pub fn address(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    [10, 96, high, low].into()
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} services × {} endpoints", self.services, self.endpoints)
    }
}
