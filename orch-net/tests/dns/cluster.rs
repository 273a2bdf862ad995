//! A table with a little of everything.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use orch_core::dns::{NameBoard, NameTable, PortNames, ServiceNames, Target};
use orch_core::key::Key;
use orch_core::object::Protocol;
use orch_net::{DnsConfig, DnsServer};

pub(crate) fn key(service: &str) -> Key {
    format!("services/shop/{service}").parse().expect("a key")
}

fn http(targets: Vec<Target>) -> Vec<PortNames> {
    vec![PortNames { name: "http".to_owned(), protocol: Protocol::Tcp, targets }]
}

/// A service with addresses of its own.
pub(crate) fn at(addresses: &[&str]) -> ServiceNames {
    let addresses = addresses.iter().map(|address| address.parse().expect("an address")).collect();
    ServiceNames { addresses, hosts: BTreeMap::new(), ports: http(vec![Target { host: None, port: 80 }]) }
}

/// A headless service of so many endpoints.
pub(crate) fn headless(count: u16) -> ServiceNames {
    let address = |number: u16| IpAddr::from(Ipv4Addr::from(0x0AF4_0000 + u32::from(number)));
    let hosts: BTreeMap<String, Vec<IpAddr>> =
        (1..=count).map(|number| (format!("db-{number:03}"), vec![address(number)])).collect();
    let targets = hosts.keys().map(|host| Target { host: Some(host.clone()), port: 5432 }).collect();
    ServiceNames { addresses: (1..=count).map(address).collect(), hosts, ports: http(targets) }
}

/// `web` at two addresses, `db` with two endpoints, `many` with two hundred, and a pod, all in `shop`.
pub(crate) fn table() -> NameTable {
    let mut table = NameTable::default();
    table.set_service(&key("web"), Some(at(&["10.96.0.1", "fd00::1"])));
    table.set_service(&key("db"), Some(headless(2)));
    table.set_service(&key("many"), Some(headless(200)));
    table.set_pod("shop", [10, 244, 0, 1].into(), true);
    table
}

/// A server on a port of its own that answers from `table`.
pub(crate) async fn server(table: Option<NameTable>) -> (DnsServer, Arc<NameBoard>) {
    server_with(table, config()).await
}

pub(crate) async fn server_with(table: Option<NameTable>, config: DnsConfig) -> (DnsServer, Arc<NameBoard>) {
    let board = Arc::new(NameBoard::default());
    if let Some(table) = table {
        board.publish(table);
    }
    (DnsServer::start(config, Arc::clone(&board)).await.expect("it starts"), board)
}

pub(crate) fn config() -> DnsConfig {
    DnsConfig { addresses: vec![(Ipv4Addr::LOCALHOST, 0).into()], ..DnsConfig::default() }
}
