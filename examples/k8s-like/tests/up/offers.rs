//! `--scheduler offers`: the nodes are divided among namespaces.

use std::collections::{BTreeMap, BTreeSet};

use crate::harness::{Place, wait_for, web};

const OFFERS: [&str; 2] = ["--scheduler", "offers"];

/// A namespace and a Deployment in it, each of whose pods asks for so much CPU.
fn tenant(token: &str, namespace: &str, replicas: u32, cpu: &str) -> String {
    let all = web(token, replicas, "").replace("shop", namespace);
    let (objects, _) = all.rsplit_once("---\n").expect("the last is a Service");
    objects.replace("          env:", &format!("          resources: {{requests: {{cpu: {cpu}}}}}\n          env:"))
}

/// A request of which two fit on one of so many nodes, which share this machine.
fn half_a_node(nodes: usize) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{}m", cores * 1_000 / nodes / 2)
}

/// The nodes of the placed pods, by namespace, a node as often as it has pods.
fn placed(place: &Place) -> BTreeMap<String, Vec<String>> {
    let listed = place.ask(&["get", "pods", "-A", "-o", "json"]);
    let list: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let mut nodes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pod in list["items"].as_array().expect("items") {
        if let Some(node) = pod["spec"]["nodeName"].as_str() {
            let namespace = pod["metadata"]["namespace"].as_str().expect("a namespace");
            nodes.entry(namespace.to_owned()).or_default().push(node.to_owned());
        }
    }
    nodes
}

#[test]
fn pods_of_two_namespaces_become_ready_and_fill_all_nodes() {
    let place = Place::new("tenants");
    let cpu = half_a_node(3);
    let both = ["shop", "batch"].map(|namespace| tenant(&place.token, namespace, 3, &cpu));
    place.write(&both.join("---\n"));
    let mut up = place.up_with(&OFFERS);
    up.hears_each([&["deployment shop/web is complete"], &["deployment batch/web is complete"]]);
    let placed = placed(&place);
    assert_eq!((placed["shop"].len(), placed["batch"].len()), (3, 3), "{placed:?}");
    let nodes: BTreeSet<&String> = placed.values().flatten().collect();
    assert_eq!(nodes.len(), 3, "two fit on each: {placed:?}");
    up.stop();
}

#[test]
fn a_pod_that_fits_nowhere_says_which_rule_refused_how_many_nodes() {
    let place = Place::new("nowhere");
    let [fits, does_not] = [("shop", "10m"), ("batch", "10k")].map(|(name, cpu)| tenant(&place.token, name, 1, cpu));
    place.write(&[fits, does_not].join("---\n"));
    let mut up = place.up_with(&OFFERS);
    up.hears_each([
        &["pod batch/web-", "FailedScheduling: 0/3 nodes are available: 3 insufficient cpu; the pod asks for 10k cpu"],
        &["deployment shop/web is complete"],
    ]);
    place.write(&["shop", "batch"].map(|namespace| tenant(&place.token, namespace, 1, "10m")).join("---\n"));
    up.hears(&["deployment batch/web is complete"]);
    up.stop();
}

#[test]
fn of_a_cluster_that_is_too_small_each_namespace_gets_its_share() {
    let place = Place::new("share");
    let cpu = half_a_node(2);
    let filler = tenant(&place.token, "filler", 4, &cpu);
    place.write(&filler);
    let mut up = place.up_with(&["--nodes", "2", "--scheduler", "offers"]);
    up.hears(&["deployment filler/web is complete"]);
    // Both wait for all that the filler has.
    let both = ["batch", "shop"].map(|namespace| tenant(&place.token, namespace, 4, &cpu)).join("---\n");
    place.write(&format!("{filler}---\n{both}"));
    let refused = ["FailedScheduling: 0/2 nodes are available: 2 insufficient cpu"];
    let mut waiting = BTreeSet::new();
    while waiting.len() < 8 {
        let line = up.hears(&refused);
        waiting.insert(line.split_whitespace().find(|word| word.contains("/web-")).expect("its name").to_owned());
    }
    place.write(&both);
    let shared = wait_for("four pods are placed", || {
        let placed = placed(&place);
        let gone = !placed.contains_key("filler");
        (gone && placed.values().map(Vec::len).sum::<usize>() == 4).then_some(placed)
    });
    assert_eq!((shared["batch"].len(), shared["shop"].len()), (2, 2), "{shared:?}");
    up.stop();
}

#[test]
fn a_scheduler_that_is_not_there_is_answered_with_those_that_are() {
    let place = Place::new("fair");
    place.write(&web(&place.token, 1, ""));
    let mut up = place.up_with(&["--scheduler", "fair"]);
    up.hears_each([&["invalid value 'fair' for '--scheduler"], &["possible values: filter-score, offers"]]);
    assert_eq!(up.ended(), Some(2));
}
