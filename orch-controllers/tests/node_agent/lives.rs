//! Whole lives of pods on a fake node, run by the engine, under paused time.

use std::sync::Arc;
use std::time::Duration;

use orch_controllers::node_agent::LEASE_NAMESPACE;
use orch_core::client::Grace;
use orch_core::clock::Clock as _;
use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::{ExecAction, Lease, Node, Pod, PodPhase, Probe, RestartPolicy};
use orch_core::runtime::{ContainerId, ExecOutput, Runtime as _};
use orch_core::store::StoreExt as _;
use orch_runtime::fake::{FakeCommand, FakeProgram, FakeRuntime, Operation};

use crate::clock::TokioClock;
use crate::cluster::Cluster;
use crate::objects::{NODE, pod};
use crate::watched_runtime::WatchedRuntime;

struct Node1 {
    cluster: Cluster,
    clock: Arc<TokioClock>,
    runtime: WatchedRuntime,
}

fn node() -> Node1 {
    let clock = TokioClock::new();
    let runtime = WatchedRuntime::new(FakeRuntime::new(clock.clone()));
    Node1 { cluster: Cluster::new(clock.clone(), 1), clock, runtime }
}

fn attempt(pod: &Pod, name: &str, attempt: u32) -> ContainerId {
    let uid = pod.metadata.uid.as_ref().expect("a uid").as_str().parse().expect("a checked uid");
    ContainerId { pod: uid, name: name.parse().expect("a name"), attempt }
}

#[tokio::test(start_paused = true)]
async fn a_pod_runs_crashes_is_restarted_and_is_gone_only_when_nothing_of_it_is_left() {
    let Node1 { cluster, runtime, .. } = node();
    let _agent = cluster.start_agent(Arc::new(runtime.clone()));
    cluster.create(pod("a", RestartPolicy::Always, &["web", "log"])).await;
    let running = cluster.until_ready("a").await;
    assert_eq!(running.status.phase(), PodPhase::Running);
    assert_eq!(runtime.summary().await, "a log/0 runs, a web/0 runs");
    assert!(runtime.fake.crash(&attempt(&running, "web", 0), 3));
    let restarted = |pod: Option<&Pod>| {
        pod.is_some_and(|pod| pod.status.container_statuses[0].restart_count == 1 && pod.status.is_ready())
    };
    let pod = cluster.until("a", restarted).await.expect("the pod");
    let last = pod.status.container_statuses[0].last_state.terminated.as_ref().expect("it ended before");
    assert_eq!(last.exit_code, 3);
    assert_eq!(runtime.summary().await, "a log/0 runs, a web/0 ended, a web/1 runs");
    cluster.delete("a").await;
    cluster.until("a", |pod| pod.is_none()).await;
    assert_eq!(runtime.summary().await, "");
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_backs_off_and_an_agent_restarted_meanwhile_waits_no_less() {
    let Node1 { cluster, runtime, .. } = node();
    runtime.fake.script("web", FakeProgram::exits(1, Duration::from_secs(1)));
    let mut agent = cluster.start_agent(Arc::new(runtime.clone()));
    cluster.create(pod("a", RestartPolicy::Always, &["web"])).await;
    let begin = tokio::time::Instant::now();
    while begin.elapsed() < Duration::from_secs(100) {
        tokio::time::sleep(Duration::from_millis(3_500)).await;
        drop(agent);
        agent = cluster.start_agent(Arc::new(runtime.clone()));
    }
    // Starts at 0, 1, 12, 33 and 74 s, give or take.
    assert_eq!(runtime.fake.calls(Operation::Start), 5);
    let pod = cluster.pod("a").await.expect("the pod");
    let waiting = pod.status.container_statuses[0].state.waiting.as_ref().expect("it waits");
    assert_eq!(waiting.reason.as_deref(), Some("CrashLoopBackOff"));
    let message = waiting.message.as_deref().expect("a message");
    assert!(message.starts_with("back-off 1m20s restarting failed container=web pod=a_shop("), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_container_that_cannot_be_started_says_why() {
    let Node1 { cluster, runtime, .. } = node();
    runtime.fake.script("web", FakeProgram::refuses("no such file: /bin/wbe"));
    let _agent = cluster.start_agent(Arc::new(runtime.clone()));
    cluster.create(pod("a", RestartPolicy::Never, &["web"])).await;
    let failed = |pod: Option<&Pod>| pod.is_some_and(|pod| pod.status.phase() == PodPhase::Failed);
    let pod = cluster.until("a", failed).await.expect("the pod");
    let terminated = pod.status.container_statuses[0].state.terminated.clone().expect("it ended");
    assert_eq!(terminated.reason.as_deref(), Some("StartError"));
    assert_eq!(terminated.message.as_deref(), Some("no such file: /bin/wbe"));
}

fn exec_probe(command: &str) -> Option<Probe> {
    let exec = Some(ExecAction { command: vec![command.to_owned()] });
    Some(Probe { exec, period_seconds: Some(1), failure_threshold: Some(2), ..Probe::default() })
}

#[tokio::test(start_paused = true)]
async fn probes_gate_readiness_and_restart_what_is_not_alive() {
    let Node1 { cluster, runtime, .. } = node();
    let says = |command: &str, code| {
        let output = ExecOutput { code, stderr: b"not now".to_vec(), ..ExecOutput::default() };
        runtime.fake.script_exec(command, FakeCommand::Ends(output));
    };
    says("alive", 0);
    says("ready", 1);
    let mut probed = pod("a", RestartPolicy::Always, &["web"]);
    probed.spec.containers[0].liveness_probe = exec_probe("alive");
    probed.spec.containers[0].readiness_probe = exec_probe("ready");
    let agent = cluster.start_agent(Arc::new(runtime.clone()));
    cluster.create(probed).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let pod = cluster.pod("a").await.expect("the pod");
    assert!(pod.status.phase() == PodPhase::Running && !pod.status.is_ready());
    says("ready", 0);
    cluster.until_ready("a").await;
    says("alive", 1);
    let restarted = |pod: Option<&Pod>| pod.is_some_and(|pod| pod.status.container_statuses[0].restart_count == 1);
    cluster.until("a", restarted).await;
    says("alive", 0);
    cluster.until_ready("a").await;
    cluster.delete("a").await;
    cluster.until("a", |pod| pod.is_none()).await;
    let before = runtime.fake.calls(Operation::Exec);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(runtime.fake.calls(Operation::Exec), before, "what is gone is not asked");
    drop(agent);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_dropped_asks_no_more() {
    let Node1 { cluster, runtime, .. } = node();
    let mut probed = pod("a", RestartPolicy::Always, &["web"]);
    probed.spec.containers[0].readiness_probe = exec_probe("ready");
    let agent = cluster.start_agent(Arc::new(runtime.clone()));
    cluster.create(probed).await;
    cluster.until_ready("a").await;
    drop(agent);
    let before = runtime.fake.calls(Operation::Exec);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(runtime.fake.calls(Operation::Exec), before);
}

#[tokio::test(start_paused = true)]
async fn the_node_shows_that_it_is_alive_while_pods_take_their_time_to_end() {
    let Node1 { cluster, clock, runtime } = node();
    runtime.fake.script("web", FakeProgram::runs().ignoring_stop());
    let _agent = cluster.start_agent(Arc::new(runtime.clone()));
    for name in ["a", "b", "c"] {
        let mut slow = pod(name, RestartPolicy::Always, &["web"]);
        slow.spec.termination_grace_period_seconds = Some(120);
        cluster.create(slow).await;
        cluster.until_ready(name).await;
    }
    for name in ["a", "b", "c"] {
        cluster.delete(name).await;
    }
    let lease = Key::new(&Lease::KIND, Some(LEASE_NAMESPACE), NODE).expect("a key");
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let lease = cluster.client.store().get_as::<Lease>(&lease).await.expect("an answer").expect("a lease");
        let renewed = lease.spec.renew_time.expect("renewed").timestamp();
        assert!(clock.now().duration_since(renewed).as_secs() <= 11);
        assert!(cluster.pod("a").await.is_some(), "it has 120 s to end");
    }
    cluster.until("a", |pod| pod.is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_deleted_registers_itself_again() {
    let Node1 { cluster, runtime, .. } = node();
    let _agent = cluster.start_agent(Arc::new(runtime.clone()));
    let key = Key::new(&Node::KIND, None, NODE).expect("a key");
    let look = async || cluster.client.store().get_as::<Node>(&key).await.expect("an answer");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let node = look().await.expect("it registered itself");
    assert!(node.status.is_ready());
    cluster.client.delete(&*node, Grace::Now).await.expect("deleted");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let again = look().await.expect("it registered itself again");
    assert_ne!(again.metadata.uid, node.metadata.uid);
}

#[tokio::test(start_paused = true)]
async fn what_runtime_events_do_not_tell_is_found_all_the_same() {
    let Node1 { cluster, runtime, .. } = node();
    let _agent = cluster.start_agent(Arc::new(runtime.clone()));
    cluster.create(pod("a", RestartPolicy::Always, &["web"])).await;
    let pod = cluster.until_ready("a").await;
    // A stop that others asked for is no event.
    runtime.fake.stop(&attempt(&pod, "web", 0), Duration::ZERO).await.expect("stopped");
    let restarted = |pod: Option<&Pod>| pod.is_some_and(|pod| pod.status.container_statuses[0].restart_count == 1);
    cluster.until("a", restarted).await;
}
