//! The table against a list of all names, worked out anew for each question.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::Target;
use super::*;
use crate::kind::Object as _;

/// Everything that was put into a table.
#[derive(Clone, Debug, Default)]
struct Model {
    services: BTreeMap<(&'static str, &'static str), ServiceNames>,
    pods: BTreeSet<(&'static str, IpAddr)>,
}

impl Model {
    /// All names that something is at, and what it is.
    fn names(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::from([("dns-version".to_owned(), "Version".to_owned())]);
        for ((namespace, service), names) in &self.services {
            let own = format!("{service}.{namespace}");
            for (host, addresses) in &names.hosts {
                all.insert(format!("{host}.{own}.svc"), format!("Host({addresses:?})"));
            }
            for port in names.ports.iter().filter(|port| !port.name.is_empty()) {
                let name = format!("_{}.{}.{own}.svc", port.name, label(port.protocol));
                all.insert(name, format!("Port {own} {names:?} {:?}", port.targets));
            }
            all.insert(format!("{own}.svc"), format!("Service {own} {names:?}"));
        }
        for (namespace, address) in &self.pods {
            let host = address.to_string().replace(['.', ':'], "-");
            all.insert(format!("{host}.{namespace}.pod"), format!("Pod({address:?})"));
        }
        all
    }

    fn find(&self, name: &str) -> String {
        let names = self.names();
        let under = format!(".{name}");
        let is_ancestor = ["", "svc", "pod"].contains(&name) || names.keys().any(|other| other.ends_with(&under));
        names.get(name).cloned().unwrap_or_else(|| if is_ancestor { "Ancestor" } else { "Nothing" }.to_owned())
    }

    fn names_of(&self, address: IpAddr) -> Vec<String> {
        let mut found = BTreeSet::new();
        for ((namespace, service), names) in &self.services {
            let own = format!("{service}.{namespace}");
            for (host, addresses) in &names.hosts {
                found.extend(addresses.contains(&address).then(|| format!("{host}.{own}")));
            }
            found.extend((names.hosts.is_empty() && names.addresses.contains(&address)).then_some(own));
        }
        found.into_iter().collect()
    }
}

fn found(table: &NameTable, name: &str) -> String {
    match table.find(name) {
        Found::Service { service, names } => format!("Service {service} {names:?}"),
        Found::Port { service, names, port } => format!("Port {service} {names:?} {:?}", port.targets),
        other => format!("{other:?}"),
    }
}

const NAMESPACES: [&str; 2] = ["shop", "svc"];
const SERVICES: [&str; 3] = ["web", "db", "svc"];

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0..3_u8).prop_map(|last| IpAddr::from([10, 0, 0, last])),
        (0..2_u16).prop_map(|last| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last])),
    ]
}

fn addresses() -> impl Strategy<Value = Vec<IpAddr>> {
    prop::collection::btree_set(address(), 1..3).prop_map(|all| all.into_iter().collect())
}

fn service_names() -> impl Strategy<Value = ServiceNames> {
    let host = prop_oneof![Just("web"), Just("a"), Just("_tcp")].prop_map(str::to_owned);
    let hosts = prop_oneof![Just(BTreeMap::new()), prop::collection::btree_map(host, addresses(), 0..3)];
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)];
    let name = prop_oneof![Just(""), Just("http"), Just("web")];
    let ports = prop::collection::btree_map((name, protocol), 1..9_u16, 0..3);
    (hosts, prop::option::of(addresses()), ports).prop_map(|(hosts, own, ports)| {
        let all: BTreeSet<IpAddr> = hosts.values().flatten().copied().collect();
        let addresses = if hosts.is_empty() { own.unwrap_or_default() } else { all.into_iter().collect() };
        let targets = |number| match hosts.keys().next() {
            None => vec![Target { host: None, port: number }],
            Some(_) => hosts.keys().map(|host| Target { host: Some(host.clone()), port: number }).collect(),
        };
        let ports = ports.into_iter().map(|((name, protocol), number)| PortNames {
            name: name.to_owned(),
            protocol,
            targets: targets(number),
        });
        let ports = ports.collect();
        // `_tcp` is no host name, and would hide what the ports are under.
        let hosts = hosts.into_iter().filter(|(host, _)| host != "_tcp").collect();
        ServiceNames { addresses, hosts, ports }
    })
}

#[derive(Clone, Debug)]
enum Step {
    Service(&'static str, &'static str, Option<ServiceNames>),
    Pod(&'static str, IpAddr, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let namespace = || prop::sample::select(&NAMESPACES[..]);
    let service = prop::sample::select(&SERVICES[..]);
    prop_oneof![
        3 => (namespace(), service, prop::option::of(service_names()))
            .prop_map(|(namespace, service, names)| Step::Service(namespace, service, names)),
        1 => (namespace(), address(), any::<bool>()).prop_map(|(namespace, pod, is)| Step::Pod(namespace, pod, is)),
    ]
}

/// Names of the labels that the table is made of, in any order.
fn question() -> impl Strategy<Value = String> {
    let labels =
        ["web", "db", "svc", "pod", "shop", "a", "_tcp", "_udp", "_http", "_web", "_", "dns-version", "10-0-0-1", "x"];
    let label = prop::sample::select(labels.to_vec());
    let labels = prop::collection::vec(label, 0..6).prop_map(|labels| labels.join("."));
    (labels, prop::sample::select(vec!["", ".svc", ".pod", ".web.shop.svc"])).prop_map(|(name, end)| name + end)
}

proptest! {
    #[test]
    fn every_name_is_found_as_a_list_of_all_names_would_have_it(
        steps in prop::collection::vec(step(), 0..12),
        questions in prop::collection::vec(question(), 20),
    ) {
        let (mut table, mut model) = (NameTable::default(), Model::default());
        for step in steps {
            let before = (table.clone(), model.clone());
            let changed = match step {
                Step::Service(namespace, service, names) => {
                    let key = Key::new(&crate::object::Service::KIND, Some(namespace), service).expect("a key");
                    match names.clone().filter(|names| !names.is_empty()) {
                        Some(names) => model.services.insert((namespace, service), names),
                        None => model.services.remove(&(namespace, service)),
                    };
                    table.set_service(&key, names)
                }
                Step::Pod(namespace, pod, true) => {
                    model.pods.insert((namespace, pod));
                    table.set_pod(namespace, pod, true)
                }
                Step::Pod(namespace, pod, false) => {
                    model.pods.remove(&(namespace, pod));
                    table.set_pod(namespace, pod, false)
                }
            };
            prop_assert_eq!(changed, before.1.names() != model.names());
            prop_assert_eq!(changed, before.0 != table);
            prop_assert_eq!(changed, before.0.changes() != table.changes());
            for name in questions.iter().chain(model.names().keys()).filter(|name| !name.starts_with('.')) {
                prop_assert_eq!(found(&table, name), model.find(name), "{}", name);
                prop_assert_eq!(found(&before.0, name), before.1.find(name), "a copy changed: {}", name);
            }
            for address in (0..4).map(|last| IpAddr::from([10, 0, 0, last])) {
                let names = table.names_of(address).map(|names| names.map(str::to_owned).collect::<Vec<_>>());
                prop_assert_eq!(names.unwrap_or_default(), model.names_of(address));
            }
        }
    }
}

#[test]
fn a_pod_is_found_by_every_way_to_write_its_address_and_by_nothing_else() {
    let mut table = NameTable::default();
    let address: IpAddr = "2001:db8::1".parse().expect("an address");
    table.set_pod("shop", address, true);
    for name in ["2001-db8--1.shop.pod", "2001-db8-0-0-0-0-0-1.shop.pod"] {
        assert_eq!(table.find(name), Found::Pod(address), "{name}");
    }
    for name in ["2001-db8--2.shop.pod", "2001-db8--1.other.pod", "2001:db8::1.shop.pod", "x.2001-db8--1.shop.pod"] {
        assert_eq!(table.find(name), Found::Nothing, "{name}");
    }
}
