//! Tables of services, pods and slices, and what is done about them.

use orch_core::client::Precondition;
use orch_core::kind::AnyObject;
use orch_core::object::{
    AddressType, ConditionStatus, Container, ContainerPort, EndpointConditions, IntOrString, PodCondition, PodIp,
    PodPhase, ServicePort,
};
use orch_core::revision::Revision;

use super::*;

fn metadata(name: &str, labels: &[(&str, &str)]) -> ObjectMeta {
    ObjectMeta {
        name: name.to_owned(),
        namespace: Some("shop".to_owned()),
        uid: Some(Uid::new(format!("uid-of-{name}"))),
        revision: Some(Revision(1)),
        labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        ..ObjectMeta::default()
    }
}

fn service() -> Service {
    let mut service = Service { metadata: metadata("web", &[]), ..Service::default() };
    service.spec.cluster_ip = Some("10.96.0.1".to_owned());
    service.spec.selector.insert("app".to_owned(), "web".to_owned());
    service.spec.ports = vec![ServicePort {
        name: Some("http".to_owned()),
        port: 80,
        target_port: Some(IntOrString::Int(8080)),
        ..ServicePort::default()
    }];
    service
}

fn ready(mut pod: Pod, ready: bool) -> Pod {
    let r#type = PodCondition::READY.to_owned();
    pod.status.conditions =
        vec![PodCondition { r#type, status: ConditionStatus::from(ready), ..PodCondition::default() }];
    pod
}

fn pod(name: &str, ip: &str) -> Pod {
    let mut pod = Pod { metadata: metadata(name, &[("app", "web")]), ..Pod::default() };
    pod.spec.node_name = Some("node-1".to_owned());
    pod.status.phase = Some(PodPhase::Running);
    pod.status.pod_ip = Some(ip.to_owned());
    ready(pod, true)
}

fn pods(names: &[&str]) -> Vec<Arc<Pod>> {
    names
        .iter()
        .map(|name| Arc::new(pod(name, &format!("10.244.0.{}", name.trim_matches(char::is_alphabetic)))))
        .collect()
}

fn deleting<T: AnyObject + Clone>(mut object: T) -> T {
    object.metadata_mut().deletion_timestamp = Some(orch_core::clock::Timestamp::UNIX_EPOCH.into());
    object
}

fn plan_of(service: &Service, pods: &[Arc<Pod>], slices: &[Arc<EndpointSlice>], max_endpoints: usize) -> Vec<Action> {
    plan(service, pods, slices, max_endpoints).expect("a plan").actions
}

/// What is done, in words: the pods in each slice that is written.
fn words(actions: &[Action], slices: &[Arc<EndpointSlice>]) -> Vec<String> {
    let number = |name: &str| slices.iter().position(|slice| slice.metadata.name == name);
    let content = |object: &Arc<dyn AnyObject>| {
        let slice = object.downcast_ref::<EndpointSlice>().expect("a slice");
        let names = slice.endpoints.iter().filter_map(|endpoint| endpoint.target_ref.as_ref()?.name.clone());
        names.collect::<Vec<_>>().join(" ")
    };
    let word = |action: &Action| match action {
        Action::Create(object) => format!("create: {}", content(object)),
        Action::Update { object, on } => {
            assert_eq!(on.uid, Precondition::of(&**object).expect("stored").uid);
            format!("update {}: {}", number(&object.metadata().name).expect("one of them"), content(object))
        }
        Action::Delete { object, .. } => format!("delete {}", number(&object.metadata().name).expect("one of them")),
        other => format!("{other:?}"),
    };
    actions.iter().map(word).collect()
}

/// The slices as they are after the actions.
fn performed(actions: &[Action], slices: &[Arc<EndpointSlice>]) -> Vec<Arc<EndpointSlice>> {
    let mut after: BTreeMap<String, Arc<EndpointSlice>> =
        slices.iter().map(|slice| (slice.metadata.name.clone(), Arc::clone(slice))).collect();
    for action in actions {
        match action {
            Action::Create(object) | Action::Update { object, .. } => {
                let mut slice = object.downcast_ref::<EndpointSlice>().expect("a slice").clone();
                let name = slice.metadata.name.clone();
                slice.metadata.uid = Some(Uid::new(format!("uid-of-{name}")));
                slice.metadata.revision = Some(Revision(1));
                if matches!(action, Action::Create(_)) {
                    assert!(!after.contains_key(&name), "{name} exists already");
                }
                after.insert(name, Arc::new(slice));
            }
            Action::Delete { object, .. } => drop(after.remove(&object.metadata().name)),
            other => panic!("{other:?}"),
        }
    }
    after.into_values().collect()
}

fn settled(service: &Service, pods: &[Arc<Pod>], slices: &[Arc<EndpointSlice>], max: usize) -> Vec<Arc<EndpointSlice>> {
    let after = performed(&plan_of(service, pods, slices, max), slices);
    assert_eq!(words(&plan_of(service, pods, &after, max), &after), Vec::<String>::new(), "the plan is idempotent");
    after
}

#[test]
fn a_new_slice_is_owned_labelled_and_named_after_its_service() {
    let slices = settled(&service(), &pods(&["p1"]), &[], 100);
    let [slice] = &slices[..] else { panic!("one slice: {slices:?}") };
    assert!(slice.metadata.name.starts_with("web-"));
    assert!(slice.metadata.is_controlled_by(&Uid::new("uid-of-web")));
    assert_eq!(slice.metadata.labels[EndpointSlice::SERVICE_LABEL], "web");
    assert_eq!(slice.metadata.labels[EndpointSlice::MANAGED_BY_LABEL], MANAGER);
    assert_eq!(slice.address_type, AddressType::Ipv4);
    assert_eq!((slice.ports[0].name.as_deref(), slice.ports[0].port), (Some("http"), Some(8080)));
    let [endpoint] = &slice.endpoints[..] else { panic!("one endpoint: {slice:?}") };
    assert_eq!(
        (&endpoint.addresses[..], endpoint.node_name.as_deref()),
        (&["10.244.0.1".to_owned()][..], Some("node-1"))
    );
    let target = endpoint.target_ref.as_ref().expect("the pod");
    assert_eq!((target.name.as_deref(), &target.revision), (Some("p1"), &None));
}

#[test]
fn conditions_follow_from_readiness_deletion_and_what_the_service_publishes() {
    let publishing = {
        let mut service = service();
        service.spec.publish_not_ready_addresses = true;
        service
    };
    let running = pod("p1", "10.244.0.1");
    for (service, pod, (is_ready, serving, terminating)) in [
        (service(), running.clone(), (true, true, false)),
        (service(), ready(running.clone(), false), (false, false, false)),
        (service(), deleting(running.clone()), (false, true, true)),
        (service(), deleting(ready(running.clone(), false)), (false, false, true)),
        (publishing.clone(), ready(running.clone(), false), (true, false, false)),
        (publishing, deleting(running), (true, true, true)),
    ] {
        let slices = settled(&service, &[Arc::new(pod)], &[], 100);
        let wanted =
            EndpointConditions { ready: Some(is_ready), serving: Some(serving), terminating: Some(terminating) };
        assert_eq!(slices[0].endpoints[0].conditions, wanted);
    }
}

#[test]
fn pods_that_cannot_be_reached_are_no_endpoints() {
    let change = |change: fn(&mut Pod)| {
        let mut pod = pod("p1", "10.244.0.1");
        change(&mut pod);
        Arc::new(pod)
    };
    for (why, pod) in [
        ("no address", change(|pod| pod.status.pod_ip = None)),
        ("no address but text", change(|pod| pod.status.pod_ip = Some("soon".to_owned()))),
        ("another family than the service", change(|pod| pod.status.pod_ip = Some("fd00::1".to_owned()))),
        ("succeeded", change(|pod| pod.status.phase = Some(PodPhase::Succeeded))),
        ("failed", change(|pod| pod.status.phase = Some(PodPhase::Failed))),
        ("other labels", change(|pod| pod.metadata.labels.clear())),
    ] {
        assert!(plan_of(&service(), &[pod], &[], 100).is_empty(), "{why}");
    }
}

#[test]
fn a_named_target_port_is_looked_up_in_each_pod() {
    let with_port = |name: &str, number: i32| {
        let mut pod = pod(name, "10.244.0.1");
        let port = ContainerPort { name: Some("web".to_owned()), container_port: number, ..ContainerPort::default() };
        pod.spec.containers = vec![Container { ports: vec![port], ..Container::default() }];
        Arc::new(pod)
    };
    let mut service = service();
    service.spec.ports[0].target_port = Some(IntOrString::from("web"));
    let pods = [with_port("p1", 8080), with_port("p2", 9090), with_port("p3", 8080), Arc::new(pod("p4", "10.244.0.4"))];
    let slices = settled(&service, &pods, &[], 100);
    let mut found: Vec<_> = slices.iter().map(|slice| (slice.ports[0].port, slice.endpoints.len())).collect();
    found.sort_unstable();
    assert_eq!(found, [(Some(8080), 2), (Some(9090), 1)], "the pod without such a port is no endpoint");
}

#[test]
fn a_headless_service_has_slices_for_every_family_and_needs_no_ports() {
    let mut service = service();
    service.spec.cluster_ip = Some("None".to_owned());
    service.spec.ports.clear();
    let mut pod = pod("p1", "10.244.0.1");
    pod.status.pod_ips = vec![PodIp { ip: "10.244.0.1".to_owned() }, PodIp { ip: "fd00::1".to_owned() }];
    let slices = settled(&service, &[Arc::new(pod)], &[], 100);
    let mut found: Vec<_> =
        slices.iter().map(|slice| (slice.address_type, slice.endpoints[0].addresses[0].clone())).collect();
    found.sort();
    assert_eq!(found, [(AddressType::Ipv4, "10.244.0.1".to_owned()), (AddressType::Ipv6, "fd00::1".to_owned())]);
}

#[test]
fn only_slices_that_change_are_written() {
    let service = service();
    let slices = settled(&service, &pods(&["p1", "p2", "p3", "p4", "p5"]), &[], 2);
    let index = |name: &str| {
        let holds = |slice: &&Arc<EndpointSlice>| {
            slice
                .endpoints
                .iter()
                .any(|endpoint| endpoint.target_ref.as_ref().and_then(|t| t.name.as_deref()) == Some(name))
        };
        slices.iter().position(|slice| holds(&slice)).expect("it is in a slice")
    };
    let plan = |names: &[&str]| words(&plan_of(&service, &pods(names), &slices, 2), &slices);
    assert_eq!(plan(&["p1", "p2", "p3", "p4", "p5"]), Vec::<String>::new());
    assert_eq!(plan(&["p5", "p4", "p3", "p2", "p1"]), Vec::<String>::new(), "the order of pods does not matter");
    assert_eq!(
        plan(&["p1", "p2", "p3", "p4", "p5", "p6"]),
        [format!("update {}: p5 p6", index("p5"))],
        "there is room"
    );
    assert_eq!(
        plan(&["p1", "p2", "p4", "p5", "p6"]),
        [format!("update {}: p4 p6", index("p4"))],
        "the slice that changes anyway takes the new endpoint"
    );
    assert_eq!(plan(&["p1", "p2", "p3", "p4"]), [format!("delete {}", index("p5"))], "an empty slice goes");
    assert_eq!(
        plan(&["p1", "p2", "p3", "p4", "p5", "p6", "p7"]),
        ["create: p7".to_owned(), format!("update {}: p5 p6", index("p5"))],
        "what does not fit gets a new slice"
    );
}

#[test]
fn a_change_of_ports_changes_slices_in_place() {
    let mut service = service();
    let all = pods(&["p1", "p2", "p3"]);
    let slices = settled(&service, &all, &[], 100);
    service.spec.ports[0].target_port = Some(IntOrString::Int(9090));
    assert_eq!(words(&plan_of(&service, &all, &slices, 100), &slices), ["update 0: p1 p2 p3"]);
}

#[test]
fn a_slice_with_too_many_endpoints_is_split_and_none_is_lost() {
    let all = pods(&["p1", "p2", "p3"]);
    let slices = settled(&service(), &all, &[], 3);
    let split = settled(&service(), &all, &slices, 2);
    let mut sizes: Vec<_> = split.iter().map(|slice| slice.endpoints.len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 2]);
}

#[test]
fn slices_of_others_are_left_alone_and_names_that_are_taken_are_not_used_again() {
    let slices = settled(&service(), &pods(&["p1"]), &[], 100);
    let mut others = (*slices[0]).clone();
    others.metadata.labels.insert(EndpointSlice::MANAGED_BY_LABEL.to_owned(), "somebody-else".to_owned());
    let going = deleting((*slices[0]).clone());
    for old in [others, going] {
        let old = [Arc::new(old)];
        let actions = plan_of(&service(), &pods(&["p1"]), &old, 100);
        assert_eq!(words(&actions, &old), ["create: p1"]);
        performed(&actions, &old);
    }
}

#[test]
fn a_service_that_is_being_deleted_gets_no_new_slices() {
    let service = deleting(service());
    assert!(plan_of(&service, &pods(&["p1"]), &[], 100).is_empty());
}
