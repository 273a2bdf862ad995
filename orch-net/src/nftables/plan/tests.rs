use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use orch_core::object::{Protocol, TrafficPolicy};
use orch_core::proxy::{Endpoint, EndpointState, ServiceTable};
use proptest::prelude::*;

use super::*;
use crate::served::Served;

fn address(family: Family, network: u16, number: u16) -> IpAddr {
    match family {
        Family::V4 => {
            let ([_, network], [high, low]) = (network.to_be_bytes(), number.to_be_bytes());
            [10, network, high, low].into()
        }
        Family::V6 => [0xFD00, network, 0, 0, 0, 0, 0, number].into(),
    }
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    let state =
        prop_oneof![Just(EndpointState::Ready), Just(EndpointState::ServingTerminating), Just(EndpointState::NotReady)];
    let family = prop_oneof![Just(Family::V4), Just(Family::V6)];
    (family, 0..5_u16, any::<bool>(), state).prop_map(|(family, number, is_local, state)| Endpoint {
        address: (address(family, 244, number), 8080).into(),
        is_local,
        state,
    })
}

/// Port number and address of their own for each, since a table has a place once.
fn service_port(number: u16) -> impl Strategy<Value = ServicePort> {
    let policy = || prop_oneof![Just(TrafficPolicy::Cluster), Just(TrafficPolicy::Local)];
    let affinity = prop_oneof![Just(Affinity::None), Just(Affinity::ClientIp(Duration::from_secs(60)))];
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)];
    let families = prop::collection::btree_set(prop_oneof![Just(Family::V4), Just(Family::V6)], 0..3);
    let endpoints = prop::collection::vec(endpoint(), 0..6);
    (protocol, families, any::<bool>(), affinity, policy(), policy(), endpoints).prop_map(
        move |(protocol, families, with_node_port, affinity, internal, external, mut endpoints)| {
            endpoints.sort_by_key(|endpoint| endpoint.address);
            endpoints.dedup_by_key(|endpoint| endpoint.address);
            let addresses = families.into_iter().map(|family| address(family, 96, number)).collect();
            let node_port = with_node_port.then_some(30_000 + number);
            ServicePort { protocol, addresses, port: 80, node_port, affinity, internal, external, endpoints }
        },
    )
}

fn name(number: u16, port: &str) -> ServicePortName {
    ServicePortName { service: format!("services/shop/s{number}").parse().expect("a key"), port: port.to_owned() }
}

/// The kernel, as far as elements and chains go: it refuses to delete what is not there or in use, and to add what is.
#[derive(Debug, Default)]
struct FakeKernel([(Elements, Chains); 2]);

type Chains = BTreeMap<Chain, Vec<Vec<Expression>>>;

impl FakeKernel {
    fn obey(&mut self, plan: &Plan) {
        for ((held, chains), part) in self.0.iter_mut().zip(&plan.families) {
            for key in &part.delete {
                assert!(held.remove(key).is_some(), "what is deleted is there");
            }
            for chain in &part.empty {
                chains.get_mut(chain).expect("what is emptied is there").clear();
            }
            for (chain, rules) in &part.fill {
                let filled = chains.entry(*chain).or_default();
                assert!(filled.is_empty(), "what is filled is empty");
                filled.clone_from(rules);
            }
            for (side, endpoints) in &part.sizes {
                let made = chains.insert(Chain::Way(*side, *endpoints), Vec::new());
                assert!(made.is_none(), "what is made for a size is made once");
            }
            for (key, value) in &part.add {
                assert!(held.insert(key.clone(), value.clone()).is_none(), "what is added is not there");
            }
            for chain in super::chains(held) {
                assert!(chains.contains_key(&chain), "where an element leads there is a chain");
            }
            for chain in &part.gone {
                assert!(chains.remove(chain).is_some(), "a chain that is removed is there");
                assert!(!held.values().any(|value| *value == Value::Chain(*chain)), "nothing leads to it");
            }
        }
    }
}

/// Where connections to each place may go, in the words of the table: protocol, address or none, port.
type Leads = BTreeMap<(Family, Vec<u8>), BTreeSet<Vec<u8>>>;

fn bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// A scan of the table.
fn expected(table: &ServiceTable) -> Leads {
    let mut leads = Leads::new();
    for (_, port) in table.iter() {
        let protocol = if port.protocol == Protocol::Tcp { 6 } else { 17 };
        for place in port.places() {
            for family in Family::ALL.into_iter().filter(|family| place.address.is_none_or(|at| family.has(at))) {
                let mine = |address: IpAddr| family.has(address);
                let has_address = port.addresses.iter().any(|address| mine(*address));
                let has_endpoint = port.endpoints.iter().any(|endpoint| mine(endpoint.address.ip()));
                let is_served = has_address || port.addresses.is_empty() && has_endpoint;
                if !is_served {
                    continue;
                }
                let policy = if place.address.is_some() { port.internal } else { port.external };
                let usable = port.usable_by(policy).map(|endpoint| endpoint.address).filter(|at| mine(at.ip()));
                let encode = |at: SocketAddr| {
                    let [high, low] = at.port().to_be_bytes();
                    [bytes(at.ip()), vec![high, low, 0, 0]].concat()
                };
                let [high, low] = place.port.to_be_bytes();
                let key = [place.address.map(bytes).unwrap_or_default(), vec![protocol, 0, 0, 0, high, low, 0, 0]];
                leads.insert((family, key.concat()), usable.map(encode).collect());
            }
        }
    }
    leads
}

/// The endpoints that rules lead to: those that are loaded before they are translated to.
fn of_rules(rules: &[Vec<Expression>]) -> BTreeSet<Vec<u8>> {
    let loaded = |rule: &Vec<Expression>| {
        let sets =
            rule.iter().filter_map(|step| if let Expression::Set { value, .. } = step { Some(value) } else { None });
        // After the number of the service port: address and port, which fills a register.
        let mut endpoint = sets.skip(1).flatten().copied().collect::<Vec<u8>>();
        endpoint.extend([0; 2]);
        endpoint
    };
    rules.iter().map(loaded).collect()
}

/// The same in the words of the kernel.
fn held(kernel: &FakeKernel) -> Leads {
    let mut leads = Leads::new();
    for (family, (elements, chains)) in Family::ALL.into_iter().zip(&kernel.0) {
        let mut numbers = 0;
        for (set, place) in elements.keys() {
            let Set::Place(side) = *set else { continue };
            let sizes: Vec<u32> =
                (0..10).filter(|size| elements.contains_key(&(Set::Size(side, *size), place.clone()))).collect();
            let keeper = elements.get(&(Set::Keeper(side), place.clone()));
            let endpoints = match (&sizes[..], keeper) {
                ([], None) => BTreeSet::new(),
                ([], Some(Value::Chain(chain))) => of_rules(&chains[chain]),
                ([size], None) => {
                    numbers += size;
                    let endpoint = |number: u32| {
                        let key = [place.clone(), number.to_ne_bytes().to_vec()].concat();
                        match &elements[&(Set::Endpoint(side), key)] {
                            Value::Data(data) => data.clone(),
                            other => panic!("{other:?} is no endpoint"),
                        }
                    };
                    (0..*size).map(endpoint).collect()
                }
                other => panic!("a place is led in one way, not {other:?}"),
            };
            leads.insert((family, place.clone()), endpoints);
        }
        let count = elements.keys().filter(|(set, _)| matches!(set, Set::Endpoint(_))).count();
        assert_eq!(count, usize::try_from(numbers).expect("a small number"), "no endpoint is left over");
        let kept = chains.keys().filter(|chain| matches!(chain, Chain::Kept(..)));
        let in_use = |chain: &Chain| elements.values().any(|value| *value == Value::Chain(*chain));
        assert!(kept.clone().all(in_use), "no chain of a service port is left over");
    }
    leads
}

fn sync(model: &mut Model, served: &mut Served, kernel: &mut FakeKernel, table: &ServiceTable) {
    let changes = served.changes(table);
    let plan = model.plan(&changes, false);
    kernel.obey(&plan);
    model.accept(plan);
    served.accept(table, changes);
}

proptest! {
    #[test]
    fn the_kernel_leads_where_a_scan_of_the_last_table_says(
        steps in prop::collection::vec((0..4_u16).prop_flat_map(|n| (Just(n), prop::option::of(service_port(n)))), 1..20)
    ) {
        let (mut model, mut served, mut kernel) = (Model::default(), Served::default(), FakeKernel::default());
        let mut table = ServiceTable::default();
        for (number, port) in steps {
            table.set(name(number, ""), port);
            prop_assert!(table.validate().is_ok());
            sync(&mut model, &mut served, &mut kernel, &table);
            prop_assert_eq!(held(&kernel), expected(&table));
            for family in Family::ALL {
                let ports = table.iter().map(|(name, port)| (name, &**port));
                prop_assert_eq!(&model.elements(family, ports), &kernel.0[index(family)].0);
            }
        }
        sync(&mut model, &mut served, &mut kernel, &ServiceTable::default());
        prop_assert!(kernel.0.iter().all(|(elements, _)| elements.is_empty()), "an empty table leaves nothing");
    }

    #[test]
    fn names_make_no_difference(
        ports in prop::collection::vec(service_port(0), 1..2), hostile in "\\PC{0,40}", other in "[\\x00-\\x7F]{0,40}"
    ) {
        let render = |port_name: &str| {
            let changes: Vec<_> = ports.iter().map(|port| PortChange {
                name: name(0, port_name), old: None, new: Some(Arc::new(port.clone()))
            }).collect();
            let mut model = Model::default();
            let plan = model.plan(&changes, true);
            model.render(&plan, &NftablesConfig::default(), Some(7))
        };
        prop_assert_eq!(render(&hostile), render(&other));
    }
}

#[test]
fn one_endpoint_that_is_replaced_or_gone_costs_the_same_however_many_services_there_are() {
    let port = |number: u16, last: u16| {
        let of = |number| Endpoint {
            address: (address(Family::V4, 244, number), 8080).into(),
            is_local: false,
            state: EndpointState::Ready,
        };
        ServicePort {
            protocol: Protocol::Tcp,
            addresses: [address(Family::V4, 96, number)].into(),
            port: 80,
            node_port: None,
            affinity: Affinity::None,
            internal: TrafficPolicy::Cluster,
            external: TrafficPolicy::Cluster,
            endpoints: (0..9).chain([last]).map(of).collect(),
        }
    };
    let sizes = [10, 1_000].map(|count| {
        let (mut model, mut served, mut kernel) = (Model::default(), Served::default(), FakeKernel::default());
        let mut table = ServiceTable::default();
        for number in 0..count {
            table.set(name(number, ""), Some(port(number, 20)));
        }
        sync(&mut model, &mut served, &mut kernel, &table);
        table.set(name(7, ""), Some(port(7, 21)));
        let plan = model.plan(&served.changes(&table), false);
        assert!(!plan.concerns_chains());
        let replaced = model.render(&plan, &NftablesConfig::default(), Some(1)).bytes.len();
        let mut fewer = port(7, 20);
        fewer.endpoints.pop();
        table.set(name(7, ""), Some(fewer.clone()));
        sync(&mut model, &mut served, &mut kernel, &table);
        table.set(name(8, ""), Some(ServicePort { addresses: port(8, 20).addresses, ..fewer }));
        let plan = model.plan(&served.changes(&table), false);
        assert!(!plan.concerns_chains(), "there is a chain for nine already");
        [replaced, model.render(&plan, &NftablesConfig::default(), Some(1)).bytes.len()]
    });
    assert_eq!(sizes[0], sizes[1]);
    assert!(sizes[0][0] < 300 && sizes[0][1] < 500, "{:?} bytes", sizes[0]);
}
