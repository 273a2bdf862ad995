//! Several frameworks behind one scheduler.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use orch_core::allocator::{Quantities, Quota, Role, Scalar};
use orch_core::object::{Node, Pod};
use orch_core::scheduler::{Decision, Outcome, Scheduler, SupplyChange};
use orch_sched::offer::{AllocatorOptions, OptimisticAllocator};
use orch_sched::{FilterScoreScheduler, OfferScheduler};
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
fn the_last_place_goes_to_who_has_least_on_whichever_node_it_is() {
    for with_room in 0..4 {
        let mut scheduler = OfferScheduler::default();
        for number in 0..4 {
            scheduler.observe(node(&format!("n{number}"), "2", "64Gi"));
            let mut old = Pod::clone(&pod("a", 100 + number, if number == with_room { "1" } else { "2" }, "1Gi"));
            old.spec.node_name = Some(format!("n{number}"));
            scheduler.observe(SupplyChange::PodPut(Arc::new(old)));
        }
        // Of the other nodes memory is left, which is of no use to either.
        let pods = [pod("a", 0, "1", "1Gi"), pod("b", 0, "1", "1Gi")];
        let decisions = scheduler.schedule(&pods);
        assert_eq!(placed(&pods, &decisions), counts([("b", 1)]), "n{with_room}: {decisions:?}");
        let Outcome::Refuse(refusal) = &decisions[0].outcome else { panic!("{decisions:?}") };
        assert!(refusal.to_string().starts_with("0/4 nodes are available: 4 insufficient cpu; "), "{refusal}");
    }
}

/// Counts the changes that schedulers are shown.
#[derive(Debug)]
struct Counting {
    inner: FilterScoreScheduler,
    shown: Arc<AtomicUsize>,
}

impl Scheduler for Counting {
    fn observe(&mut self, change: SupplyChange) {
        self.shown.fetch_add(1, Ordering::Relaxed);
        self.inner.observe(change);
    }

    fn schedule(&mut self, pods: &[Arc<Pod>]) -> Vec<Decision> {
        self.inner.schedule(pods)
    }
}

#[test]
fn a_call_shows_schedulers_what_changed_since_the_one_before_and_no_more() {
    let shown = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&shown);
    let counting = move || Counting { inner: FilterScoreScheduler::default(), shown: Arc::clone(&counter) };
    let mut scheduler = OfferScheduler::builder().scheduler(counting).build();
    for number in 0..50 {
        scheduler.observe(node(&format!("n{number}"), "10", "64Gi"));
        for old in 0..4 {
            let mut old = Pod::clone(&pod(["a", "b"][old % 2], 100 * number + old as u32, "1", "1Gi"));
            old.spec.node_name = Some(format!("n{number}"));
            scheduler.observe(SupplyChange::PodPut(Arc::new(old)));
        }
    }
    let pods = ["a", "b", "c"].map(|namespace| pod(namespace, 99, "1", "1Gi"));
    let first = scheduler.schedule(&pods);
    shown.store(0, Ordering::Relaxed);
    assert_eq!(scheduler.schedule(&pods), first);
    // Each of the three is shown as placed and as gone again: to who places, and to who says why a pod has no place.
    assert_eq!(shown.load(Ordering::Relaxed), 3 * 2 * 2, "of 50 nodes and 200 pods");
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
