//! What must hold of the processes of a node when its agent is started anew.

use std::panic::{catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use orch_core::clock::SystemClock;
use orch_core::object::{Pod, RestartPolicy};
use orch_core::runtime::{ContainerState, ContainerStatus, Runtime as _};
use orch_runtime::process::{ProcessConfig, ProcessRuntime};
use orch_testkit::suite;

use crate::cluster::Cluster;
use crate::objects::pod;

type Check = (&'static str, fn());

pub(crate) const CHECKS: &[Check] = &[
    ("an_agent_restarted_over_a_living_store_adopts_what_runs", || on_a_node(adopts)),
    ("an_agent_restarted_over_an_empty_store_ends_what_ran_before_it_starts_anything", || {
        on_a_node(runs_no_twin);
    }),
];

/// A folder for one node.
struct Place(PathBuf);

impl Place {
    /// A folder that was not there before: one of this name may be left of an earlier process of the same number.
    fn new() -> Self {
        let named = |number| std::env::temp_dir().join(format!("orch-adoption-{}-{number}", std::process::id()));
        let made = (0..1000).map(named).find(|folder| std::fs::create_dir(folder).is_ok());
        Self(made.expect("a new folder among those for temporary files"))
    }

    /// Kills what runs, and removes the folder.
    async fn clear(&self) {
        let runtime = self.open().await;
        for sandbox in runtime.list().await.expect("a list") {
            runtime.remove(&sandbox.spec.pod).await.expect("removed");
        }
        runtime.close().await;
        std::fs::remove_dir_all(&self.0).expect("the folder is removed");
    }

    async fn open(&self) -> ProcessRuntime {
        ProcessRuntime::open(ProcessConfig::new(&self.0)).await.expect("a runtime")
    }
}

/// Runs a check on a node of its own. Whatever comes of it, nothing of the node is left.
fn on_a_node<Checked: Future<Output = ()>>(check: fn(Arc<Place>) -> Checked) {
    let place = Arc::new(Place::new());
    let checked = catch_unwind(|| suite::run(check(Arc::clone(&place))));
    // What was spawned has ended with the tokio runtime, also by a panic: the folder is free.
    let cleared = catch_unwind(|| suite::run(place.clear()));
    // The check's own failure is the one to be told.
    if let Err(panic) = checked.and(cleared) {
        resume_unwind(panic);
    }
}

/// The attempts that run, of all pods.
async fn running(runtime: &ProcessRuntime) -> Vec<ContainerStatus> {
    let sandboxes = runtime.list().await.expect("a list");
    sandboxes.into_iter().flat_map(|sandbox| sandbox.containers).filter(|attempt| attempt.state.is_running()).collect()
}

/// Whether a process runs; one that only waits to be reaped does not.
fn is_alive(process: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{process}/stat")) else { return false };
    !stat.rsplit(") ").next().unwrap_or_default().starts_with('Z')
}

async fn adopts(place: Arc<Place>) {
    let cluster = Cluster::new(Arc::new(SystemClock), 1);
    let runtime = place.open().await;
    let agent = cluster.start_agent(Arc::new(runtime.clone()));
    cluster.create(pod("a", RestartPolicy::Always, &["web"])).await;
    cluster.until_ready("a").await;
    let before = running(&runtime).await;
    let process = before[0].process.expect("a process");
    drop(agent);
    runtime.close().await;
    assert!(is_alive(process), "it outlives the agent");

    let runtime = place.open().await;
    let agent = cluster.start_agent(Arc::new(runtime.clone()));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = running(&runtime).await;
    assert_eq!(after.len(), 1);
    assert_eq!((after[0].process, &after[0].id, &after[0].state), (Some(process), &before[0].id, &before[0].state));
    let adopted = cluster.until_ready("a").await;
    assert_eq!(adopted.status.container_statuses[0].restart_count, 0);

    // It is not only left alone: the new agent minds it.
    let kill = std::process::Command::new("kill").args(["-9", &process.to_string()]).status();
    assert!(kill.expect("kill is there").success());
    let restarted = |pod: Option<&Pod>| {
        pod.is_some_and(|pod| pod.status.container_statuses[0].restart_count == 1 && pod.status.is_ready())
    };
    cluster.until("a", restarted).await;
    cluster.delete("a").await;
    cluster.until("a", |pod| pod.is_none()).await;
    assert_eq!(runtime.list().await.expect("a list"), []);
    drop(agent);
}

async fn runs_no_twin(place: Arc<Place>) {
    let runtime = place.open().await;
    let earlier = Cluster::new(Arc::new(SystemClock), 1);
    let agent = earlier.start_agent(Arc::new(runtime.clone()));
    for name in ["a", "b"] {
        // It does not end when it is asked to, so that a start that does not wait for its end would be seen.
        let mut stubborn = pod(name, RestartPolicy::Always, &["web"]);
        let script = "trap '' TERM; while :; do sleep 1; done";
        stubborn.spec.containers[0].command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        earlier.create(stubborn).await;
        earlier.until_ready(name).await;
    }
    let processes: Vec<u32> = running(&runtime).await.iter().filter_map(|attempt| attempt.process).collect();
    assert_eq!(processes.len(), 2);
    drop(agent);
    runtime.close().await;

    let runtime = place.open().await;
    let later = Cluster::new(Arc::new(SystemClock), 2);
    for name in ["a", "c"] {
        later.create(pod(name, RestartPolicy::Always, &["web"])).await;
    }
    let agent = later.start_agent(Arc::new(runtime.clone()));
    let is_new = |attempt: &ContainerStatus| attempt.process.is_some_and(|process| !processes.contains(&process));
    let looks = tokio::time::Instant::now();
    loop {
        // In this order: what is seen running first can only have been started after what is still alive then.
        let started = running(&runtime).await.iter().filter(|attempt| is_new(attempt)).count();
        let alive: Vec<&u32> = processes.iter().filter(|process| is_alive(**process)).collect();
        assert!(started == 0 || alive.is_empty(), "{started} were started while {alive:?} were alive");
        if started == 2 {
            break;
        }
        assert!(looks.elapsed() < Duration::from_secs(60), "nothing is started");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    later.until_ready("a").await;
    later.until_ready("c").await;
    for attempt in running(&runtime).await {
        assert!(matches!(attempt.state, ContainerState::Running { .. }) && attempt.id.attempt == 0);
    }
    drop(agent);
}
