use orch_core::clock::Timestamp;
use orch_core::object::{Container, EmptyDirVolumeSource, ObjectMeta, PodSpec, Volume};
use orch_core::runtime::{ContainerId, ContainerStats};

use super::*;

const MIB: u64 = 1 << 20;

fn quantity(text: &str) -> Quantity {
    Quantity::parse(text).expect("a quantity")
}

/// A pod with one container, which asks for memory and has a limit of disk where these are given.
fn pod(name: &str, priority: i32, memory: Option<&str>, disk: Option<&str>) -> Pod {
    let mut container = Container { name: "web".to_owned(), ..Container::default() };
    container.resources.requests.extend(memory.map(|text| ("memory".to_owned(), quantity(text))));
    container.resources.limits.extend(disk.map(|text| (DISK.to_owned(), quantity(text))));
    let cache = Volume {
        name: "cache".to_owned(),
        empty_dir: Some(EmptyDirVolumeSource { size_limit: Some(quantity("1Mi")), ..Default::default() }),
        ..Volume::default()
    };
    Pod {
        metadata: ObjectMeta { name: name.to_owned(), namespace: Some("shop".to_owned()), ..ObjectMeta::default() },
        spec: PodSpec {
            containers: vec![container],
            priority: Some(priority),
            volumes: vec![cache],
            ..PodSpec::default()
        },
        ..Pod::default()
    }
}

fn stats(memory: u64, root: u64) -> PodStats {
    let id = ContainerId { pod: "u".parse().expect("a uid"), name: "web".parse().expect("a name"), attempt: 0 };
    let container =
        ContainerStats { working_set_bytes: Some(memory), root_bytes: Some(root), ..ContainerStats::unmeasured(id) };
    PodStats { pod: "u".parse().expect("a uid"), at: Timestamp::UNIX_EPOCH, network: None, containers: vec![container] }
}

/// Who goes when memory is short, of pods that are named in the order in which they must go.
fn order(pods: &[(Pod, u64)]) -> Vec<String> {
    let measured: Vec<(&Pod, PodStats)> = pods.iter().map(|(pod, used)| (pod, stats(*used, 0))).collect();
    let mut uses: Vec<Use<'_>> =
        measured.iter().map(|(pod, stats)| Use { pod, stats: Some(stats), volumes: None }).collect();
    let pressure = Pressure { of: Scarce::Memory, threshold: 100 * MIB, available: 50 * MIB };
    let mut order = Vec::new();
    while let Some((gone, _)) = victim(pressure, &uses) {
        order.push(gone.metadata.name.clone());
        uses.retain(|of| of.pod.metadata.name != gone.metadata.name);
    }
    order
}

#[test]
fn those_beyond_what_they_asked_for_go_first_then_by_priority_then_by_how_much() {
    let pods = [
        (pod("modest", 0, Some("300Mi"), None), 200 * MIB),
        (pod("much", 5, None, None), 300 * MIB),
        (pod("important", 9, Some("10Mi"), None), 500 * MIB),
        (pod("little", 5, None, None), 100 * MIB),
        (pod("least", 0, Some("90Mi"), None), 100 * MIB),
    ];
    assert_eq!(order(&pods), ["least", "much", "little", "important", "modest"]);
}

#[test]
fn what_keeps_the_cluster_alive_never_goes() {
    assert_eq!(order(&[(pod("dns", CRITICAL_PRIORITY, None, None), 500 * MIB)]), Vec::<String>::new());
}

#[test]
fn the_message_is_the_one_that_people_look_for() {
    let (pod, stats) = (pod("a", 0, Some("10Mi"), None), stats(30 * MIB, 0));
    let of = Use { pod: &pod, stats: Some(&stats), volumes: None };
    let pressure = Pressure { of: Scarce::Memory, threshold: 100 * MIB, available: 50 * MIB };
    let (_, message) = victim(pressure, &[of]).expect("somebody goes");
    assert_eq!(
        message,
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. Container web was using \
         30Mi, request is 10Mi, has larger consumption of memory. "
    );
}

#[test]
fn who_uses_more_disk_than_it_may_goes_though_nothing_is_short() {
    let (limited, free) = (pod("a", 0, None, Some("1Mi")), pod("b", 0, None, None));
    let (small, large) = (stats(0, MIB), stats(0, MIB + 1));
    let volumes = |used_bytes| {
        BTreeMap::from([("cache".parse().expect("a name"), VolumeUsage { used_bytes, limit_bytes: Some(MIB) })])
    };
    let (small_volume, large_volume) = (volumes(MIB), volumes(MIB + 1));
    let (no_volume, byte_volume) = (volumes(0), volumes(1));
    let why = |pod, stats, volumes| {
        over_its_limit(&[Use { pod, stats: Some(stats), volumes: Some(volumes) }]).map(|(_, why)| why)
    };
    assert_eq!(why(&free, &large, &small_volume), None);
    assert_eq!(
        why(&free, &small, &large_volume).as_deref(),
        Some("Usage of EmptyDir volume \"cache\" exceeds the limit \"1Mi\". ")
    );
    assert_eq!(
        why(&limited, &large, &no_volume).as_deref(),
        Some("Container web exceeded its local ephemeral storage limit \"1Mi\". ")
    );
    assert_eq!(
        why(&limited, &small, &byte_volume).as_deref(),
        Some("Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ")
    );
}
