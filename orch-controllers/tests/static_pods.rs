//! The static pod controller under every fault at every point.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orch_controllers::engine::{Engine, EngineHandle};
use orch_controllers::static_pods::{
    CONFIG_HASH, CONFIG_SOURCE, FilePod, PodFile, PodSource, PodSourceError, StaticPodConfig, StaticPodController,
};
use orch_core::client::{Client, Precondition};
use orch_core::clock::SystemClock;
use orch_core::controller::ViewExt as _;
use orch_core::entropy::SeededEntropy;
use orch_core::key::{Key, Prefix};
use orch_core::kind::Object as _;
use orch_core::object::{Event, Lease, Node, Pod, Uid};
use orch_core::store::{ListOptions, Store, StoreExt as _};
use orch_store::MemoryStore;
use orch_testkit::fault::{Cluster, Kubelet, Scenario, Step, System};

const NODE: &str = "node-1";

/// A folder outside the view: it says what the number on a lease stands for, which nobody is told of.
#[derive(Debug)]
struct Folder(Arc<dyn Store>);

#[async_trait]
impl PodSource for Folder {
    async fn files(&self) -> Result<Vec<PodFile>, PodSourceError> {
        let lease = self.0.get_as::<Lease>(&lease_key()).await.expect("a store that works");
        folder(lease.and_then(|lease| lease.spec.holder_identity.clone()?.parse().ok()).unwrap_or(0))
    }
}

/// What the folder says, number by number.
fn folder(step: usize) -> Result<Vec<PodFile>, PodSourceError> {
    match step {
        0 => Ok(vec![]),
        1 => Ok(vec![file("web.yaml", &[("web", "web:1"), ("log", "log:1")]), file("db.yaml", &[("db", "db:1")])]),
        2 => Ok(vec![file("web.yaml", &[("web", "web:2"), ("log", "log:1")]), file("db.yaml", &[("db", "db:1")])]),
        3 => Ok(vec![broken("web.yaml"), file("data.yaml", &[("db", "db:1")])]),
        4 => Err(PodSourceError::Unreadable { message: "gone".to_owned() }),
        5 => Ok(vec![file("web.yaml", &[("web", "web:1")]), file("www.yaml", &[("web", "web:3")])]),
        6 => Ok(vec![file("www.yaml", &[("web", "web:3")])]),
        _ => Ok(vec![file("web.yaml", &[("web", "web:2"), ("log", "log:1")]), file("data.yaml", &[("db", "db:1")])]),
    }
}

fn pod(name: &str, image: &str) -> Pod {
    let spec = serde_json::json!({"containers": [{"name": "web", "image": image}]});
    serde_json::from_value(serde_json::json!({"metadata": {"name": name, "namespace": "default"}, "spec": spec}))
        .expect("a pod")
}

fn file(name: &str, pods: &[(&str, &str)]) -> PodFile {
    let pods = pods.iter().map(|(name, image)| FilePod { line: 1, pod: pod(name, image) });
    PodFile { name: name.to_owned(), pods: Ok(pods.collect()) }
}

fn broken(name: &str) -> PodFile {
    PodFile { name: name.to_owned(), pods: Err(PodSourceError::Empty) }
}

fn node() -> Node {
    let mut node = Node::default();
    node.metadata.name = NODE.to_owned();
    node
}

fn pod_key(name: &str) -> Key {
    Key::new(&Pod::KIND, Some("default"), name).expect("a name")
}

fn bound(mut pod: Pod, node: &str) -> Pod {
    pod.spec.node_name = Some(node.to_owned());
    pod
}

fn marked(mut pod: Pod) -> Pod {
    for (name, value) in [(CONFIG_SOURCE, "file"), (CONFIG_HASH, "0")] {
        pod.metadata.annotations.insert(name.to_owned(), value.to_owned());
    }
    pod
}

fn lease_key() -> Key {
    Key::new(&Lease::KIND, Some("test"), "folder").expect("a name")
}

fn lease(number: usize) -> Lease {
    let mut lease = Lease::default();
    lease.metadata.name = lease_key().name().to_owned();
    lease.metadata.namespace = Some("test".to_owned());
    lease.spec.holder_identity = Some(number.to_string());
    lease
}

fn says(number: usize) -> Step {
    Step::update::<Lease>(&format!("the folder says {number}"), &lease_key(), move |lease| {
        lease.spec.holder_identity = Some(number.to_string());
    })
}

fn controller(store: &Arc<dyn Store>) -> Arc<StaticPodController> {
    let folder = Arc::new(Folder(Arc::clone(store)));
    Arc::new(StaticPodController::new(StaticPodConfig::new(NODE), folder).expect("a name"))
}

fn system(cluster: &Cluster) -> System {
    let store = Arc::clone(cluster.client().store());
    System::new().controller(move || controller(&store)).actor(Kubelet::new())
}

fn scenario(name: &'static str) -> Scenario {
    Scenario::new(name, system)
        .horizon(Duration::from_secs(50))
        .object(node())
        .object(lease(0))
        .bystander(bound(pod("users", "users"), NODE))
        .bystander(marked(bound(pod("elsewhere", "web:1"), "node-2")))
}

fn pods_follow_the_folder_and_go_on_while_it_is_broken() -> Scenario {
    let mut nameless = marked(bound(pod("invalid", "web"), NODE));
    nameless.spec.containers.clear();
    let is_there = |cluster: &Cluster, name| cluster.get::<Pod>(&pod_key(name)).is_some();
    scenario("static pods: made, changed, broken")
        .invalid(nameless)
        .step(says(1))
        .step(says(2))
        .step(says(3))
        .step(says(4))
        // Where the file broke between the end of the old pod and the start of the new one, the new one was not made.
        .step(says(7))
        .always("a pod whose file or folder is broken goes on", move |cluster| {
            let lease = cluster.get::<Lease>(&lease_key()).and_then(|lease| lease.spec.holder_identity.clone());
            let broken = matches!(lease.as_deref(), Some("3" | "4"));
            if broken && !is_there(cluster, "log-node-1") { Err("it is gone".to_owned()) } else { Ok(()) }
        })
}

fn pods_come_back_as_they_were_and_go_with_their_files() -> Scenario {
    scenario("static pods: changed back, deleted, removed")
        .step(says(1))
        .step(Step::delete::<Pod>(&pod_key("db-node-1")))
        .step(says(2))
        .step(says(5))
        .step(says(6))
        .step(says(1))
        .step(says(0))
}

fn a_name_that_somebody_has_is_left_to_them_until_it_is_free() -> Scenario {
    scenario("static pods: a name that is taken")
        .object(bound(pod("db-node-1", "users"), NODE))
        .step(says(1))
        .step(Step::delete::<Pod>(&pod_key("db-node-1")))
}

fn scenarios() -> Vec<Scenario> {
    vec![
        pods_follow_the_folder_and_go_on_while_it_is_broken(),
        pods_come_back_as_they_were_and_go_with_their_files(),
        a_name_that_somebody_has_is_left_to_them_until_it_is_free(),
    ]
}

mod conformance {
    orch_testkit::controller_suite!(super::scenarios());
}

fn client() -> Client {
    Client::new(Arc::new(MemoryStore::new()), Arc::new(SystemClock), Arc::new(SeededEntropy::from_os()))
}

/// The pod, as soon as it is there.
async fn made(engine: &EngineHandle, name: &str) -> Arc<Pod> {
    loop {
        match engine.cache().find::<Pod>(Some("default"), name) {
            Some(pod) => return pod,
            None => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_trouble_is_told_once_and_a_folder_that_is_followed_costs_no_write() {
    let client = client();
    client.create(node()).await.expect("a node");
    let mut said = (*client.create(lease(3)).await.expect("a lease")).clone();
    let engine = Engine::builder(client.clone()).controller(controller(client.store())).start().expect("an engine");
    made(&engine, "db-node-1").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let revision = async || {
        let page = client.store().list(&Prefix::collection(&Pod::KIND), ListOptions::default()).await;
        page.expect("a list").revision
    };
    let before = revision().await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(revision().await, before, "an hour later nothing was written");
    let on = Precondition::of(&said).expect("it was stored");
    said.spec.holder_identity = Some("0".to_owned());
    client.update(said, on).await.expect("a lease");
    tokio::time::sleep(Duration::from_secs(21)).await;
    assert!(engine.cache().find::<Pod>(Some("default"), "db-node-1").is_none_or(|pod| pod.metadata.is_deleting()));
    engine.shutdown().await;
    let events = client.store().list(&Prefix::collection(&Event::KIND), ListOptions::default()).await.expect("a list");
    let events: Vec<Arc<Event>> = events.entries.iter().map(|entry| entry.decode().expect("an event")).collect();
    let [event] = &events[..] else { panic!("{events:?}") };
    let message = event.message.clone().unwrap_or_default();
    assert!(message.starts_with("web.yaml: it holds no pod: write one into it"), "{message}");
    assert_eq!((event.count, event.involved_object.name.as_deref()), (Some(1), Some(NODE)));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_was_lost_gets_the_same_pod_again() {
    let mut uids: Vec<Option<Uid>> = Vec::new();
    for _ in 0..2 {
        // There is no node yet, either: its agent is started later.
        let client = client();
        client.create(lease(1)).await.expect("a lease");
        let engine = Engine::builder(client.clone()).controller(controller(client.store())).start().expect("an engine");
        let pod = made(&engine, "web-node-1").await;
        assert_eq!(pod.metadata.annotations.get(CONFIG_HASH).map(Uid::new), pod.metadata.uid);
        uids.push(pod.metadata.uid.clone());
        engine.shutdown().await;
    }
    assert_eq!(uids[0], uids[1]);
}
