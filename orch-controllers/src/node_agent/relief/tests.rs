use std::collections::BTreeMap;

use orch_core::object::{Container, ObjectMeta, PodSpec, Uid};
use orch_core::runtime::{
    ContainerId, ContainerSpec, ContainerState, ContainerStats, ContainerStatus, Image, MachineStats, PodStats,
    SandboxSpec, Supply,
};

use super::super::collection::LastUsed;
use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn config() -> NodeAgentConfig {
    NodeAgentConfig::new("node-1", [10, 0, 0, 1].into())
}

fn pod(name: &str) -> Arc<Pod> {
    let metadata = ObjectMeta {
        name: name.to_owned(),
        namespace: Some("shop".to_owned()),
        uid: Some(Uid::new(name)),
        ..ObjectMeta::default()
    };
    let containers = vec![Container { name: "web".to_owned(), ..Container::default() }];
    Arc::new(Pod { metadata, spec: PodSpec { containers, ..PodSpec::default() }, ..Pod::default() })
}

fn id(pod: &str) -> ContainerId {
    ContainerId { pod: pod.parse().expect("a uid"), name: "web".parse().expect("a name"), attempt: 0 }
}

fn sandbox(pod: &str) -> SandboxStatus {
    let spec = SandboxSpec {
        pod: pod.parse().expect("a uid"),
        namespace: "shop".to_owned(),
        name: pod.to_owned(),
        hostname: pod.to_owned(),
        host_network: false,
        dns: None,
        domain: None,
        host_entries: Vec::new(),
    };
    let state = ContainerState::Running { started_at: at(0) };
    let web = ContainerStatus { id: id(pod), spec: ContainerSpec::default(), state, process: None, image_id: None };
    SandboxStatus { spec, ip: None, ready: true, created_at: at(0), containers: vec![web] }
}

/// A node measured at a time, with so much memory and disk left, of pods that use so much memory each.
fn measured(second: i64, memory_mib: u64, disk: u64, pods: &[(&str, u64)]) -> Measured {
    let supply = |capacity, available| Supply { capacity, available };
    let stats = pods.iter().map(|(name, used)| {
        let web = ContainerStats { working_set_bytes: Some(used << 20), ..ContainerStats::unmeasured(id(name)) };
        let uid: PodUid = name.parse().expect("a uid");
        (uid.clone(), PodStats { pod: uid, at: at(second), network: None, containers: vec![web] })
    });
    let images = vec![Image { id: "sha256:1".to_owned(), names: Vec::new(), size_bytes: 10 }];
    let mut last_used = LastUsed::default();
    last_used.see(&images, &Default::default(), &Default::default(), at(0));
    Measured {
        machine: MachineStats {
            at: at(second),
            cpu_millis: 1_000,
            cpu_used_nanos: 0,
            memory: supply(1 << 30, memory_mib << 20),
            disk: Some(supply(1_000, disk)),
            inodes: None,
            processes: None,
            system: Default::default(),
        },
        before: None,
        stats: stats.collect(),
        volumes: BTreeMap::new(),
        images,
        last_used,
    }
}

#[test]
fn a_node_with_enough_of_everything_does_nothing() {
    let found = relief(&config(), &measured(50, 500, 500, &[("a", 10)]), &[pod("a")], &[sandbox("a")], at(50));
    assert_eq!(found, None);
}

#[test]
fn one_pod_goes_at_a_time_and_the_next_one_only_after_a_new_measurement() {
    let (pods, sandboxes) = ([pod("a"), pod("b")], [sandbox("a"), sandbox("b")]);
    let short = |second| measured(second, 50, 500, &[("a", 10), ("b", 20)]);
    let Some(Relief::Evict(first, why)) = relief(&config(), &short(50), &pods, &sandboxes, at(50)) else {
        panic!("a pod goes")
    };
    assert_eq!(first.metadata.name, "b", "{why}");
    let gone = Pod { status: evicted(&first, &why, &config(), at(51)), ..Pod::clone(&first) };
    assert!(is_evicted(&gone) && !gone.status.is_ready());
    let pods = [Arc::clone(&pods[0]), Arc::new(gone)];
    assert_eq!(relief(&config(), &short(50), &pods, &sandboxes, at(52)), None, "its containers run");
    assert_eq!(relief(&config(), &short(50), &pods, &sandboxes[..1], at(53)), None, "measured before it ended");
    let next = relief(&config(), &short(60), &pods, &sandboxes[..1], at(60));
    assert!(matches!(next, Some(Relief::Evict(pod, _)) if pod.metadata.name == "a"));
}

#[test]
fn images_go_before_pods_where_the_disk_is_short() {
    let (pods, sandboxes) = ([pod("a")], [sandbox("a")]);
    let mut short = measured(50, 500, 50, &[("a", 10)]);
    let images = Some(Relief::RemoveImages(vec!["sha256:1".to_owned()]));
    assert_eq!(relief(&config(), &short, &pods, &sandboxes, at(50)), images);
    short.images.clear();
    assert!(matches!(relief(&config(), &short, &pods, &sandboxes, at(50)), Some(Relief::Evict(..))));
}
