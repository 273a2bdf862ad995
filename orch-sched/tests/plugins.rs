//! Plugins of a downstream crate, and what the default ones prefer.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use orch_core::object::{Node, Pod};
use orch_core::scheduler::{Outcome, Scheduler, SupplyChange};
use orch_sched::FilterScoreScheduler;
use orch_sched::filter_score::{Filter, NodeInfo, PodInfo, Reason, Score};
use serde_json::json;

fn node(name: &str) -> SupplyChange {
    let allocatable = json!({"cpu": "8", "memory": "32Gi", "pods": "100"});
    let node = json!({"metadata": {"name": name}, "status": {"allocatable": allocatable}});
    SupplyChange::NodePut(Arc::new(serde_json::from_value::<Node>(node).expect("a node")))
}

fn pod(name: &str, cpu: &str) -> Arc<Pod> {
    let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "1", "controller": true});
    let pod = json!({
        "metadata": {"name": name, "namespace": "shop", "ownerReferences": [owner]},
        "spec": {"containers": [{"name": "main", "resources": {"requests": {"cpu": cpu, "memory": "1Gi"}}}]},
    });
    Arc::new(serde_json::from_value(pod).expect("a pod"))
}

/// How many pods go to each node.
fn spread(scheduler: &mut FilterScoreScheduler, pods: &[Arc<Pod>]) -> BTreeMap<String, usize> {
    let mut spread = BTreeMap::new();
    for decision in scheduler.schedule(pods) {
        match decision.outcome {
            Outcome::Place { node, .. } => *spread.entry(node).or_default() += 1,
            refused => panic!("{refused:?}"),
        }
    }
    spread
}

#[test]
fn pods_of_one_owner_are_spread_evenly() {
    let mut scheduler = FilterScoreScheduler::default();
    let nodes = ["n1", "n2", "n3"];
    nodes.map(node).into_iter().for_each(|change| scheduler.observe(change));
    let mut hog = Pod::clone(&pod("hog", "4"));
    hog.metadata.owner_references.clear();
    hog.spec.node_name = Some("n1".to_owned());
    scheduler.observe(SupplyChange::PodPut(Arc::new(hog)));
    let pods: Vec<_> = (0..9).map(|number| pod(&format!("web-{number}"), "250m")).collect();
    assert_eq!(
        spread(&mut scheduler, &pods),
        nodes.map(|name| (name.to_owned(), 3)).into(),
        "even on the fullest node"
    );
}

#[derive(Debug)]
struct Favourite(&'static str);

impl Score for Favourite {
    fn name(&self) -> &'static str {
        "Favourite"
    }

    fn score(&self, _pod: &PodInfo, node: &NodeInfo) -> i64 {
        if node.name() == self.0 { 100 } else { 0 }
    }
}

#[test]
fn a_plugin_takes_the_place_of_the_one_of_its_name_and_a_weight_of_0_silences_it() {
    let place = |builder: orch_sched::filter_score::FilterScoreSchedulerBuilder| {
        let mut scheduler = builder.build();
        ["n1", "n2"].map(node).into_iter().for_each(|change| scheduler.observe(change));
        spread(&mut scheduler, &[pod("web", "1")]).into_keys().next()
    };
    let with = |weight, name| FilterScoreScheduler::builder().score(weight, Favourite(name));
    for name in ["n1", "n2"] {
        assert_eq!(place(with(1, name)).as_deref(), Some(name));
        let replaced = with(1, "n1").score(9, Favourite("n2")).score(1, Favourite(name));
        assert_eq!(place(replaced).as_deref(), Some(name));
    }
    assert_eq!(place(with(0, "n1")), place(with(0, "n2")));
}

#[derive(Debug)]
struct Bug;

impl Filter for Bug {
    fn name(&self) -> &'static str {
        "Bug"
    }

    fn check(&self, pod: &PodInfo, _node: &NodeInfo) -> Result<(), Reason> {
        assert_ne!(pod.pod().metadata.name, "cursed", "a bug in a plugin");
        Ok(())
    }
}

#[test]
fn what_was_assumed_before_a_plugin_panicked_is_forgotten() {
    let mut scheduler = FilterScoreScheduler::builder().filter(Bug).build();
    scheduler.observe(node("n1"));
    let pods = [pod("large", "5"), pod("cursed", "1")];
    assert!(catch_unwind(AssertUnwindSafe(|| scheduler.schedule(&pods))).is_err());
    assert_eq!(spread(&mut scheduler, &[pod("also-large", "8")]), [("n1".to_owned(), 1)].into());
}
