//! `MemoryProxy` against a model that is obviously right: a scan of the table shown last.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use orch_core::object::{Protocol, TrafficPolicy};
use orch_core::proxy::{
    Affinity, Endpoint, EndpointState, ServicePort, ServicePortName, ServiceProxy as _, ServiceTable,
};
use orch_net::MemoryProxy;
use orch_testkit::suite;
use proptest::prelude::*;

const NODE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn name(number: u8) -> ServicePortName {
    ServicePortName { service: format!("services/shop/s{number}").parse().expect("a key"), port: String::new() }
}

fn address(number: u8) -> IpAddr {
    [10, 96, 0, number].into()
}

/// Few addresses and ports, so that service ports get in each other's way.
fn service_port() -> impl Strategy<Value = ServicePort> {
    let state =
        prop_oneof![Just(EndpointState::Ready), Just(EndpointState::ServingTerminating), Just(EndpointState::NotReady)];
    let endpoint = (0..4_u8, state).prop_map(|(number, state)| Endpoint {
        address: ([10, 244, 0, number], 8080).into(),
        is_local: false,
        state,
    });
    let affinity = prop_oneof![Just(Affinity::None), Just(Affinity::ClientIp(Duration::from_secs(60)))];
    let protocol = prop_oneof![3 => Just(Protocol::Tcp), 1 => Just(Protocol::Udp)];
    let addresses = prop::collection::btree_set((0..6_u8).prop_map(address), 0..3);
    let endpoints = prop::collection::vec(endpoint, 0..4);
    let parts = (protocol, addresses, 80..84_u16, prop::option::of(80..90_u16), affinity, endpoints);
    parts.prop_map(|(protocol, addresses, port, node_port, affinity, endpoints)| ServicePort {
        protocol,
        addresses,
        port,
        node_port,
        affinity,
        internal: TrafficPolicy::Cluster,
        external: TrafficPolicy::Cluster,
        endpoints,
    })
}

/// Where connections to every address and port may go.
fn expected(table: &ServiceTable) -> BTreeMap<(Protocol, SocketAddr), (BTreeSet<SocketAddr>, Affinity)> {
    let mut expected = BTreeMap::new();
    for (_, port) in table.iter() {
        let usable: BTreeSet<_> = port.usable().map(|endpoint| endpoint.address).collect();
        for place in port.places() {
            let to = SocketAddr::new(place.address.unwrap_or(NODE), place.port);
            expected.insert((place.protocol, to), (usable.clone(), port.affinity));
        }
    }
    expected
}

proptest! {
    #[test]
    fn connections_go_where_a_scan_of_the_last_good_table_says(
        tables in prop::collection::vec(prop::collection::vec((0..5_u8, prop::option::of(service_port())), 1..4), 1..8)
    ) {
        suite::run(async {
            let proxy = MemoryProxy::new([NODE]);
            let (mut table, mut good) = (ServiceTable::default(), ServiceTable::default());
            for changes in tables {
                for (number, port) in changes {
                    table.set(name(number), port);
                }
                if proxy.sync(Arc::new(table.clone())).await.is_ok() {
                    good = table.clone();
                } else {
                    prop_assert!(table.validate().is_err());
                }
                let expected = expected(&good);
                let addresses = (0..6).map(address).chain([NODE]);
                let places = addresses.flat_map(|ip| (80..90).map(move |port| SocketAddr::new(ip, port)));
                for (protocol, to) in places.flat_map(|to| [(Protocol::Tcp, to), (Protocol::Udp, to)]) {
                    let (usable, affinity) = expected.get(&(protocol, to)).cloned().unwrap_or_default();
                    let clients = (0..4).map(|client| proxy.connect(protocol, [10, 0, 0, client].into(), to));
                    let reached: BTreeSet<_> = clients.flatten().map(|connection| connection.endpoint()).collect();
                    // A client that has an endpoint keeps it, so that with affinity some endpoints may have none.
                    let as_the_scan_says = match affinity {
                        Affinity::None => reached == usable,
                        Affinity::ClientIp(_) => reached.is_subset(&usable) && reached.is_empty() == usable.is_empty(),
                    };
                    prop_assert!(as_the_scan_says, "{protocol:?} {to}: {reached:?} of {usable:?}");
                }
            }
            Ok(())
        })?;
    }
}

#[test]
fn connections_end_when_the_proxy_is_cleared() {
    suite::run(async {
        let proxy = MemoryProxy::default();
        let endpoint =
            Endpoint { address: ([10, 244, 0, 1], 8080).into(), is_local: false, state: EndpointState::Ready };
        let port = ServicePort {
            protocol: Protocol::Tcp,
            addresses: BTreeSet::from([address(1)]),
            port: 80,
            node_port: None,
            affinity: Affinity::None,
            internal: TrafficPolicy::Cluster,
            external: TrafficPolicy::Cluster,
            endpoints: vec![endpoint],
        };
        let mut table = ServiceTable::default();
        table.set(name(1), Some(port));
        proxy.sync(Arc::new(table)).await.expect("a good table");
        let connection = proxy.connect(Protocol::Tcp, NODE, (address(1), 80).into()).expect("an endpoint is ready");
        assert!(connection.is_open());
        proxy.clear().await.expect("it can be cleared");
        assert!(!connection.is_open());
    });
}
