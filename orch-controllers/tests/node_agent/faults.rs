//! The agent on a node that lives on, with every fault at every point.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::FutureExt as _;
use orch_controllers::node_agent::NodeParts;
use orch_core::client::{ClientError, Grace};
use orch_core::object::{
    ConfigMap, ExecAction, ImagePullPolicy, Lifecycle, LifecycleHandler, ObjectMeta, Pod, PodPhase, RestartPolicy,
};
use orch_core::runtime::{ContainerId, Runtime as _};
use orch_runtime::fake::{FakePull, FakeRuntime};
use orch_runtime::volumes::{FakeVolumes, NodeFile};
use orch_testkit::fault::{Actor, Cluster, Family, Scenario, Step, System};

use crate::objects::{agent_of, key, pod};
use crate::watched_runtime::{BRIEF, WatchedRuntime};

/// The node of the run that is being played; each run has its own.
type Played = Arc<Mutex<Option<WatchedRuntime>>>;

fn runtime(played: &Played) -> WatchedRuntime {
    played.lock().expect("a lock").clone().expect("a run is being played")
}

/// The image that the registry has.
const IMAGE: &str = "registry.example/web:1";

/// What is in the volumes of a node, by the names of pods that are no secret of one run.
fn contents(volumes: &FakeVolumes) -> String {
    let files = volumes.paths().into_iter().filter_map(|path| match volumes.get(&path)? {
        NodeFile::File { content, .. } => {
            let within: PathBuf = path.components().skip(3).collect();
            Some(format!("{}: {}", within.display(), String::from_utf8_lossy(&content)))
        }
        _ => None,
    });
    files.collect::<Vec<_>>().join(", ")
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
        let image = IMAGE.parse().expect("the name of an image");
        watched.fake.publish(image, FakePull::Gives("web".into()));
        let volumes = FakeVolumes::new();
        let parts = NodeParts {
            runtime: Arc::new(watched.clone()),
            images: Some(Arc::new(watched.fake.clone())),
            volumes: Some(Arc::new(volumes.clone())),
            machine: None,
        };
        let store = Arc::clone(cluster.client().store());
        let summary = move || watched.summary().now_or_never().expect("the fake answers at once");
        let system = System::new()
            .controller(move || agent_of(parts.clone(), Arc::clone(&store)))
            .outside("what is on the node", summary)
            .outside("what is in the volumes", move || contents(&volumes));
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
            touched(cluster, name).await
        }
        .boxed()
    })
}

/// Makes the agent look at a pod.
async fn touched(cluster: &Cluster, name: &str) -> Result<(), ClientError> {
    let count = |pod: &Pod| pod.metadata.annotations.get("ends").and_then(|count| count.parse::<u32>().ok());
    cluster
        .update::<Pod>(&key(name), |pod| {
            let next = count(pod).unwrap_or(0) + 1;
            pod.metadata.annotations.insert("ends".into(), next.to_string());
        })
        .await
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

/// A pod with everything that comes before and after a container: an image, an init container, volumes, hooks.
fn rich_pod(name: &str) -> Pod {
    let mut pod = pod(name, RestartPolicy::Always, &["web"]);
    pod.spec.init_containers = self::pod(name, RestartPolicy::Always, &["init-1", "init-2"]).spec.containers;
    let volumes = r#"[{"name": "scratch", "emptyDir": {}}, {"name": "settings", "configMap": {"name": "settings"}}]"#;
    pod.spec.volumes = serde_json::from_str(volumes).expect("volumes");
    let hook = || {
        let exec = Some(ExecAction { command: vec!["hook".to_owned()] });
        Some(LifecycleHandler { exec, ..LifecycleHandler::default() })
    };
    let web = &mut pod.spec.containers[0];
    web.image = Some(IMAGE.to_owned());
    web.image_pull_policy = Some(ImagePullPolicy::Always);
    web.lifecycle = Some(Lifecycle { post_start: hook(), pre_stop: hook() });
    pod
}

/// The same, but it does what it does without anybody's help.
fn rich_pod_by_itself(name: &str) -> Pod {
    let mut rich = rich_pod(name);
    rich.spec.init_containers = pod(name, RestartPolicy::Always, &[BRIEF]).spec.containers;
    rich
}

/// Whether a pod is ready after so many restarts of its container.
fn is_ready_after(name: &str, restarts: i32) -> impl Fn(&Cluster) -> bool + Send + Sync + 'static {
    let key = key(name);
    move |cluster| {
        let pod = cluster.get::<Pod>(&key);
        pod.is_some_and(|pod| pod.status.is_ready() && pod.status.container_statuses[0].restart_count >= restarts)
    }
}

fn settings(value: &str) -> ConfigMap {
    let metadata = ObjectMeta { name: "settings".into(), namespace: Some("shop".into()), ..ObjectMeta::default() };
    ConfigMap { metadata, data: [("a".to_owned(), value.to_owned())].into(), ..ConfigMap::default() }
}

fn what_comes_before_and_after_containers_survives_every_fault() -> Scenario {
    let (scenario, played) = scenario("init containers, images, volumes, hooks", false);
    scenario
        .object(settings("1"))
        .object(rich_pod("a"))
        .object(rich_pod_by_itself("c"))
        .step(ends(&played, "the first init container does its work", "a", "init-1", 0))
        .step(ends(&played, "the second init container fails", "a", "init-2", 1))
        .step(ends(&played, "the second init container does its work", "a", "init-2", 0))
        .step(changed_settings().as_soon_as(is_ready_after("c", 0)))
        .step(Step::delete::<Pod>(&key("a")))
}

/// Each second step proves that the pod came through what was before. They are not the next ones, since a controller
/// that sees nothing until the next step cannot bring about what that one waits for.
fn a_pod_with_all_that_there_is_goes_through_its_life_under_any_fault() -> Scenario {
    let (scenario, played) = scenario("image, volumes, hooks, a crash and an end", false);
    let looks = || Step::new("somebody looks at a", |cluster| touched(cluster, "a").boxed());
    scenario
        .object(settings("1"))
        .object(rich_pod_by_itself("a"))
        .step(looks())
        .step(ends(&played, "web crashes", "a", "web", 1).as_soon_as(is_ready_after("a", 0)))
        .step(looks())
        .step(Step::delete::<Pod>(&key("a")).as_soon_as(is_ready_after("a", 1)))
        .unpaired(
            Family::Stale,
            "of two that are frozen one after the other, the second waits for the step that waits for it",
        )
}

fn changed_settings() -> Step {
    Step::new("the settings change", |cluster| {
        async move {
            let key = "configmaps/shop/settings".parse().expect("a key");
            cluster.update::<ConfigMap>(&key, |map| map.data = settings("2").data).await
        }
        .boxed()
    })
}

fn a_sandbox_that_others_destroy_is_made_anew_under_any_fault() -> Scenario {
    let (scenario, played) = scenario("sandbox destroyed by others", false);
    let mut initialized = pod("a", RestartPolicy::Always, &["web"]);
    initialized.spec.init_containers = pod("a", RestartPolicy::Always, &["init-1"]).spec.containers;
    scenario
        .object(initialized)
        .object(pod("b", RestartPolicy::Never, &["web"]))
        .step(ends(&played, "the init container does its work", "a", "init-1", 0))
        .step(destroyed(&played, "a"))
        .step(ends(&played, "the init container does its work again", "a", "init-1", 0))
        .step(destroyed(&played, "b"))
        .step(Step::delete::<Pod>(&key("a")))
}

/// Somebody else destroys the sandbox of a pod.
fn destroyed(played: &Played, name: &'static str) -> Step {
    let played = Arc::clone(played);
    Step::new(format!("the sandbox of {name} is destroyed"), move |cluster| {
        let runtime = runtime(&played);
        async move {
            let Some(pod) = cluster.get::<Pod>(&key(name)) else { return Ok(()) };
            let uid = pod.metadata.uid.clone().unwrap_or_default();
            runtime.fake.destroy_sandbox(&uid.as_str().parse().expect("a uid"));
            touched(cluster, name).await
        }
        .boxed()
    })
}

fn scenarios() -> Vec<Scenario> {
    vec![
        pods_that_run_are_deleted_and_come_again_survive_every_fault(),
        pods_removed_by_force_leave_no_twin_under_any_fault(),
        crash_loops_count_every_restart_once_under_any_fault(),
        pods_that_end_by_themselves_survive_every_fault(),
        what_comes_before_and_after_containers_survives_every_fault(),
        a_pod_with_all_that_there_is_goes_through_its_life_under_any_fault(),
        a_sandbox_that_others_destroy_is_made_anew_under_any_fault(),
    ]
}

mod conformance {
    orch_testkit::controller_suite!(super::scenarios());
}
