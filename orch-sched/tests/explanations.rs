//! What a person reads when a pod finds no node.

use std::sync::Arc;

use orch_core::object::{Node, Pod};
use orch_core::scheduler::{Outcome, Scheduler, SupplyChange};
use orch_sched::FilterScoreScheduler;
use serde_json::{Value, json};

fn refusal(nodes: &[Value], placed: &[Value], pod: &Value) -> String {
    let read = |pod: &Value| Arc::new(serde_json::from_value::<Pod>(pod.clone()).expect("a pod"));
    let mut scheduler = FilterScoreScheduler::default();
    for node in nodes {
        let node: Node = serde_json::from_value(node.clone()).expect("a node");
        scheduler.observe(SupplyChange::NodePut(Arc::new(node)));
    }
    for pod in placed {
        scheduler.observe(SupplyChange::PodPut(read(pod)));
    }
    match scheduler.schedule(&[read(pod)]).remove(0).outcome {
        Outcome::Refuse(refusal) => refusal.to_string(),
        placed => panic!("{placed:?}"),
    }
}

fn node(name: &str, spec: Value, conditions: Value) -> Value {
    let allocatable = json!({"cpu": "2", "memory": "4Gi", "pods": "2"});
    let status = json!({"allocatable": allocatable, "conditions": conditions});
    json!({"metadata": {"name": name, "labels": {"zone": "a"}}, "spec": spec, "status": status})
}

fn plain(name: &str) -> Value {
    node(name, json!({}), json!([{"type": "Ready", "status": "True"}]))
}

fn pod(name: &str, mut spec: Value, requests: Value) -> Value {
    let port = spec.as_object_mut().and_then(|spec| spec.remove("hostPort"));
    let ports = port.map_or(json!([]), |port| json!([{"containerPort": 80, "hostPort": port}]));
    spec["containers"] = json!([{"name": "main", "ports": ports, "resources": {"requests": requests}}]);
    json!({"metadata": {"name": name, "namespace": "shop"}, "spec": spec})
}

#[test]
fn a_refusal_says_what_no_node_has() {
    let three = [plain("n1"), plain("n2"), plain("n3")];
    for (expected, nodes, spec, requests) in [
        ("0/0 nodes are available; there are no nodes: add one", vec![], json!({}), json!({})),
        (
            "0/3 nodes are available: 3 insufficient cpu and memory; the pod asks for 3 cpu, the most that any of them has \
             is 2: ask for less, or add a larger node",
            three.to_vec(),
            json!({}),
            json!({"cpu": 3, "memory": "5Gi"}),
        ),
        (
            "0/3 nodes are available: 3 insufficient example.org/gpu; add a node that has example.org/gpu, none of them has \
             any",
            three.to_vec(),
            json!({}),
            json!({"example.org/gpu": 1}),
        ),
        (
            "0/1 nodes are available: 1 with no place for another pod; let the nodes report in status.allocatable.pods how \
             many they hold: as yet, none",
            vec![json!({"metadata": {"name": "n1"}})],
            json!({}),
            json!({}),
        ),
    ] {
        assert_eq!(refusal(&nodes, &[], &pod("web", spec, requests)), expected);
    }
}

#[test]
fn a_refusal_says_which_nodes_turn_the_pod_away_and_what_would_help() {
    let three = [plain("n1"), plain("n2"), plain("n3")];
    for (expected, nodes, spec) in [
        (
            "0/3 nodes are available: 3 without the label disktype=ssd; label a node disktype=ssd, or change the pod's \
             nodeSelector",
            three.to_vec(),
            json!({"nodeSelector": {"disktype": "ssd", "zone": "a"}}),
        ),
        (
            "0/3 nodes are available: 3 not matching the pod's required node affinity; label a node as the pod's required \
             node affinity asks, or change the affinity",
            three.to_vec(),
            json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
                {"nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}]}}}}),
        ),
        (
            "0/2 nodes are available: 2 untolerated taint {team: db}; add a toleration of team=db:NoSchedule to the pod, or \
             remove the taint",
            ["n1", "n2"]
                .map(|name| {
                    let taints = json!([{"key": "team", "value": "db", "effect": "NoSchedule"}]);
                    node(name, json!({"taints": taints}), json!([]))
                })
                .to_vec(),
            json!({}),
        ),
        (
            "0/1 nodes are available: 1 untolerated taint {node.kubernetes.io/memory-pressure}; wait until a node has memory \
             again, or let the pod ask for some",
            vec![node(
                "n1",
                json!({"taints": [{"key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule"}]}),
                json!([]),
            )],
            json!({}),
        ),
        (
            "0/3 nodes are available: 2 cordoned, 1 not ready; uncordon a node, such as n1",
            vec![
                node("n1", json!({"unschedulable": true}), json!([])),
                node("n2", json!({"unschedulable": true}), json!([])),
                node("n3", json!({}), json!([{"type": "Ready", "status": "False", "message": "disk is full"}])),
            ],
            json!({}),
        ),
        (
            "0/2 nodes are available: 1 not ready, 1 unreachable; wait until a node is ready again, or look after n1 (disk \
             is full)",
            vec![
                node("n1", json!({}), json!([{"type": "Ready", "status": "False", "message": "disk is full"}])),
                node("n2", json!({}), json!([{"type": "Ready", "status": "Unknown"}])),
            ],
            json!({}),
        ),
    ] {
        assert_eq!(refusal(&nodes, &[], &pod("web", spec, json!({}))), expected);
    }
}

#[test]
fn a_refusal_knows_what_other_pods_hold() {
    let nodes = [plain("n1"), plain("n2")];
    let placed = |number: u32, node: &str, spec: Value, cpu: &str| {
        let mut pod = pod(&format!("old-{number}"), spec, json!({"cpu": cpu}));
        pod["spec"]["nodeName"] = node.into();
        pod
    };
    for (expected, placed, spec) in [
        (
            "0/2 nodes are available: 2 insufficient cpu; the pod asks for 1 cpu, the most that any of them has free is \
             750m: ask for less, remove other pods, or add a node",
            vec![placed(1, "n1", json!({}), "1250m"), placed(2, "n2", json!({}), "1500m")],
            json!({}),
        ),
        (
            "0/2 nodes are available: 1 with host port 80/TCP taken, 1 with no place for another pod; add a node, as host \
             port 80/TCP goes once per node, or reach the pod through a Service instead",
            vec![
                placed(1, "n1", json!({"hostPort": 80}), "0"),
                placed(2, "n2", json!({}), "0"),
                placed(3, "n2", json!({}), "0"),
            ],
            json!({"hostPort": 80}),
        ),
        ("0/0 nodes are available; the pod has a node already: n2", vec![], json!({"nodeName": "n2"})),
    ] {
        assert_eq!(refusal(&nodes, &placed, &pod("web", spec, json!({"cpu": 1}))), expected);
    }
}
