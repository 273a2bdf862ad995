//! The agent on a node that lives on, with every fault at every point.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::FutureExt as _;
use orch_core::client::Grace;
use orch_core::object::{Pod, PodPhase, RestartPolicy};
use orch_core::runtime::{ContainerId, Runtime as _};
use orch_runtime::fake::FakeRuntime;
use orch_testkit::fault::{Actor, Cluster, Scenario, Step, System};

use crate::objects::{agent, key, pod};
use crate::watched_runtime::WatchedRuntime;

/// The node of the run that is being played; each run has its own.
type Played = Arc<Mutex<Option<WatchedRuntime>>>;

fn runtime(played: &Played) -> WatchedRuntime {
    played.lock().expect("a lock").clone().expect("a run is being played")
}

/// Makes the pod `a` whenever there is none.
#[derive(Debug)]
struct Owner;

#[async_trait]
impl Actor for Owner {
    async fn act(&mut self, cluster: &Cluster) -> bool {
        let pod = pod("a", RestartPolicy::Always, &["web", "log"]);
        cluster.get::<Pod>(&key("a")).is_none() && cluster.create(pod).await.is_ok()
    }
}

/// A node with its agent, and pods that are none of its business.
fn scenario(name: &'static str, owned: bool) -> (Scenario, Played) {
    let played = Played::default();
    let (made, twins) = (Arc::clone(&played), Arc::clone(&played));
    let make = move |cluster: &Cluster| {
        let watched = WatchedRuntime::new(FakeRuntime::new(Arc::clone(cluster.client().clock())));
        *made.lock().expect("a lock") = Some(watched.clone());
        let store = Arc::clone(cluster.client().store());
        let on_node = watched.clone();
        let summary = move || on_node.summary().now_or_never().expect("the fake answers at once");
        let system = System::new()
            .controller(move || agent(Arc::new(watched.clone()), Arc::clone(&store)))
            .outside("what is on the node", summary);
        if owned { system.actor(Owner) } else { system }
    };
    let elsewhere = |name: &str, node: Option<&str>| {
        let mut pod = pod(name, RestartPolicy::Always, &["web"]);
        pod.spec.node_name = node.map(Into::into);
        pod
    };
    let scenario = Scenario::new(name, make)
        .bystander(elsewhere("elsewhere", Some("node-2")))
        .bystander(elsewhere("nowhere", None))
        .always("no container runs beside one of an earlier pod of the same name", move |_| runtime(&twins).twins());
    (scenario, played)
}

/// A container of a pod ends by itself. The fault engine has no hints, so the pod is touched to be looked at.
fn ends(played: &Played, words: &str, name: &'static str, container: &'static str, code: i32) -> Step {
    let played = Arc::clone(played);
    Step::new(words, move |cluster| {
        let runtime = runtime(&played);
        async move {
            let Some(pod) = cluster.get::<Pod>(&key(name)) else { return Ok(()) };
            let uid = pod.metadata.uid.clone().unwrap_or_default();
            let sandbox = runtime.status(&uid.as_str().parse().expect("a uid")).await.expect("a status");
            let running: Vec<ContainerId> = sandbox
                .into_iter()
                .flat_map(|sandbox| sandbox.containers)
                .filter(|attempt| attempt.state.is_running() && attempt.id.name.as_str() == container)
                .map(|attempt| attempt.id)
                .collect();
            for id in running {
                runtime.fake.crash(&id, code);
            }
            let count = |pod: &Pod| pod.metadata.annotations.get("ends").and_then(|count| count.parse::<u32>().ok());
            cluster
                .update::<Pod>(&key(name), |pod| {
                    let next = count(pod).unwrap_or(0) + 1;
                    pod.metadata.annotations.insert("ends".into(), next.to_string());
                })
                .await
        }
        .boxed()
    })
}

/// Removed from the store at once, whatever runs.
fn forced(name: &'static str) -> Step {
    Step::new(format!("remove {name} by force"), move |cluster| {
        async move { cluster.delete::<Pod>(&key(name), Grace::Now).await }.boxed()
    })
}

fn pods_that_run_are_deleted_and_come_again_survive_every_fault() -> Scenario {
    let (scenario, _) = scenario("run, delete, run again", true);
    scenario
        .object(pod("b", RestartPolicy::Always, &["web"]))
        .step(Step::delete::<Pod>(&key("a")))
        .step(Step::delete::<Pod>(&key("b")))
}

fn pods_removed_by_force_leave_no_twin_under_any_fault() -> Scenario {
    let (scenario, _) = scenario("removed by force, run again", false);
    scenario
        .invalid(pod("idle", RestartPolicy::Always, &[]))
        .invalid(pod("climbs", RestartPolicy::Always, &["../../etc"]))
        .object(pod("a", RestartPolicy::Always, &["web"]))
        .object(pod("b", RestartPolicy::Always, &["web"]))
        .step(forced("a"))
        .step(Step::create(pod("a", RestartPolicy::Always, &["web"])))
        .step(forced("a"))
        .step(Step::create(pod("a", RestartPolicy::Never, &["web"])).as_soon_as(|_| true))
}

fn crash_loops_count_every_restart_once_under_any_fault() -> Scenario {
    let (scenario, played) = scenario("crash loop", false);
    scenario
        .object(pod("a", RestartPolicy::Always, &["web", "log"]))
        .step(ends(&played, "web crashes", "a", "web", 1))
        .step(ends(&played, "web crashes again", "a", "web", 1))
        .step(ends(&played, "web crashes a third time", "a", "web", 137))
        .step(Step::delete::<Pod>(&key("a")))
}

fn pods_that_end_by_themselves_survive_every_fault() -> Scenario {
    let (scenario, played) = scenario("ends by itself", false);
    let is_over = |name: &'static str, phase| {
        move |cluster: &Cluster| cluster.get::<Pod>(&key(name)).is_some_and(|pod| pod.status.phase() == phase)
    };
    scenario
        .object(pod("a", RestartPolicy::OnFailure, &["work"]))
        .object(pod("b", RestartPolicy::Never, &["work", "more"]))
        // Hints, which the fault engine does not ask for, would make a restarted agent look at what is left of pods
        // that are gone; here the look at this pod does it.
        .object(pod("c", RestartPolicy::Always, &["web"]))
        .step(ends(&played, "a fails", "a", "work", 1))
        .step(ends(&played, "b does its work", "b", "work", 0))
        .step(ends(&played, "b fails", "b", "more", 3))
        .step(ends(&played, "a does its work", "a", "work", 0))
        .step(Step::delete::<Pod>(&key("b")).as_soon_as(is_over("b", PodPhase::Failed)))
        .step(Step::delete::<Pod>(&key("a")).as_soon_as(is_over("a", PodPhase::Succeeded)))
}

fn scenarios() -> Vec<Scenario> {
    vec![
        pods_that_run_are_deleted_and_come_again_survive_every_fault(),
        pods_removed_by_force_leave_no_twin_under_any_fault(),
        crash_loops_count_every_restart_once_under_any_fault(),
        pods_that_end_by_themselves_survive_every_fault(),
    ]
}

mod conformance {
    orch_testkit::controller_suite!(super::scenarios());
}
