//! What is kept up change by change is what one would work out from scratch.

use std::net::IpAddr;

use orch_core::clock::Timestamp;
use orch_core::kind::AnyObject;
use orch_core::object::{
    Endpoint, EndpointConditions, EndpointPort, EndpointSlice, ObjectMeta, OwnerReference, ServicePort as PortSpec,
    ServiceType, TrafficPolicy,
};
use orch_core::proxy::EndpointState;
use proptest::prelude::*;

use super::*;

/// A service of few names, addresses and ports, so that services get in each other's way.
#[derive(Clone, Debug)]
struct ServiceShape {
    uid: u8,
    age: i64,
    address: Option<u8>,
    port: i32,
    node_port: Option<i32>,
    local: bool,
}

fn service(name: u8, shape: &ServiceShape) -> Service {
    let metadata = ObjectMeta {
        name: format!("s{name}"),
        namespace: Some("shop".to_owned()),
        uid: Some(Uid::new(format!("uid-{}", shape.uid))),
        creation_timestamp: Timestamp::from_second(shape.age).ok().map(Into::into),
        ..ObjectMeta::default()
    };
    let mut service = Service { metadata, ..Service::default() };
    service.spec.cluster_ip = shape.address.map(|address| format!("10.96.0.{address}"));
    service.spec.r#type = shape.node_port.map(|_| ServiceType::NodePort);
    service.spec.internal_traffic_policy = shape.local.then_some(TrafficPolicy::Local);
    service.spec.external_traffic_policy = shape.local.then_some(TrafficPolicy::Local);
    service.spec.ports = vec![PortSpec { port: shape.port, node_port: shape.node_port, ..PortSpec::default() }];
    service
}

fn slice(name: u8, service: u8, owner: Option<u8>, endpoints: &[(u8, u8)]) -> EndpointSlice {
    let owner = owner.map(|uid| OwnerReference {
        uid: Uid::new(format!("uid-{uid}")),
        controller: Some(true),
        ..OwnerReference::default()
    });
    let endpoint = |(number, state): &(u8, u8)| Endpoint {
        addresses: vec![format!("10.244.0.{number}")],
        conditions: EndpointConditions {
            ready: Some(*state == 0),
            serving: Some(*state < 2),
            terminating: Some(*state > 0),
        },
        node_name: Some(format!("node-{}", number % 2)),
        ..Endpoint::default()
    };
    let metadata = ObjectMeta {
        name: format!("slice-{name}"),
        namespace: Some("shop".to_owned()),
        labels: [(EndpointSlice::SERVICE_LABEL.to_owned(), format!("s{service}"))].into(),
        owner_references: owner.into_iter().collect(),
        ..ObjectMeta::default()
    };
    EndpointSlice {
        metadata,
        ports: vec![EndpointPort { port: Some(8080), ..EndpointPort::default() }],
        endpoints: endpoints.iter().map(endpoint).collect(),
        ..EndpointSlice::default()
    }
}

type Objects = BTreeMap<Key, Arc<dyn AnyObject>>;

fn change(objects: &mut Objects, key: Key, object: Option<Arc<dyn AnyObject>>) -> Option<Change> {
    match object {
        Some(object) => {
            let previous = objects.insert(key.clone(), Arc::clone(&object));
            Some(Change::Put { key, object, previous })
        }
        None => objects.remove(&key).map(|previous| Change::Removed { key, previous }),
    }
}

fn key(kind: &str, name: &str) -> Key {
    format!("{kind}/shop/{name}").parse().expect("a key")
}

fn put<T: orch_core::kind::Object>(index: &mut TableIndex, objects: &mut Objects, object: T) {
    let key = object.key().expect("a key");
    index.apply(&change(objects, key, Some(Arc::new(object))).expect("a change"));
}

fn step() -> impl Strategy<Value = (Key, Option<Arc<dyn AnyObject>>)> {
    let shape = (0..2_u8, 0..3_i64, prop::option::of(0..2_u8), 79..82_i32, prop::option::of(79..81_i32), any::<bool>())
        .prop_map(|(uid, age, address, port, node_port, local)| ServiceShape {
            uid,
            age,
            address,
            port: if port == 79 { 0 } else { port },
            node_port,
            local,
        });
    let services = (0..4_u8, prop::option::of(shape)).prop_map(|(name, shape)| {
        let object = shape.map(|shape| Arc::new(service(name, &shape)) as Arc<dyn AnyObject>);
        (key("services", &format!("s{name}")), object)
    });
    let endpoints = prop::collection::vec((0..4_u8, 0..3_u8), 0..4);
    let shape = (0..4_u8, prop::option::of(0..2_u8), endpoints);
    let slices = (0..4_u8, prop::option::of(shape)).prop_map(|(name, shape)| {
        let object = shape
            .map(|(service, owner, endpoints)| Arc::new(slice(name, service, owner, &endpoints)) as Arc<dyn AnyObject>);
        (key("endpointslices.discovery.k8s.io", &format!("slice-{name}")), object)
    });
    prop_oneof![services, slices]
}

proptest! {
    #[test]
    fn the_table_is_the_same_however_the_cluster_came_to_be_as_it_is(steps in prop::collection::vec(step(), 0..30)) {
        let node = Some("node-1".to_owned());
        let (mut objects, mut index) = (Objects::new(), TableIndex::new(node.clone()));
        for (key, object) in steps {
            let Some(change) = change(&mut objects, key, object) else { continue };
            let before = (Arc::clone(index.table()), index.refused().clone(), index.changes());
            index.apply(&change);
            prop_assert!(index.table().validate().is_ok());
            let same = before.0 == *index.table() && before.1 == *index.refused();
            prop_assert!(same || before.2 != index.changes(), "a change that is not told");

            let mut fresh = TableIndex::new(node.clone());
            for (key, object) in objects.iter().rev() {
                fresh.apply(&Change::Put { key: key.clone(), object: Arc::clone(object), previous: None });
            }
            prop_assert_eq!(index.table(), fresh.table());
            prop_assert_eq!(index.refused(), fresh.refused());
        }
    }
}

fn shape(address: u8) -> ServiceShape {
    ServiceShape { uid: 0, age: 0, address: Some(address), port: 80, node_port: None, local: false }
}

fn served(index: &TableIndex, name: u8) -> Option<Vec<(IpAddr, EndpointState)>> {
    let name = ServicePortName { service: key("services", &format!("s{name}")), port: String::new() };
    let port = index.table().get(&name)?;
    Some(port.endpoints.iter().map(|endpoint| (endpoint.address.ip(), endpoint.state)).collect())
}

#[test]
fn the_oldest_service_keeps_its_address_and_the_next_gets_it_when_it_goes() {
    let (mut objects, mut index) = (Objects::new(), TableIndex::new(None));
    put(&mut index, &mut objects, service(1, &ServiceShape { age: 10, uid: 1, ..shape(1) }));
    put(&mut index, &mut objects, service(0, &ServiceShape { age: 20, ..shape(1) }));
    assert!(served(&index, 1).is_some() && served(&index, 0).is_none(), "the younger one does not take it over");
    let reason = index.refused().values().next().expect("a reason");
    assert_eq!(reason, "port 80 of 10.96.0.1 belongs to shop/s1, which is older: choose another one");
    index.apply(&change(&mut objects, key("services", "s1"), None).expect("it was there"));
    assert!(served(&index, 0).is_some() && index.refused().is_empty());
}

#[test]
fn endpoints_are_those_that_take_connections_each_once_and_of_this_service() {
    let (mut objects, mut index) = (Objects::new(), TableIndex::new(None));
    put(&mut index, &mut objects, slice(0, 0, Some(0), &[(1, 0), (2, 1), (3, 2)]));
    put(&mut index, &mut objects, slice(1, 0, None, &[(2, 0)]));
    put(&mut index, &mut objects, slice(2, 0, Some(1), &[(9, 0)]));
    put(&mut index, &mut objects, service(0, &shape(1)));
    let address = |number| IpAddr::from([10, 244, 0, number]);
    let ready = [(address(1), EndpointState::Ready), (address(2), EndpointState::Ready)];
    assert_eq!(served(&index, 0), Some(ready.to_vec()), "slices may come before their service");
    index.apply(&change(&mut objects, key("endpointslices.discovery.k8s.io", "slice-1"), None).expect("it was there"));
    let ending = [(address(1), EndpointState::Ready), (address(2), EndpointState::ServingTerminating)];
    assert_eq!(served(&index, 0), Some(ending.to_vec()));
}

#[test]
fn local_services_lead_to_endpoints_of_the_node_only() {
    let (mut objects, mut index) = (Objects::new(), TableIndex::new(Some("node-1".to_owned())));
    put(&mut index, &mut objects, slice(0, 0, None, &[(1, 0), (2, 0)]));
    put(&mut index, &mut objects, service(0, &ServiceShape { local: true, ..shape(1) }));
    let (_, port) = index.table().iter().next().expect("it is served");
    let usable: Vec<IpAddr> = port.usable().map(|endpoint| endpoint.address.ip()).collect();
    assert_eq!(usable, [IpAddr::from([10, 244, 0, 1])]);
}

#[test]
fn headless_services_and_those_without_an_address_are_not_served() {
    let (mut objects, mut index) = (Objects::new(), TableIndex::new(None));
    let mut headless = service(0, &shape(1));
    headless.spec.cluster_ip = Some("None".to_owned());
    put(&mut index, &mut objects, headless);
    put(&mut index, &mut objects, service(1, &ServiceShape { address: None, ..shape(1) }));
    assert!(index.table().is_empty() && index.refused().is_empty());
}
