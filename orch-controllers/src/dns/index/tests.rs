//! What is kept up change by change is what one would work out from scratch.

use std::collections::BTreeMap;

use orch_core::dns::Found;
use orch_core::object::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice, ObjectMeta, PodPhase, ServicePort};
use proptest::prelude::*;

use super::*;

fn metadata(name: String) -> ObjectMeta {
    ObjectMeta { name, namespace: Some("shop".to_owned()), ..ObjectMeta::default() }
}

/// A service at an address, headless without one.
fn service(name: u8, address: Option<u8>, all: bool) -> Service {
    let mut service = Service { metadata: metadata(format!("s{name}")), ..Service::default() };
    service.spec.cluster_ip = Some(address.map_or("None".to_owned(), |last| format!("10.96.0.{last}")));
    service.spec.publish_not_ready_addresses = all;
    service.spec.ports = vec![ServicePort { name: Some("http".to_owned()), port: 80, ..ServicePort::default() }];
    service
}

/// Endpoints by the last number of their addresses, whether they are ready, and whether they have a host name.
fn slice(name: u8, service: u8, endpoints: &[(u8, bool, bool)]) -> EndpointSlice {
    let endpoint = |(last, ready, named): &(u8, bool, bool)| Endpoint {
        addresses: vec![format!("10.244.0.{last}")],
        conditions: EndpointConditions { ready: Some(*ready), ..EndpointConditions::default() },
        hostname: named.then(|| format!("Host-{last}")),
        ..Endpoint::default()
    };
    let mut metadata = metadata(format!("slice-{name}"));
    metadata.labels.insert(EndpointSlice::SERVICE_LABEL.to_owned(), format!("s{service}"));
    let ports = vec![EndpointPort { name: Some("http".to_owned()), port: Some(8080), ..EndpointPort::default() }];
    EndpointSlice { metadata, ports, endpoints: endpoints.iter().map(endpoint).collect(), ..EndpointSlice::default() }
}

fn pod(name: u8, last: u8, phase: PodPhase) -> Pod {
    let mut pod = Pod { metadata: metadata(format!("p{name}")), ..Pod::default() };
    pod.status.pod_ip = Some(format!("10.244.0.{last}"));
    pod.status.phase = Some(phase);
    pod
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

fn put<T: orch_core::kind::Object>(index: &mut NameIndex, object: T) {
    let key = object.key().expect("a key");
    index.apply(&Change::Put { key, object: Arc::new(object), previous: None });
}

fn step() -> impl Strategy<Value = (Key, Option<Arc<dyn AnyObject>>)> {
    let services =
        (0..3_u8, prop::option::of((prop::option::of(0..3_u8), any::<bool>()))).prop_map(move |(name, is)| {
            let service = is.map(|(address, all)| Arc::new(service(name, address, all)) as Arc<dyn AnyObject>);
            (key("services", &format!("s{name}")), service)
        });
    let endpoints = prop::collection::vec((0..4_u8, any::<bool>(), any::<bool>()), 0..4);
    let slices = (0..3_u8, prop::option::of((0..3_u8, endpoints))).prop_map(move |(name, is)| {
        let slice = is.map(|(service, endpoints)| Arc::new(slice(name, service, &endpoints)) as Arc<dyn AnyObject>);
        (key("endpointslices.discovery.k8s.io", &format!("slice-{name}")), slice)
    });
    let phase = prop_oneof![3 => Just(PodPhase::Running), 1 => Just(PodPhase::Failed)];
    let pods = (0..4_u8, prop::option::of((0..3_u8, phase))).prop_map(move |(name, is)| {
        let pod = is.map(|(last, phase)| Arc::new(pod(name, last, phase)) as Arc<dyn AnyObject>);
        (key("pods", &format!("p{name}")), pod)
    });
    prop_oneof![services, slices, pods]
}

proptest! {
    #[test]
    fn the_table_is_the_same_however_the_cluster_came_to_be_as_it_is(steps in prop::collection::vec(step(), 0..30)) {
        let (mut objects, mut index) = (Objects::new(), NameIndex::default());
        for (key, object) in steps {
            let Some(change) = change(&mut objects, key, object) else { continue };
            let before = index.table().clone();
            index.apply(&change);
            let changed = before.changes() != index.table().changes();
            prop_assert_eq!(changed, before != *index.table(), "what is not told, or told for nothing");

            let mut fresh = NameIndex::default();
            for (key, object) in objects.iter().rev() {
                fresh.apply(&Change::Put { key: key.clone(), object: Arc::clone(object), previous: None });
            }
            prop_assert_eq!(index.table(), fresh.table());
        }
    }
}

fn addresses(index: &NameIndex, name: &str) -> Vec<String> {
    match index.table().find(name) {
        Found::Service { names, .. } => names.addresses.iter().map(ToString::to_string).collect(),
        Found::Host(addresses) => addresses.iter().map(ToString::to_string).collect(),
        Found::Pod(address) => vec![address.to_string()],
        _ => Vec::new(),
    }
}

fn targets(index: &NameIndex, name: &str) -> Vec<(Option<String>, u16)> {
    let Found::Port { port, .. } = index.table().find(name) else { return Vec::new() };
    port.targets.iter().map(|target| (target.host.clone(), target.port)).collect()
}

#[test]
fn a_service_with_an_address_has_that_one_whatever_its_endpoints() {
    let mut index = NameIndex::default();
    put(&mut index, slice(0, 0, &[(1, true, true)]));
    put(&mut index, service(0, Some(7), false));
    assert_eq!(addresses(&index, "s0.shop.svc"), ["10.96.0.7"]);
    assert_eq!(targets(&index, "_http._tcp.s0.shop.svc"), [(None, 80)]);
    assert_eq!(index.table().find("host-1.s0.shop.svc"), Found::Nothing);
    let named = index.table().names_of([10, 96, 0, 7].into()).map(|names| names.collect::<Vec<_>>());
    assert_eq!(named, Some(vec!["s0.shop"]));
}

#[test]
fn a_headless_service_has_the_addresses_of_its_ready_endpoints_each_with_a_name() {
    let mut index = NameIndex::default();
    put(&mut index, service(0, None, false));
    assert_eq!(index.table().find("s0.shop.svc"), Found::Nothing, "no endpoint is ready");
    put(&mut index, slice(0, 0, &[(1, true, true), (2, false, true), (3, true, false)]));
    assert_eq!(addresses(&index, "s0.shop.svc"), ["10.244.0.1", "10.244.0.3"]);
    assert_eq!(addresses(&index, "host-1.s0.shop.svc"), ["10.244.0.1"]);
    assert_eq!(addresses(&index, "10-244-0-3.s0.shop.svc"), ["10.244.0.3"]);
    let expected = [(Some("10-244-0-3".to_owned()), 8080), (Some("host-1".to_owned()), 8080)];
    assert_eq!(targets(&index, "_http._tcp.s0.shop.svc"), expected);
    let named = index.table().names_of([10, 244, 0, 1].into()).map(|names| names.collect::<Vec<_>>());
    assert_eq!(named, Some(vec!["host-1.s0.shop"]));
    put(&mut index, service(0, None, true));
    assert_eq!(addresses(&index, "host-2.s0.shop.svc"), ["10.244.0.2"], "it publishes those that are not ready");
}

#[test]
fn an_address_of_pods_is_a_name_until_the_last_pod_that_has_it_ended() {
    let (mut objects, mut index) = (Objects::new(), NameIndex::default());
    let mut show = |index: &mut NameIndex, name: u8, pod: Option<Pod>| {
        let pod = pod.map(|pod| Arc::new(pod) as Arc<dyn AnyObject>);
        index.apply(&change(&mut objects, key("pods", &format!("p{name}")), pod).expect("a change"));
    };
    show(&mut index, 0, Some(pod(0, 1, PodPhase::Running)));
    show(&mut index, 1, Some(pod(1, 1, PodPhase::Running)));
    show(&mut index, 0, None);
    assert_eq!(addresses(&index, "10-244-0-1.shop.pod"), ["10.244.0.1"]);
    show(&mut index, 1, Some(pod(1, 1, PodPhase::Succeeded)));
    assert_eq!(index.table().find("10-244-0-1.shop.pod"), Found::Nothing);
    assert_eq!(index.table().find("shop.pod"), Found::Nothing);
}
