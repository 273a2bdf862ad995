//! S4: the best node. What is best is for each scheduler to say; these are the preferences that objects themselves name.

use orch_core::object::{
    Affinity, Node, NodeAffinity, NodeSelectorOperator, NodeSelectorRequirement, NodeSelectorTerm, Pod,
    PreferredSchedulingTerm, Taint, TaintEffect,
};
use orch_core::scheduler::Scheduler;

use super::objects::{decide, node, node_of, placed_on, pod, put_node};

/// Where a node has room and nothing forbids it, the pod is placed.
pub async fn a_pod_with_room_is_placed<S: Scheduler>(new: impl Fn() -> S) {
    for full in 0..5 {
        let mut scheduler = new();
        for number in 0..5 {
            // All but one are too small.
            let cores = if number == full { 4 } else { 1 };
            put_node(&mut scheduler, node(&format!("node-{number}"), cores));
        }
        let decision = decide(&mut scheduler, &pod("web", 4));
        let expected = format!("node-{full}");
        assert_eq!(node_of(&decision), Some(expected.as_str()), "it has room for the pod: {:?}", decision.outcome);
    }
}

/// Of nodes alike in all else, the one that the pod's affinity prefers most is chosen.
pub async fn of_nodes_alike_in_all_else_the_preferred_one_is_chosen<S: Scheduler>(new: impl Fn() -> S) {
    for best in ["a", "b", "c"] {
        let mut scheduler = new();
        for zone in ["a", "b", "c"] {
            put_node(&mut scheduler, node_in(zone));
        }
        let place = placed_on(&mut scheduler, &preferring(best));
        assert_eq!(place, Some(format!("node-{best}")), "the pod prefers zone {best} by 60 of 100");
    }
}

/// Of nodes alike in all else, one without PreferNoSchedule taints is chosen.
pub async fn of_nodes_alike_in_all_else_the_untainted_one_is_chosen<S: Scheduler>(new: impl Fn() -> S) {
    for best in ["a", "b", "c"] {
        let mut scheduler = new();
        for zone in ["a", "b", "c"] {
            let mut node = node_in(zone);
            if zone != best {
                let effect = TaintEffect::PreferNoSchedule;
                node.spec.taints.push(Taint { key: "old".to_owned(), effect, ..Taint::default() });
            }
            put_node(&mut scheduler, node);
        }
        let place = placed_on(&mut scheduler, &pod("web", 1));
        assert_eq!(place, Some(format!("node-{best}")), "the other nodes would rather have no pods");
    }
}

fn node_in(zone: &str) -> Node {
    let mut node = node(&format!("node-{zone}"), 4);
    node.metadata.labels.insert("zone".to_owned(), zone.to_owned());
    node
}

/// A pod that prefers a zone by 60, and the zone after it by 40.
fn preferring(zone: &str) -> Pod {
    let second = match zone {
        "a" => "b",
        "b" => "c",
        _ => "a",
    };
    let term = |weight: i32, zone: &str| PreferredSchedulingTerm {
        weight,
        preference: NodeSelectorTerm {
            match_expressions: vec![NodeSelectorRequirement {
                key: "zone".to_owned(),
                operator: NodeSelectorOperator::In,
                values: vec![zone.to_owned()],
            }],
            match_fields: Vec::new(),
        },
    };
    let mut pod = pod("web", 1);
    pod.spec.affinity = Some(Affinity {
        node_affinity: Some(NodeAffinity {
            required_during_scheduling_ignored_during_execution: None,
            preferred_during_scheduling_ignored_during_execution: vec![term(40, second), term(60, zone)],
        }),
    });
    pod
}
