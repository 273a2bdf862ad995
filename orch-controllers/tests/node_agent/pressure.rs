//! Whole lives of pods on a node that runs short of something, and has enough again.

use std::sync::Arc;
use std::time::Duration;

use orch_controllers::node_agent::NodeParts;
use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::{Node, NodeCondition, Pod, PodPhase, Quantity, RestartPolicy, is_condition_true};
use orch_core::runtime::MachineStats;
use orch_core::store::StoreExt as _;
use orch_runtime::fake::FakeRuntime;
use orch_runtime::machine::FakeMachine;

use crate::clock::TokioClock;
use crate::cluster::Cluster;
use crate::objects::{NODE, pod};

/// A node that can run short, and its agent's parts.
struct ShortNode {
    cluster: Cluster,
    runtime: FakeRuntime,
    machine: FakeMachine,
}

impl ShortNode {
    fn new() -> Self {
        let clock = TokioClock::new();
        Self {
            cluster: Cluster::new(clock.clone(), 1),
            runtime: FakeRuntime::new(clock.clone()),
            machine: FakeMachine::new(clock),
        }
    }

    fn parts(&self) -> NodeParts {
        let machine = Some(Arc::new(self.machine.clone()) as _);
        NodeParts { machine, ..NodeParts::new(Arc::new(self.runtime.clone())) }
    }

    /// Changes what the machine has, and waits until the node says so.
    async fn until_said(&self, condition: &str, holds: bool, change: impl FnOnce(&mut MachineStats)) {
        self.machine.change(change);
        let key = Key::new(&Node::KIND, None, NODE).expect("a key");
        let said = async {
            loop {
                let node = self.cluster.client.store().get_as::<Node>(&key).await.expect("an answer");
                if node.is_some_and(|node| is_condition_true(&node.status.conditions, condition) == holds) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(600), said).await.expect("it says so within ten minutes");
    }

    /// Waits until a pod was refused, and tells why.
    async fn until_refused(&self, name: &str) -> (String, String) {
        let failed = |pod: Option<&Pod>| pod.is_some_and(|pod| pod.status.phase() == PodPhase::Failed);
        let pod = self.cluster.until(name, failed).await.expect("the pod");
        assert!(pod.status.container_statuses.is_empty(), "nothing of it was started");
        (pod.status.reason.clone().unwrap_or_default(), pod.status.message.clone().unwrap_or_default())
    }
}

fn best_effort(name: &str) -> Pod {
    pod(name, RestartPolicy::Always, &["web"])
}

fn burstable(name: &str) -> Pod {
    let mut pod = best_effort(name);
    let little = Quantity::parse("1m").expect("a quantity");
    pod.spec.containers[0].resources.requests.insert("cpu".to_owned(), little);
    pod
}

fn critical(name: &str) -> Pod {
    let mut pod = best_effort(name);
    // So that it is not the one that is ended to get something back.
    pod.spec.priority = Some(2_000_000_000);
    pod
}

fn evicted(condition: &str) -> (String, String) {
    ("Evicted".to_owned(), format!("Pod was rejected: The node had condition: [{condition}]. "))
}

#[tokio::test(start_paused = true)]
async fn a_node_short_of_memory_takes_no_pods_that_ask_for_nothing_until_it_has_enough_again() {
    let node = ShortNode::new();
    let mut agent = node.cluster.start_agent_of(node.parts());
    node.cluster.create(critical("before")).await;
    node.cluster.until_ready("before").await;
    let (memory, free) = (NodeCondition::MEMORY_PRESSURE, 8 << 30);
    node.until_said(memory, true, |stats| stats.memory.available = 1 << 20).await;
    node.cluster.create(best_effort("a")).await;
    assert_eq!(node.until_refused("a").await, evicted("MemoryPressure"));
    node.cluster.create(critical("b")).await;
    node.cluster.until_ready("b").await;
    // It has memory again, but says that it is short for a while: who asks for something is taken, and stays.
    node.machine.change(|stats| stats.memory.available = free);
    tokio::time::sleep(Duration::from_secs(60)).await;
    drop(agent);
    agent = node.cluster.start_agent_of(node.parts());
    node.cluster.create(best_effort("c")).await;
    assert_eq!(node.until_refused("c").await, evicted("MemoryPressure"));
    node.cluster.create(burstable("d")).await;
    node.cluster.until_ready("d").await;
    node.until_said(memory, false, |_| {}).await;
    node.cluster.create(best_effort("e")).await;
    for name in ["before", "b", "d", "e"] {
        node.cluster.until_ready(name).await;
    }
    drop(agent);
}

#[tokio::test(start_paused = true)]
async fn a_node_short_of_disk_or_processes_takes_critical_pods_only_and_ends_none_that_it_took() {
    let node = ShortNode::new();
    let _agent = node.cluster.start_agent_of(node.parts());
    let supply = |percent: u64| {
        move |stats: &mut MachineStats| {
            let disk = stats.disk.as_mut().expect("a disk");
            disk.available = disk.capacity / 100 * percent;
        }
    };
    node.until_said(NodeCondition::DISK_PRESSURE, true, supply(1)).await;
    node.cluster.create(burstable("a")).await;
    assert_eq!(node.until_refused("a").await, evicted("DiskPressure"));
    node.cluster.create(critical("b")).await;
    node.cluster.until_ready("b").await;
    node.until_said(NodeCondition::DISK_PRESSURE, false, supply(100)).await;
    node.cluster.create(best_effort("c")).await;
    node.cluster.until_ready("c").await;
    node.cluster.delete("c").await;
    let processes = |stats: &mut MachineStats| stats.processes.as_mut().expect("they are counted").available = 1;
    node.until_said(NodeCondition::PID_PRESSURE, true, processes).await;
    node.machine.change(|stats| stats.processes.as_mut().expect("they are counted").available = 32_768);
    node.cluster.create(burstable("d")).await;
    assert_eq!(node.until_refused("d").await, evicted("PIDPressure"));
    node.cluster.until_ready("b").await;
}
