//! The binding controller under every fault at every point.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_controllers::binding::BindingController;
use orch_core::key::Key;
use orch_core::kind::Object;
use orch_core::object::{Node, Pod, PodCondition, PodPhase, PodSpec, Quantity, find_condition};
use orch_sched::FilterScoreScheduler;
use orch_testkit::fault::{Cluster, Scenario, Step, System};

fn system(_: &Cluster) -> System {
    System::new().controller(|| Arc::new(BindingController::new(Box::new(FilterScoreScheduler::default()))))
}

fn node(name: &str, cpu: &str) -> Node {
    serde_json::from_value(serde_json::json!({
        "metadata": {"name": name, "labels": {"name": name}},
        "status": {
            "allocatable": {"cpu": cpu, "memory": "4Gi", "pods": "10"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }))
    .expect("a node")
}

fn pod(name: &str, cpu: &str, priority: i32, node: Option<&str>) -> Pod {
    let mut pod: Pod = serde_json::from_value(serde_json::json!({
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "priority": priority,
            "containers": [{"name": "web", "image": "web", "resources": {"requests": {"cpu": cpu}}}],
        },
    }))
    .expect("a pod");
    pod.spec.node_selector.extend(node.map(|node| ("name".to_owned(), node.to_owned())));
    pod
}

fn pod_key(name: &str) -> Key {
    Key::new(&Pod::KIND, Some("shop"), name).expect("a name")
}

fn node_key(name: &str) -> Key {
    Key::new(&Node::KIND, None, name).expect("a name")
}

/// The thousandths of cpu that the pods on each node ask for are not more than it has.
fn no_node_is_over_committed(cluster: &Cluster) -> Result<(), String> {
    let mut used: BTreeMap<String, i128> = BTreeMap::new();
    for pod in cluster.list::<Pod>() {
        let asked = pod.spec.containers.iter().filter_map(|container| container.resources.requests.get("cpu"));
        if let Some(node) = pod.spec.node_name.as_ref().filter(|_| !pod.status.phase().is_terminal()) {
            *used.entry(node.clone()).or_default() += asked.map(thousandths).sum::<i128>();
        }
    }
    for node in cluster.list::<Node>() {
        let has = node.status.allocatable("cpu").map_or(0, thousandths);
        let used = used.get(&node.metadata.name).copied().unwrap_or_default();
        if used > has {
            return Err(format!("{} has {has} and gave {used}", node.metadata.name));
        }
    }
    Ok(())
}

fn thousandths(quantity: &Quantity) -> i128 {
    let text = quantity.to_string();
    match text.strip_suffix('m') {
        Some(number) => number.parse().expect("a number"),
        None => text.parse::<i128>().expect("a number") * 1_000,
    }
}

fn every_pod_gets_its_node_once() -> Scenario {
    let mut others = pod("others", "1", 0, None);
    others.spec.scheduler_name = Some("another".to_owned());
    Scenario::new("binding: pods come", system)
        .bystander(others)
        .invalid(pod("asks-for-less-than-nothing", "-1", 0, None))
        .invalid(Pod { spec: PodSpec::default(), ..pod("without-containers", "1", 0, None) })
        .invalid(node("has-less-than-nothing", "-1"))
        .object(node("node-1", "2"))
        .object(node("node-2", "2"))
        .object(pod("a", "1", 0, Some("node-1")))
        .object(pod("b", "1", 0, Some("node-2")))
        .step(Step::create(pod("c", "1", 0, Some("node-1"))))
        .step(Step::create(pod("d", "1", 0, Some("node-2"))).as_soon_as(|_| true))
}

fn a_refused_pod_says_why_and_gets_its_node_when_there_is_room() -> Scenario {
    let is_refused = |cluster: &Cluster| {
        let pod = cluster.get::<Pod>(&pod_key("waits"));
        pod.is_some_and(|pod| find_condition(&pod.status.conditions, PodCondition::SCHEDULED).is_some())
    };
    Scenario::new("binding: a pod waits for a node", system)
        .object(node("node-1", "2"))
        .object(pod("waits", "1", 0, Some("node-2")))
        .object(pod("never", "1", 0, Some("node-9")))
        .step(Step::create(node("node-2", "2")).as_soon_as(is_refused))
        .step(Step::create(pod("more", "2", 0, Some("node-1"))))
}

fn the_room_of_a_pod_that_goes_is_given_to_the_first_that_waits() -> Scenario {
    Scenario::new("binding: room is passed on", system)
        .object(node("node-1", "1"))
        .object(pod("first", "1", 9, None))
        .object(pod("low", "1", 0, None))
        .object(pod("high", "1", 5, None))
        .step(Step::update::<Pod>("first ends", &pod_key("first"), |pod| {
            pod.status.phase = Some(PodPhase::Succeeded);
        }))
}

fn a_node_that_goes_takes_no_pods() -> Scenario {
    Scenario::new("binding: a node goes and comes back", system)
        .object(node("node-1", "2"))
        .object(node("node-2", "2"))
        .object(pod("a", "1", 0, Some("node-2")))
        .step(Step::delete::<Node>(&node_key("node-1")))
        .step(Step::create(pod("b", "1", 0, Some("node-1"))))
        .step(Step::create(node("node-1", "2")))
        .step(Step::create(pod("c", "1", 0, Some("node-1"))))
}

fn scenarios() -> Vec<Scenario> {
    let stories = [
        every_pod_gets_its_node_once(),
        a_refused_pod_says_why_and_gets_its_node_when_there_is_room(),
        the_room_of_a_pod_that_goes_is_given_to_the_first_that_waits(),
        a_node_that_goes_takes_no_pods(),
    ];
    stories.map(|story| story.always("no node is over-committed", no_node_is_over_committed)).into()
}

mod conformance {
    orch_testkit::controller_suite!(super::scenarios());
}
