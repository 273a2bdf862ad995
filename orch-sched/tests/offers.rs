//! Several frameworks behind one scheduler.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::allocator::{Quantities, Quota, Role, Scalar};
use orch_core::object::{Node, Pod};
use orch_core::scheduler::{Decision, Outcome, Scheduler, SupplyChange};
use orch_sched::OfferScheduler;
use orch_sched::offer::{AllocatorOptions, OptimisticAllocator};
use orch_testkit::strategy::cluster::{Cluster, cluster};
use proptest::prelude::*;
use serde_json::json;

fn node(name: &str, cpu: &str, memory: &str) -> SupplyChange {
    let allocatable = json!({"cpu": cpu, "memory": memory, "pods": "100"});
    let node = json!({"metadata": {"name": name}, "status": {"allocatable": allocatable}});
    SupplyChange::NodePut(Arc::new(serde_json::from_value::<Node>(node).expect("a node")))
}

fn pod(namespace: &str, number: u32, cpu: &str, memory: &str) -> Arc<Pod> {
    let pod = json!({
        "metadata": {"name": format!("{namespace}-{number}"), "namespace": namespace},
        "spec": {"containers": [{"name": "main", "resources": {"requests": {"cpu": cpu, "memory": memory}}}]},
    });
    Arc::new(serde_json::from_value(pod).expect("a pod"))
}

/// How many pods of each namespace are placed.
fn placed(pods: &[Arc<Pod>], decisions: &[Decision]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (pod, decision) in pods.iter().zip(decisions) {
        if let Outcome::Place { .. } = decision.outcome {
            *counts.entry(pod.metadata.namespace.clone().expect("one each")).or_default() += 1;
        }
    }
    counts
}

fn counts<const N: usize>(counts: [(&str, usize); N]) -> BTreeMap<String, usize> {
    counts.map(|(namespace, count)| (namespace.to_owned(), count)).into()
}

#[test]
fn the_example_of_the_drf_paper_gives_three_pods_and_two() {
    let mut scheduler = OfferScheduler::default();
    scheduler.observe(node("n1", "9", "18Gi"));
    let a = (0..9).map(|number| pod("a", number, "1", "4Gi"));
    let pods: Vec<_> = a.chain((0..9).map(|number| pod("b", number, "3", "1Gi"))).collect();
    let decisions = scheduler.schedule(&pods);
    assert_eq!(placed(&pods, &decisions), counts([("a", 3), ("b", 2)]));
}

#[test]
fn what_is_used_already_counts_for_the_share() {
    let mut scheduler = OfferScheduler::default();
    for name in ["n1", "n2"] {
        scheduler.observe(node(name, "4", "8Gi"));
    }
    for number in 0..3 {
        let mut old = Pod::clone(&pod("a", 100 + number, "1", "1Gi"));
        old.spec.node_name = Some("n1".to_owned());
        scheduler.observe(SupplyChange::PodPut(Arc::new(old)));
    }
    let a = (0..5).map(|number| pod("a", number, "1", "1Gi"));
    let pods: Vec<_> = a.chain((0..5).map(|number| pod("b", number, "1", "1Gi"))).collect();
    let decisions = scheduler.schedule(&pods);
    assert_eq!(placed(&pods, &decisions), counts([("a", 1), ("b", 4)]));
}

#[test]
fn a_quota_limits_a_namespace_and_the_refusal_says_so() {
    let limits = Quantities::from([("cpu".into(), Scalar::from_units(2))]);
    let role: Role = "a".parse().expect("a role");
    let quota = Quota { guarantees: Quantities::new(), limits };
    let mut scheduler = OfferScheduler::builder().quota(role, quota).build();
    for name in ["n1", "n2", "n3"] {
        scheduler.observe(node(name, "1", "8Gi"));
    }
    let pods: Vec<_> = (0..4).map(|number| pod("a", number, "1", "1Gi")).collect();
    let decisions = scheduler.schedule(&pods);
    assert_eq!(placed(&pods, &decisions), counts([("a", 2)]));
    let Outcome::Refuse(refusal) = &decisions[3].outcome else { panic!("{decisions:?}") };
    assert!(refusal.to_string().starts_with("0/3 nodes are available: 3 not offered to its framework; "), "{refusal}");
}

#[test]
fn an_optimistic_allocator_serves_as_well() {
    let options = || AllocatorOptions { min_allocatable: Vec::new(), ..AllocatorOptions::default() };
    let mut scheduler = OfferScheduler::builder().allocator(move || OptimisticAllocator::new(options())).build();
    for name in ["n1", "n2"] {
        scheduler.observe(node(name, "2", "8Gi"));
    }
    let a = (0..3).map(|number| pod("a", number, "1", "1Gi"));
    let pods: Vec<_> = a.chain((0..3).map(|number| pod("b", number, "1", "1Gi"))).collect();
    let decisions = scheduler.schedule(&pods);
    assert_eq!(placed(&pods, &decisions), counts([("a", 2), ("b", 2)]));
}

/// Each pod in a namespace of its number.
fn divided(cluster: &Cluster) -> Vec<Arc<Pod>> {
    let divided = |(number, pod): (usize, &Pod)| {
        let mut pod = pod.clone();
        pod.metadata.namespace = Some(format!("ns-{}", number % 3));
        Arc::new(pod)
    };
    cluster.pending.iter().enumerate().map(divided).collect()
}

fn shown(cluster: &Cluster, scheduler: &mut OfferScheduler) {
    for pod in &cluster.placed {
        scheduler.observe(SupplyChange::PodPut(Arc::new(pod.clone())));
    }
    for node in &cluster.nodes {
        scheduler.observe(SupplyChange::NodePut(Arc::new(node.clone())));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_pod_is_refused_only_if_it_fits_nowhere_when_all_are_placed(cluster in cluster()) {
        let mut scheduler = OfferScheduler::default();
        shown(&cluster, &mut scheduler);
        let pods = divided(&cluster);
        let decisions = scheduler.schedule(&pods);
        prop_assert_eq!(&scheduler.schedule(&pods), &decisions, "nothing was shown in between");
        prop_assert_eq!(decisions.len(), pods.len());
        let mut refused = Vec::new();
        for (pod, decision) in pods.iter().zip(&decisions) {
            match &decision.outcome {
                Outcome::Place { node, .. } => {
                    let mut placed = Pod::clone(pod);
                    placed.spec.node_name = Some(node.clone());
                    scheduler.observe(SupplyChange::PodPut(Arc::new(placed)));
                }
                _ => refused.push(Arc::clone(pod)),
            }
        }
        // One at a time, each in a cluster where all that were placed are.
        for pod in refused {
            let decision = scheduler.schedule(std::slice::from_ref(&pod)).remove(0);
            prop_assert!(matches!(decision.outcome, Outcome::Refuse(_)), "{:?}", decision);
        }
    }
}
