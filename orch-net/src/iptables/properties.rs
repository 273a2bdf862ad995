//! What holds of the rules of any table, by an interpreter of rules that is obviously right.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use orch_core::object::{Protocol, TrafficPolicy};
use orch_core::proxy::{Affinity, Endpoint, EndpointState, ServicePort, ServicePortName, ServiceTable};
use proptest::prelude::*;

use super::config::{IptablesConfig, NodeAddresses};
use super::diff::Standing;
use super::model::{Fate, Model, Packet, Verdict};
use super::tables::{Tables, Updates};
use crate::family::Family;
use crate::served::Served;

const NODE: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

fn config() -> IptablesConfig {
    IptablesConfig {
        pod_networks: [("10.244.0.0".parse().expect("an address"), 16)].into(),
        ..IptablesConfig::default()
    }
}

/// Few addresses that hardly differ, many that do, and many ports at one address.
fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0..24_u8).prop_map(|number| IpAddr::from([10, 96, 0, number])),
        (0..40_u8, 0..4_u8).prop_map(|(a, b)| IpAddr::from([10, 96, a, b])),
        any::<u16>().prop_map(|number| IpAddr::from([0xFD00, 0x96, 0, 0, 0, 0, 0, number])),
        any::<[u16; 6]>().prop_map(|[a, b, c, d, e, f]| IpAddr::from([0xFD00 | (a & 0xFF), b, c, d, e, f, 0, 1])),
    ]
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    let state = prop_oneof![3 => Just(EndpointState::Ready), 1 => Just(EndpointState::ServingTerminating), 1 => Just(EndpointState::NotReady)];
    let address = prop_oneof![
        3 => (1..6_u8).prop_map(|number| IpAddr::from([10, 244, 0, number])),
        1 => (1..6_u16).prop_map(|number| IpAddr::from([0xFD00, 0x244, 0, 0, 0, 0, 0, number])),
    ];
    (address, state, any::<bool>()).prop_map(|(address, state, is_local)| Endpoint {
        address: (address, 8080).into(),
        is_local,
        state,
    })
}

fn service_port() -> impl Strategy<Value = ServicePort> {
    let policy = || prop_oneof![Just(TrafficPolicy::Cluster), Just(TrafficPolicy::Local)];
    let affinity = prop_oneof![3 => Just(Affinity::None), 1 => Just(Affinity::ClientIp(Duration::from_secs(60)))];
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp), Just(Protocol::Sctp)];
    let port = prop_oneof![2 => 80..120_u16, 1 => 1..=u16::MAX];
    let parts = (
        protocol,
        prop::collection::btree_set(address(), 0..3),
        port,
        prop::option::of(30_000..30_060_u16),
        affinity,
        (policy(), policy()),
        prop::collection::vec(endpoint(), 0..4),
    );
    parts.prop_map(|(protocol, addresses, port, node_port, affinity, (internal, external), mut endpoints)| {
        let mut seen = BTreeSet::new();
        endpoints.retain(|endpoint| seen.insert(endpoint.address));
        ServicePort { protocol, addresses, port, node_port, affinity, internal, external, endpoints }
    })
}

/// Changes of a table, many at a time. Names are anything.
fn steps() -> impl Strategy<Value = Vec<Vec<(u8, Option<ServicePort>)>>> {
    let change = (0..60_u8, prop::option::weighted(0.85, service_port()));
    prop::collection::vec(prop::collection::vec(change, 1..50), 1..5)
}

fn name(number: u8, port: &str) -> ServicePortName {
    ServicePortName { service: format!("services/shop/web-{number}").parse().expect("a key"), port: port.to_owned() }
}

fn settled(family: Family, model: &Model, table: &ServiceTable) -> (Tables, Updates) {
    let ports = table.iter().map(|(name, port)| (name, &**port));
    Tables::settle(family, Standing::read(&model.save()), ports, &config())
}

fn restore(model: &mut Model, updates: &Updates) {
    for section in updates.inputs(3).concat().split_inclusive("COMMIT\n") {
        model.restore(section).unwrap_or_else(|why| panic!("{why} in\n{section}"));
    }
}

fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    }
}

/// What may become of a connection: the endpoints with their chances and whether the client is masqueraded, or refusal.
#[derive(Clone, Debug, PartialEq)]
enum Expected {
    Nothing,
    Refused,
    Led(Vec<(SocketAddr, bool)>),
}

/// What the table says, by a scan.
fn expected(table: &ServiceTable, family: Family, packet: &Packet) -> Expected {
    let at_address = |port: &ServicePort| port.addresses.contains(&packet.to.ip()) && port.port == packet.to.port();
    let at_node = |port: &ServicePort| {
        let of_family = |address: IpAddr| family.has(address);
        let is_of_family = port.addresses.iter().any(|address| of_family(*address))
            || port.endpoints.iter().any(|endpoint| of_family(endpoint.address.ip()));
        packet.is_local && port.node_port == Some(packet.to.port()) && is_of_family
    };
    let ports = || table.iter().map(|(_, port)| port).filter(|port| word(port.protocol) == packet.protocol);
    let (port, policy, is_node_port) = match ports().find(|port| at_address(port)) {
        Some(port) => (port, port.internal, false),
        None => match ports().find(|port| at_node(port)) {
            Some(port) => (port, port.external, true),
            None => return Expected::Nothing,
        },
    };
    let outside = family == Family::V4 && !matches!(packet.from, IpAddr::V4(from) if from.octets()[..2] == [10, 244]);
    let marked = if is_node_port { policy == TrafficPolicy::Cluster } else { outside };
    let usable = port.usable_by(policy).filter(|endpoint| family.has(endpoint.address.ip()));
    let led: Vec<_> = usable
        .map(|endpoint| {
            let itself = endpoint.is_local && endpoint.address.ip() == packet.from;
            (endpoint.address, marked || itself)
        })
        .collect();
    if led.is_empty() { Expected::Refused } else { Expected::Led(led) }
}

/// What the rules say.
fn found(model: &Model, packet: &Packet) -> Expected {
    let fates = model.walk("nat", "PREROUTING", packet);
    assert_eq!(fates, model.walk("nat", "OUTPUT", packet), "the node is its own client, too");
    let total: f64 = fates.iter().map(|fate| fate.chance).sum();
    assert!((total - 1.0).abs() < 1e-6, "{total}");
    let even = 1.0 / fates.len() as f64;
    let led = fates.iter().map(|fate| match fate.verdict {
        Some(Verdict::Translated(to)) => {
            assert!((fate.chance - even).abs() < 1e-6, "all have the same chance: {fates:?}");
            Some((to, fate.mark != 0))
        }
        _ => None,
    });
    if let Some(led) = led.collect::<Option<Vec<_>>>() {
        return Expected::Led(led);
    }
    assert!(matches!(fates.as_slice(), [Fate { verdict: None, mark: 0, .. }]), "{fates:?}");
    let hooks = ["INPUT", "FORWARD", "OUTPUT"].map(|hook| model.walk("filter", hook, packet));
    assert!(hooks[0] == hooks[1] && hooks[0] == hooks[2], "{hooks:?}");
    match (&hooks[0][..], packet.protocol) {
        ([Fate { verdict: None, .. }], _) => Expected::Nothing,
        ([Fate { verdict: Some(Verdict::Rejected(how)), .. }], protocol) => {
            assert_eq!(how == "tcp-reset", protocol == "tcp");
            Expected::Refused
        }
        other => panic!("{other:?}"),
    }
}

/// Packets to every place that any of the tables has, and beside it.
fn packets(tables: &[&ServiceTable], family: Family) -> Vec<Packet> {
    let node: IpAddr = NODE[usize::from(family == Family::V6)].parse().expect("an address");
    let mut packets = BTreeMap::new();
    for port in tables.iter().flat_map(|table| table.iter().map(|(_, port)| port)) {
        let clients: [IpAddr; 2] = match family {
            Family::V4 => [[10, 244, 0, 1].into(), [198, 51, 100, 1].into()],
            Family::V6 => ["fd00:244::1".parse().expect("an address"), "2001:db8::9".parse().expect("an address")],
        };
        let places = port.addresses.iter().map(|address| (*address, port.port));
        let node_port = port.node_port.map(|number| (node, number));
        for (address, number) in places.chain(node_port).filter(|(address, _)| family.has(*address)) {
            for (to, protocol) in
                [number, number ^ 1].into_iter().flat_map(|to| ["tcp", "udp", "sctp"].map(|p| (to, p)))
            {
                for from in clients {
                    let (to, is_local) = (SocketAddr::new(address, to), address == node);
                    let packet = Packet { from, to, protocol, is_local, lists: BTreeSet::new() };
                    packets.insert((from, to, protocol), packet);
                }
            }
        }
    }
    packets.into_values().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the tables were before, and between any two steps of a change.
    #[test]
    fn packets_go_where_a_scan_of_the_table_says_at_every_moment(steps in steps()) {
        for family in Family::ALL {
            let (mut model, mut table) = (Model::new(), ServiceTable::default());
            let (mut tables, updates) = settled(family, &model, &table);
            prop_assert!(updates.is_empty(), "nothing is to be served, and nothing is touched");
            let mut served = Served::default();
            for step in &steps {
                let before = table.clone();
                for (number, port) in step {
                    let old = table.clone();
                    table.set(name(*number, ""), port.clone());
                    if table.validate().is_err() {
                        table = old;
                    }
                }
                let changes = served.changes(&table);
                let updates = tables.change(&changes, &config());
                served.accept(&table, changes);
                let packets = packets(&[&before, &table], family);
                for section in updates.inputs(3).concat().split_inclusive("COMMIT\n") {
                    model.restore(section).unwrap_or_else(|why| panic!("{why} in\n{section}"));
                    for packet in &packets {
                        let (old, new) = (expected(&before, family, packet), expected(&table, family, packet));
                        let found = found(&model, packet);
                        let too_early = found == Expected::Refused && (old == Expected::Nothing || new == Expected::Nothing);
                        prop_assert!(found == old || found == new || too_early, "{packet:?}: {found:?}, neither {old:?} nor {new:?}");
                    }
                }
                for packet in &packets {
                    prop_assert_eq!(found(&model, packet), expected(&table, family, packet), "{:?}", packet);
                }
                let mut anew = Model::new();
                let updates = settled(family, &anew, &table).1;
                restore(&mut anew, &updates);
                prop_assert_eq!(&anew, &model, "what was before makes no difference");
                let (taken_over, updates) = settled(family, &model, &table);
                prop_assert!(updates.is_empty(), "who takes over changes nothing: {:?}", updates);
                prop_assert_eq!(taken_over.differences(&Standing::read(&model.save())), 0);
                prop_assert_eq!(tables.differences(&Standing::read(&model.save())), 0);
            }
            let (_, updates) = settled(family, &model, &ServiceTable::default());
            restore(&mut model, &updates);
            prop_assert_eq!(model, Model::new(), "nothing is left behind");
        }
    }

    /// Somebody deletes and adds rules in our chains, or chains; what is others' stays.
    #[test]
    fn what_others_changed_is_seen_and_put_right_and_what_is_theirs_stays(
        step in prop::collection::vec((0..60_u8, service_port()), 1..30),
        damage in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8), 0..6),
    ) {
        let mut model = Model::new();
        for (table, chain) in [("nat", "PREROUTING"), ("nat", "OUTPUT"), ("filter", "FORWARD")] {
            let chains = model.tables.get_mut(table).expect("a table");
            chains.insert("FOREIGN".to_owned(), vec!["-s 10.0.0.1/32 -j MARK --set-xmark 0x1/0x1".to_owned()]);
            chains.get_mut(chain).expect("a chain").push("-j FOREIGN".to_owned());
        }
        let foreign = model.clone();
        let mut table = ServiceTable::default();
        for (number, port) in step {
            let old = table.clone();
            table.set(name(number, ""), Some(port));
            if table.validate().is_err() {
                table = old;
            }
        }
        let (tables, updates) = settled(Family::V4, &model, &table);
        restore(&mut model, &updates);
        let right = model.clone();
        for (which, how) in damage {
            let chains: Vec<_> = model.tables.iter()
                .flat_map(|(table, chains)| chains.keys().map(move |chain| (table.clone(), chain.clone())))
                .filter(|(_, chain)| chain != "FOREIGN")
                .collect();
            let (table, chain) = which.get(&chains);
            let chains = model.tables.get_mut(table).expect("a table");
            let is_built_in = !chain.starts_with("ORCH-");
            let rules = chains.get_mut(chain).expect("a chain");
            rules.retain(|rule| rule.contains("FOREIGN") || how != 0);
            match how {
                1 if !is_built_in => rules.push("-j RETURN".to_owned()),
                2 => rules.extend(rules.iter().find(|rule| rule.contains("-j ORCH-")).cloned()),
                3 if !is_built_in => drop(chains.insert("ORCH-OLD".to_owned(), Vec::new())),
                _ => {}
            }
        }
        let is_seen = tables.differences(&Standing::read(&model.save())) > 0;
        prop_assert_eq!(is_seen, model != right);
        let (_, updates) = settled(Family::V4, &model, &table);
        restore(&mut model, &updates);
        prop_assert_eq!(tables.differences(&Standing::read(&model.save())), 0);
        let (_, updates) = settled(Family::V4, &model, &ServiceTable::default());
        restore(&mut model, &updates);
        prop_assert_eq!(model, foreign);
    }

    /// Names are hashed, never written.
    #[test]
    fn names_that_users_choose_change_nothing_in_the_structure_of_the_rules(
        port in ".*|\n-A PREROUTING -j ACCEPT\n|\"; -A|COMMIT\n*filter|'\\$\\(x\\)",
        like in service_port(),
    ) {
        let shape = |port_name: &str| {
            let mut table = ServiceTable::default();
            table.set(name(1, port_name), Some(like.clone()));
            let input = settled(Family::V4, &Model::new(), &table).1.input();
            let plain = input.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte));
            assert!(plain, "{input}");
            // Hashes, which differ, are as long.
            let hashless = |word: &str| match word.strip_prefix("ORCH-").or(word.strip_prefix(":ORCH-")) {
                Some(rest) if rest.len() >= 20 => format!("{}", rest.len()),
                _ => word.to_owned(),
            };
            let mut lines: Vec<String> =
                input.lines().map(|line| line.split(' ').map(hashless).collect::<Vec<_>>().join(" ")).collect();
            lines.sort();
            lines
        };
        prop_assert_eq!(shape(&port), shape("http"));
    }
}

fn endpoints(count: u16) -> Vec<Endpoint> {
    let endpoint = |number: u16| {
        let [high, low] = number.to_be_bytes();
        Endpoint { address: ([10, 128, high, low], 8080).into(), is_local: false, state: EndpointState::Ready }
    };
    (0..count).map(endpoint).collect()
}

fn web(number: u16, endpoints: Vec<Endpoint>) -> ServicePort {
    let [high, low] = number.to_be_bytes();
    ServicePort {
        protocol: Protocol::Tcp,
        addresses: BTreeSet::from([[10, 96, high, low].into()]),
        port: 80,
        node_port: None,
        affinity: Affinity::None,
        internal: TrafficPolicy::Cluster,
        external: TrafficPolicy::Cluster,
        endpoints,
    }
}

fn big(services: u16) -> ServiceTable {
    let mut table = ServiceTable::default();
    for number in 0..services {
        let name =
            ServicePortName { service: format!("services/shop/{number}").parse().expect("a key"), port: String::new() };
        table.set(name, Some(web(number, endpoints(2))));
    }
    table
}

#[test]
fn a_change_of_an_endpoint_writes_one_chain_and_a_new_service_a_few_whatever_the_number_of_services() {
    for services in [100, 5_000] {
        let mut table = big(services);
        let (mut tables, _) = settled(Family::V4, &Model::new(), &table);
        let mut served = Served::default();
        served.accept(&table, served.changes(&table));
        let mut change = |number: u16, port: ServicePort| {
            let service = format!("services/shop/{number}").parse().expect("a key");
            table.set(ServicePortName { service, port: String::new() }, Some(port));
            let changes = served.changes(&table);
            let updates = tables.change(&changes, &config());
            served.accept(&table, changes);
            updates
        };
        let updates = change(50, web(50, endpoints(3)));
        assert_eq!(updates.rules(), 3, "{}", updates.input());
        assert_eq!(updates.input().matches("\n:").count(), 1, "{}", updates.input());
        let updates = change(services, web(services, endpoints(3)));
        assert!(updates.rules() <= 3 + 2 * 17 + 16, "{} rules\n{}", updates.rules(), updates.input());
    }
}

#[test]
fn a_packet_passes_a_few_dozen_rules_whatever_the_number_of_services() {
    let longest = |services: u16| {
        let mut model = Model::new();
        let updates = settled(Family::V4, &model, &big(services)).1;
        restore(&mut model, &updates);
        let chains = &model.tables["nat"];
        // All rules of the chains on the way, whether they match or not.
        let rules_to = |number: u16| {
            let [high, low] = number.to_be_bytes();
            let to = SocketAddr::from(([10, 96, high, low], 80));
            let (mut passed, mut chain) = (0, "ORCH-ADDRESSES".to_owned());
            while chain.starts_with("ORCH-D-") || chain == "ORCH-ADDRESSES" {
                let is_way = |rule: &&String| {
                    let block = rule.split("-d ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a block");
                    let (network, length) = block.split_once('/').expect("a block");
                    let network: std::net::Ipv4Addr = network.parse().expect("an address");
                    let length: u32 = length.parse().expect("a length");
                    let IpAddr::V4(to) = to.ip() else { return false };
                    (network.to_bits() ^ to.to_bits()) >> (32 - length) == 0
                };
                passed += chains[&chain].iter().position(|rule| is_way(&rule)).expect("a way") + 1;
                let next = chains[&chain].iter().rfind(is_way).expect("a way");
                chain = next.split("-g ").nth(1).expect("a chain").to_owned();
            }
            passed
        };
        (0..services).map(rules_to).max().unwrap_or_default()
    };
    assert!(longest(1_000) <= 50, "{}", longest(1_000));
    assert!(longest(8_000) <= 66, "{}", longest(8_000));
}

#[test]
fn a_client_with_affinity_keeps_its_endpoint_and_is_put_into_the_list_of_the_one_it_gets() {
    let mut model = Model::new();
    let mut table = ServiceTable::default();
    let sticky = ServicePort { affinity: Affinity::ClientIp(Duration::from_millis(60_500)), ..web(1, endpoints(3)) };
    table.set(name(1, ""), Some(sticky));
    let updates = settled(Family::V4, &model, &table).1;
    restore(&mut model, &updates);
    let packet = |lists| Packet {
        from: [10, 244, 0, 9].into(),
        to: ([10, 96, 0, 1], 80).into(),
        protocol: "tcp",
        is_local: false,
        lists,
    };
    let fates = model.walk("nat", "PREROUTING", &packet(BTreeSet::new()));
    assert_eq!(fates.len(), 3, "{fates:?}");
    for fate in fates {
        let [list] = &fate.remembered[..] else { panic!("one list, not {:?}", fate.remembered) };
        let again = model.walk("nat", "PREROUTING", &packet(BTreeSet::from([list.clone()])));
        assert_eq!(again.len(), 1, "{again:?}");
        assert_eq!(again[0].verdict, fate.verdict, "the endpoint of the first time");
    }
    assert!(model.save().contains("--update --seconds 61 "), "a part of a second is a second");
}

#[test]
fn a_service_without_an_address_leaves_no_trace_in_the_tables() {
    let mut table = ServiceTable::default();
    table.set(name(1, ""), Some(ServicePort { addresses: BTreeSet::new(), ..web(1, endpoints(3)) }));
    assert!(settled(Family::V4, &Model::new(), &table).1.is_empty());
    let _ = (Arc::new(table), NodeAddresses::All);
}
