//! What a runtime that is closed leaves on its node.

use std::path::PathBuf;
use std::time::Duration;

use orch_core::runtime::{ContainerId, Runtime as _};
use orch_runtime::containerd::ContainerdRuntime;
use orch_testkit::daemon::Traces;
use orch_testkit::suite::runtime::{Program, RuntimeFixture as _};

use super::place::{Place, id, sandbox};

/// Whether the bridge is there.
fn has_bridge(place: &Place) -> bool {
    let shown = place.ip(&["link", "show", place.config().network.bridge().as_str()]);
    shown.status.success()
}

/// The control groups that those of containers are made in.
fn groups(place: &Place) -> Vec<PathBuf> {
    let group = format!("{}/{}", place.containerd().cgroup_parent().trim_start_matches('/'), place.namespace());
    let hierarchies = std::fs::read_dir("/sys/fs/cgroup").expect("control groups").flatten();
    let roots = hierarchies.map(|entry| entry.path()).chain(["/sys/fs/cgroup".into()]);
    roots.map(|root| root.join(&group)).filter(|group| group.exists()).collect()
}

async fn run(runtime: &ContainerdRuntime, place: &Place, id: &ContainerId) {
    runtime.create_sandbox(&sandbox(id.pod.as_str())).await.expect("a sandbox");
    runtime.start(id, &place.container(Program::Runs)).await.expect("started");
}

#[tokio::test]
async fn when_no_pod_is_left_nothing_is_left_but_images() {
    let place = Place::alone().await;
    let runtime = place.open().await;
    let before = place.traces().await;
    let clone = runtime.clone();
    assert!(!has_bridge(&place), "it is made for the first pod");
    let web = id("a", "web", 0);
    run(&runtime, &place, &web).await;
    assert!(has_bridge(&place) && !groups(&place).is_empty());

    runtime.clone().close().await.expect("closed");
    assert!(has_bridge(&place) && !groups(&place).is_empty(), "a pod needs them");
    let pod = runtime.status(&web.pod).await.expect("a status").expect("the pod");
    assert!(pod.ready && pod.containers[0].state.is_running(), "it goes on: {pod:?}");

    runtime.stop(&web, Duration::from_secs(20)).await.expect("stopped");
    runtime.remove(&web.pod).await.expect("removed");
    runtime.close().await.expect("closed");
    assert!(!has_bridge(&place), "nothing needs it");
    assert_eq!(groups(&place), Vec::<PathBuf>::new());
    assert_eq!(place.traces().await, before, "no container, snapshot, lease, mount or file is left");
    assert_eq!(Traces::from(place.containerd()).of_containers(), [].into());

    run(&clone, &place, &web).await;
    assert!(has_bridge(&place), "who uses it after all makes it again");
    clone.remove(&web.pod).await.expect("removed");
    for _ in 0..2 {
        clone.clone().close().await.expect("closed, or was");
    }
    assert!(!has_bridge(&place));
}

#[tokio::test]
async fn pods_that_come_while_it_is_closed_have_a_network() {
    let place = Place::new().await;
    let runtime = place.open().await;
    for number in 0..10 {
        let web = id(&format!("pod-{number}"), "web", 0);
        let closing = runtime.clone().close();
        let (closed, ()) = tokio::join!(closing, run(&runtime, &place, &web));
        closed.expect("closed");
        assert!(has_bridge(&place), "a pod needs it");
        let pod = runtime.status(&web.pod).await.expect("a status").expect("the pod");
        assert!(pod.ready, "{pod:?}");
        runtime.remove(&web.pod).await.expect("removed");
    }
    runtime.close().await.expect("closed");
    assert!(!has_bridge(&place));
}

#[tokio::test]
async fn a_bridge_that_others_made_stays() {
    let place = Place::new().await;
    let bridge = place.config().network.bridge().clone();
    assert!(place.ip(&["link", "add", bridge.as_str(), "type", "bridge"]).status.success());
    let runtime = place.open().await;
    let web = id("a", "web", 0);
    run(&runtime, &place, &web).await;
    runtime.remove(&web.pod).await.expect("removed");
    runtime.close().await.expect("closed");
    assert!(has_bridge(&place), "it was there before");
}
