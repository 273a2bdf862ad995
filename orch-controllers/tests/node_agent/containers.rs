//! Whole lives of pods that have what real containers have: images, init containers, volumes, settings and hooks.

use std::sync::Arc;
use std::time::Duration;

use orch_controllers::node_agent::NodeParts;
use orch_core::client::Precondition;
use orch_core::key::Prefix;
use orch_core::kind::Object as _;
use orch_core::object::{
    ConfigMap, ContainerState, Event, ExecAction, Lifecycle, LifecycleHandler, ObjectMeta, Pod, PodPhase,
    RestartPolicy, Secret, TerminationMessagePolicy,
};
use orch_core::runtime::{ContainerId, ExecOutput, PodUid, Runtime as _};
use orch_core::store::StoreExt as _;
use orch_runtime::fake::{FakeCommand, FakeProgram, FakePull, FakeRuntime, Fault, Operation};
use orch_runtime::volumes::{FakeVolumes, NodeFile};

use crate::clock::TokioClock;
use crate::cluster::Cluster;
use crate::objects::{key, pod};
use crate::watched_runtime::{BRIEF, WatchedRuntime};

struct Node1 {
    cluster: Cluster,
    runtime: WatchedRuntime,
    volumes: FakeVolumes,
}

impl Node1 {
    fn new() -> Self {
        let clock = TokioClock::new();
        let runtime = WatchedRuntime::new(FakeRuntime::new(clock.clone()));
        runtime.fake.require_images();
        Self { cluster: Cluster::new(clock, 1), runtime, volumes: FakeVolumes::new() }
    }

    fn parts(&self) -> NodeParts {
        NodeParts {
            runtime: Arc::new(self.runtime.clone()),
            images: Some(Arc::new(self.runtime.fake.clone())),
            volumes: Some(Arc::new(self.volumes.clone())),
            machine: None,
        }
    }

    /// Waits until the container of a pod waits for this reason, and returns the message.
    async fn until_waiting(&self, name: &str, reason: &str) -> String {
        let waits = |pod: Option<&Pod>| waiting(pod).is_some_and(|(found, _)| found == reason);
        let pod = self.cluster.until(name, waits).await;
        waiting(pod.as_deref()).map(|(_, message)| message).unwrap_or_default()
    }

    /// What people were told, as `Reason: message`.
    async fn events(&self) -> Vec<String> {
        let listed = self.cluster.client.store().list_as::<Event>(&Prefix::collection(&Event::KIND)).await;
        let (events, _) = listed.expect("a list");
        let words = |event: &Arc<Event>| {
            format!("{}: {}", event.reason.as_deref().unwrap_or_default(), event.message.as_deref().unwrap_or_default())
        };
        events.iter().map(words).collect()
    }
}

/// Why the container of a pod waits: reason and message.
fn waiting(pod: Option<&Pod>) -> Option<(String, String)> {
    let waiting = pod?.status.container_statuses.first()?.state.waiting.clone()?;
    Some((waiting.reason.unwrap_or_default(), waiting.message.unwrap_or_default()))
}

fn uid(pod: &Pod) -> PodUid {
    pod.metadata.uid.as_ref().expect("a uid").as_str().parse().expect("a checked uid")
}

fn attempt(pod: &Pod, name: &str, attempt: u32) -> ContainerId {
    ContainerId { pod: uid(pod), name: name.parse().expect("a name"), attempt }
}

fn restarted(times: i32) -> impl Fn(Option<&Pod>) -> bool {
    move |pod| pod.is_some_and(|pod| pod.status.is_ready() && pod.status.container_statuses[0].restart_count == times)
}

fn metadata(name: &str) -> ObjectMeta {
    ObjectMeta { name: name.into(), namespace: Some("shop".into()), ..ObjectMeta::default() }
}

const IMAGE: &str = "registry.example/web:1";

fn of_image(name: &str) -> Pod {
    let mut pod = pod(name, RestartPolicy::Always, &["web"]);
    pod.spec.containers[0].image = Some(IMAGE.to_owned());
    pod
}

fn hook(command: &str) -> Option<LifecycleHandler> {
    let exec = Some(ExecAction { command: vec![command.to_owned()] });
    Some(LifecycleHandler { exec, ..LifecycleHandler::default() })
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_missing_is_told_backed_off_from_and_used_once_it_is_there() {
    let node = Node1::new();
    let _agent = node.cluster.start_agent_of(node.parts());
    node.cluster.create(of_image("a")).await;
    let why = node.until_waiting("a", "ErrImagePull").await;
    assert!(why.contains("not found") && why.contains(IMAGE), "{why}");
    let why = node.until_waiting("a", "ImagePullBackOff").await;
    assert!(why.starts_with("Back-off pulling image \"registry.example/web:1\": ErrImagePull: "), "{why}");
    let begin = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_secs(100)).await;
    // At 0, 10, 30 and 70 s, give or take.
    assert_eq!((begin.elapsed().as_secs(), node.runtime.fake.calls(Operation::Pull)), (100, 4));
    node.runtime.fake.publish(IMAGE.parse().expect("a name"), FakePull::Gives("web".into()));
    let ready = |pod: Option<&Pod>| pod.is_some_and(|pod| pod.status.is_ready());
    let looks = async {
        while !ready(node.cluster.pod("a").await.as_deref()) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(300), looks).await.expect("it runs when the next try is due");
    let pod = node.cluster.pod("a").await.expect("the pod");
    assert!(pod.status.container_statuses[0].image_id.starts_with("sha256:"));
    let events = node.events().await;
    for wanted in [
        "Pulling: Pulling image \"registry.example/web:1\"",
        "Failed: Error: ErrImagePull",
        "BackOff: Back-off pulling image \"registry.example/web:1\"",
        "Failed: Error: ImagePullBackOff",
        "Created: Created container web",
        "Started: Started container web",
    ] {
        assert!(events.iter().any(|event| event == wanted), "{wanted} is not in {events:?}");
    }
    assert!(events.iter().any(|event| event.starts_with("Pulled: Successfully pulled image")), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn an_image_that_several_pods_need_is_fetched_once() {
    let node = Node1::new();
    node.runtime.fake.publish(IMAGE.parse().expect("a name"), FakePull::Gives("web".into()));
    node.runtime.fake.fail_every(Operation::Pull, Fault::Hang);
    let _agent = node.cluster.start_agent_of(node.parts());
    for name in ["a", "b", "c"] {
        node.cluster.create(of_image(name)).await;
    }
    tokio::time::sleep(Duration::from_secs(30)).await;
    let why = node.until_waiting("a", "ContainerCreating").await;
    assert_eq!(why, "pulling image \"registry.example/web:1\"");
    node.runtime.fake.heal(Operation::Pull);
    for name in ["a", "b", "c"] {
        node.cluster.until_ready(name).await;
    }
    assert_eq!(node.runtime.fake.calls(Operation::Pull), 1);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_waits_for_a_secret_starts_when_it_appears() {
    let node = Node1::new();
    let _agent = node.cluster.start_agent_of(node.parts());
    let mut needy = pod("a", RestartPolicy::Always, &["web"]);
    let env = r#"[{"name": "PW", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]"#;
    needy.spec.containers[0].env = serde_json::from_str(env).expect("variables");
    node.cluster.create(needy).await;
    let why = node.until_waiting("a", "CreateContainerConfigError").await;
    assert_eq!(why, "secret \"db\" not found");
    let secret = |key: &str| Secret {
        metadata: metadata("db"),
        string_data: [(key.to_owned(), "hush".to_owned())].into(),
        ..Secret::default()
    };
    let created = node.cluster.client.create(secret("user")).await.expect("created");
    let wants_key =
        |pod: Option<&Pod>| waiting(pod).is_some_and(|(_, why)| why == "couldn't find key password in Secret shop/db");
    node.cluster.until("a", wants_key).await;
    let on = Precondition::of(&*created).expect("it was stored");
    let whole = Secret { metadata: created.metadata.clone(), ..secret("password") };
    node.cluster.client.update(whole, on).await.expect("updated");
    let pod = node.cluster.until_ready("a").await;
    let sandbox = node.runtime.status(&uid(&pod)).await.expect("a status").expect("a sandbox");
    assert!(sandbox.containers[0].spec.env.contains(&("PW".to_owned(), "hush".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn the_files_of_a_volume_follow_their_config_map_and_go_with_the_pod() {
    let node = Node1::new();
    let _agent = node.cluster.start_agent_of(node.parts());
    let mut mounting = pod("a", RestartPolicy::Always, &["web"]);
    let volumes = r#"[{"name": "settings", "configMap": {"name": "settings", "defaultMode": 256}},
                      {"name": "scratch", "emptyDir": {}}]"#;
    mounting.spec.volumes = serde_json::from_str(volumes).expect("volumes");
    node.cluster.create(mounting).await;
    let why = node.until_waiting("a", "ContainerCreating").await;
    assert_eq!(why, "MountVolume.SetUp failed for volume \"settings\" : configmap \"settings\" not found");
    let map = |value: &str, metadata| ConfigMap {
        metadata,
        data: [("a".to_owned(), value.to_owned())].into(),
        ..ConfigMap::default()
    };
    let created = node.cluster.client.create(map("1", metadata("settings"))).await.expect("created");
    let pod = node.cluster.until_ready("a").await;
    let file = format!("/volumes/{}/settings/a", uid(&pod));
    let holds = |content: &str| Some(NodeFile::File { content: content.into(), mode: 0o400 });
    assert_eq!(node.volumes.get(&file), holds("1"));
    let on = Precondition::of(&*created).expect("it was stored");
    node.cluster.client.update(map("2", created.metadata.clone()), on).await.expect("updated");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(node.volumes.get(&file), holds("2"));
    assert_eq!(node.runtime.fake.calls(Operation::Start), 1, "no container is restarted for that");
    let before = node.volumes.writes();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(node.volumes.writes(), before);
    node.cluster.delete("a").await;
    node.cluster.until("a", |pod| pod.is_none()).await;
    let left: Vec<_> =
        node.volumes.paths().into_iter().filter(|path| path.starts_with(format!("/volumes/{}", uid(&pod)))).collect();
    assert_eq!(left, [""; 0].map(std::path::PathBuf::from), "nothing of the pod is left");
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_cannot_be_made_is_told_and_tried_again() {
    let node = Node1::new();
    node.volumes.fail(Some("no space left on device: free some"));
    let _agent = node.cluster.start_agent_of(node.parts());
    let mut mounting = pod("a", RestartPolicy::Always, &["web"]);
    let volumes = r#"[{"name": "scratch", "emptyDir": {}}]"#;
    mounting.spec.volumes = serde_json::from_str(volumes).expect("volumes");
    node.cluster.create(mounting).await;
    let told = |pod: Option<&Pod>| waiting(pod).is_some_and(|(_, why)| why.contains("no space left"));
    node.cluster.until("a", told).await;
    let why = "MountVolume.SetUp failed for volume \"scratch\" : no space left on device: free some";
    assert!(node.events().await.contains(&format!("FailedMount: {why}")));
    node.volumes.fail(None);
    node.cluster.until_ready("a").await;
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_that_cannot_be_made_is_told_and_tried_again() {
    let node = Node1::new();
    node.runtime.fake.fail_every(Operation::CreateSandbox, Fault::Unavailable { transient: true });
    let _agent = node.cluster.start_agent_of(node.parts());
    node.cluster.create(pod("a", RestartPolicy::Always, &["web"])).await;
    let told = |pod: Option<&Pod>| waiting(pod).is_some_and(|(_, why)| why.starts_with("Failed to create pod sandbox"));
    node.cluster.until("a", told).await;
    assert!(node.events().await.iter().any(|event| event.starts_with("FailedCreatePodSandBox: ")));
    node.runtime.fake.heal(Operation::CreateSandbox);
    node.cluster.until_ready("a").await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_whose_sandbox_was_destroyed_begins_again_in_a_new_one() {
    let node = Node1::new();
    let _agent = node.cluster.start_agent_of(node.parts());
    let mut initialized = pod("a", RestartPolicy::Always, &["web"]);
    initialized.spec.init_containers = pod("a", RestartPolicy::Always, &[BRIEF]).spec.containers;
    node.cluster.create(initialized).await;
    let first = node.cluster.until_ready("a").await;
    assert_eq!(node.runtime.summary().await, "a init-brief/0 ended, a web/0 runs");
    assert!(node.runtime.fake.destroy_sandbox(&uid(&first)));
    node.cluster.until("a", restarted(1)).await;
    assert_eq!(node.runtime.summary().await, "a init-brief/1 ended, a web/1 runs");
    let changed = "SandboxChanged: Pod sandbox changed, it will be killed and re-created.".to_owned();
    assert!(node.events().await.contains(&changed));
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_restarted_runs_no_init_container_and_no_hook_again() {
    let node = Node1::new();
    node.runtime.fake.publish(IMAGE.parse().expect("a name"), FakePull::Gives("web".into()));
    let first = node.cluster.start_agent_of(node.parts());
    let mut rich = of_image("a");
    rich.spec.init_containers = pod("a", RestartPolicy::Always, &[BRIEF]).spec.containers;
    rich.spec.containers[0].lifecycle = Some(Lifecycle { post_start: hook("greet"), pre_stop: hook("leave") });
    node.cluster.create(rich).await;
    let before = node.cluster.until_ready("a").await;
    assert_eq!(node.runtime.fake.calls(Operation::Exec), 1, "the hook after the start");
    // Whoever cleans the node up takes what has ended.
    assert!(node.runtime.fake.lose(&attempt(&before, BRIEF, 0)));
    drop(first);
    let second = node.cluster.start_agent_of(node.parts());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((node.runtime.fake.calls(Operation::Start), node.runtime.fake.calls(Operation::Exec)), (2, 1));
    let after = node.cluster.pod("a").await.expect("the pod");
    assert_eq!(after.status.phase(), PodPhase::Running);
    let init: &ContainerState = &after.status.init_container_statuses[0].state;
    assert!(init.terminated.as_ref().is_some_and(|ended| ended.exit_code == 0), "what is lost is still told: {init:?}");
    node.cluster.delete("a").await;
    node.cluster.until("a", |pod| pod.is_none()).await;
    assert_eq!(node.runtime.fake.calls(Operation::Exec), 2, "the hook before the end");
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn hooks_that_fail_are_told_and_take_their_time_from_the_grace_period() {
    let node = Node1::new();
    let fails = FakeCommand::Ends(ExecOutput { code: 1, stderr: b"not today".to_vec(), ..ExecOutput::default() });
    node.runtime.fake.script_exec("greet", fails);
    node.runtime.fake.script_exec("hangs", FakeCommand::Hangs(Vec::new()));
    let _agent = node.cluster.start_agent_of(node.parts());
    let mut hooked = pod("a", RestartPolicy::Never, &["web"]);
    hooked.spec.containers[0].lifecycle = Some(Lifecycle { post_start: hook("greet"), pre_stop: None });
    node.cluster.create(hooked).await;
    let failed = |pod: Option<&Pod>| pod.is_some_and(|pod| pod.status.phase() == PodPhase::Failed);
    node.cluster.until("a", failed).await;
    let why = "FailedPostStartHook: PostStartHook failed: command exited with 1: not today".to_owned();
    assert!(node.events().await.contains(&why));

    let mut slow = pod("b", RestartPolicy::Always, &["web"]);
    slow.spec.containers[0].lifecycle = Some(Lifecycle { post_start: None, pre_stop: hook("hangs") });
    slow.spec.termination_grace_period_seconds = Some(20);
    node.cluster.create(slow).await;
    node.cluster.until_ready("b").await;
    let begin = tokio::time::Instant::now();
    node.cluster.delete("b").await;
    node.cluster.until("b", |pod| pod.is_none()).await;
    let took = begin.elapsed().as_secs();
    assert!((20..=23).contains(&took), "{took} s");
    let events = node.events().await;
    assert!(events.iter().any(|event| event.starts_with("FailedPreStopHook: PreStopHook failed: ")), "{events:?}");
    assert!(events.contains(&"Killing: Stopping container web".to_owned()));
    assert_eq!(node.cluster.client.store().get_as::<Pod>(&key("b")).await.expect("an answer"), None);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_is_told() {
    let node = Node1::new();
    let fails = FakeCommand::Ends(ExecOutput { code: 1, stderr: b"not yet".to_vec(), ..ExecOutput::default() });
    node.runtime.fake.script_exec("ready", fails);
    let _agent = node.cluster.start_agent_of(node.parts());
    let mut probed = pod("a", RestartPolicy::Always, &["web"]);
    let probe = r#"{"exec": {"command": ["ready"]}, "periodSeconds": 1}"#;
    probed.spec.containers[0].readiness_probe = serde_json::from_str(probe).expect("a probe");
    node.cluster.create(probed).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let told = "Unhealthy: Readiness probe failed: command exited with 1: not yet".to_owned();
    assert!(node.events().await.contains(&told));
}

#[tokio::test(start_paused = true)]
async fn a_container_says_why_it_ended_in_its_file_or_else_in_its_logs() {
    let node = Node1::new();
    node.runtime.fake.publish(IMAGE.parse().expect("a name"), FakePull::Gives("web".into()));
    node.runtime.fake.script("log", FakeProgram::runs().writing("first\nno such table\n"));
    let _agent = node.cluster.start_agent_of(node.parts());
    let mut talking = pod("a", RestartPolicy::Never, &["web", "log"]);
    talking.spec.containers[0].image = Some(IMAGE.to_owned());
    talking.spec.containers[1].termination_message_policy = Some(TerminationMessagePolicy::FallbackToLogsOnError);
    node.cluster.create(talking).await;
    let pod = node.cluster.until_ready("a").await;
    let [web, log] = ["web", "log"].map(|name| attempt(&pod, name, 0));
    let mounts = node.runtime.mounts(&web);
    assert_eq!((mounts.len(), mounts[0].target.to_str()), (1, Some("/dev/termination-log")));
    assert_eq!(node.runtime.mounts(&log), [], "a plain process has not asked for a file");
    let said = NodeFile::File { content: b"out of cheese".to_vec(), mode: 0o666 };
    node.volumes.put(&mounts[0].source, said);
    assert!(node.runtime.fake.crash(&web, 3) && node.runtime.fake.crash(&log, 1));
    let failed = |pod: Option<&Pod>| pod.is_some_and(|pod| pod.status.phase() == PodPhase::Failed);
    let pod = node.cluster.until("a", failed).await.expect("the pod");
    let message = |index: usize| pod.status.container_statuses[index].state.terminated.clone()?.message;
    assert_eq!(message(0).as_deref(), Some("out of cheese"));
    assert_eq!(message(1).as_deref(), Some("first\nno such table\n"));
    node.cluster.delete("a").await;
    node.cluster.until("a", |pod| pod.is_none()).await;
    // A pod that has ended is gone at once, and what is left of it is cleared after that.
    let left = async {
        while node.volumes.get(&mounts[0].source).is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), left).await.expect("nothing of the pod is left");
}

#[tokio::test(start_paused = true)]
async fn what_attempts_said_goes_when_nobody_needs_to_know_of_them_any_more() {
    let node = Node1::new();
    node.runtime.fake.publish(IMAGE.parse().expect("a name"), FakePull::Gives("web".into()));
    let _agent = node.cluster.start_agent_of(node.parts());
    node.cluster.create(of_image("a")).await;
    for restarts in 0..5 {
        let is_back = async {
            loop {
                let pod = node.cluster.pod("a").await;
                if restarted(restarts)(pod.as_deref()) {
                    return pod.expect("the pod");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let pod = tokio::time::timeout(Duration::from_secs(600), is_back).await.expect("it is started again");
        let web = attempt(&pod, "web", restarts.unsigned_abs());
        let file = node.runtime.mounts(&web)[0].source.clone();
        let said = NodeFile::File { content: format!("end {restarts}").into_bytes(), mode: 0o666 };
        node.volumes.put(&file, said);
        if let Some(last) = &pod.status.container_statuses[0].last_state.terminated {
            assert_eq!(last.message, Some(format!("end {}", restarts - 1)));
        }
        let files = node.volumes.paths().iter().filter(|path| path.parent() == file.parent()).count();
        assert!(files <= 3, "{files} files after {restarts} restarts: {:?}", node.volumes.paths());
        assert!(node.runtime.fake.crash(&web, 3));
    }
}

#[tokio::test(start_paused = true)]
async fn only_some_images_are_fetched_at_a_time_and_none_for_a_pod_that_is_gone() {
    let node = Node1::new();
    node.runtime.fake.fail_every(Operation::Pull, Fault::Hang);
    let _agent = node.cluster.start_agent_of(node.parts());
    for name in ["a", "b", "c", "d", "e"] {
        let mut own = of_image(name);
        let image = format!("registry.example/{name}:1");
        node.runtime.fake.publish(image.parse().expect("a name"), FakePull::Gives(name.into()));
        own.spec.containers[0].image = Some(image);
        node.cluster.create(own).await;
    }
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(node.runtime.fake.calls(Operation::Pull), 3);
    node.cluster.delete("a").await;
    node.cluster.until("a", |pod| pod.is_none()).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(node.runtime.fake.calls(Operation::Pull), 4, "its turn went to another");
    node.runtime.fake.heal(Operation::Pull);
    for name in ["b", "c", "d", "e"] {
        node.cluster.until_ready(name).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_without_a_place_for_volumes_says_so() {
    let node = Node1::new();
    let _agent = node.cluster.start_agent_of(NodeParts { volumes: None, ..node.parts() });
    let mut mounting = pod("a", RestartPolicy::Always, &["web"]);
    mounting.spec.volumes = serde_json::from_str(r#"[{"name": "scratch", "emptyDir": {}}]"#).expect("volumes");
    node.cluster.create(mounting).await;
    let told = |pod: Option<&Pod>| waiting(pod).is_some_and(|(_, why)| why.contains("without a place for volumes"));
    node.cluster.until("a", told).await;
    node.cluster.delete("a").await;
    node.cluster.until("a", |pod| pod.is_none()).await;
}
