//! The agent on a view that is out of date: what its effects would do is prevented when they are performed.

use std::sync::Arc;

use orch_controllers::node_agent::NodeParts;
use orch_core::client::{Grace, Precondition};
use orch_core::clock::Timestamp;
use orch_core::controller::{Action, Context, ControllerError};
use orch_core::object::{ObjectMeta, Pod, PodPhase, RestartPolicy, Uid};
use orch_core::revision::Revision;
use orch_core::runtime::{Runtime as _, Volumes as _};
use orch_runtime::fake::{FakeRuntime, Operation};
use orch_runtime::volumes::FakeVolumes;
use orch_testkit::model::ModelView;

use crate::clock::TokioClock;
use crate::cluster::Cluster;
use crate::objects::{agent_of, key, pod};

/// Performs what is planned on an old view up to the first error, writes left out: their own preconditions stop them.
async fn perform(cluster: &Cluster, runtime: &FakeRuntime, old: Arc<Pod>) -> Result<(), ControllerError> {
    let parts = NodeParts::new(Arc::new(runtime.clone()));
    let agent = agent_of(parts, Arc::clone(cluster.client.store()));
    let context =
        Context { view: &ModelView::of(key("a"), old), now: Timestamp::from_second(1_800_000_000).expect("a time") };
    for action in agent.reconcile(&key("a"), context).await?.actions {
        if let Action::Effect(effect) = action {
            effect.perform().await?;
        }
    }
    Ok(())
}

async fn stored(cluster: &Cluster, pod: Pod) -> Arc<Pod> {
    cluster.client.create(pod).await.expect("created")
}

#[tokio::test]
async fn a_pod_that_is_gone_lives_elsewhere_or_has_ended_gets_no_sandbox() {
    let runtime = FakeRuntime::default();
    let cluster = Cluster::new(TokioClock::new(), 1);
    let web = || pod("a", RestartPolicy::Never, &["web"]);
    let never_stored = Arc::new(Pod { metadata: stored_metadata(), ..web() });
    let elsewhere = {
        let mut moved = web();
        moved.spec.node_name = Some("node-2".into());
        stored(&cluster, moved).await
    };
    let here = |pod: &Pod| {
        let mut here = pod.clone();
        here.spec.node_name = web().spec.node_name;
        Arc::new(here)
    };
    for old in [never_stored, here(&elsewhere)] {
        let error = perform(&cluster, &runtime, old).await.expect_err("the store says otherwise");
        assert!(error.is_conflict(), "{error}");
    }
    cluster.client.delete(&*elsewhere, Grace::Now).await.expect("deleted");
    let before = stored(&cluster, web()).await;
    let mut ended = Pod::clone(&before);
    ended.status.phase = Some(PodPhase::Succeeded);
    let on = Precondition::of(&*before).expect("it was stored");
    cluster.client.update(ended, on).await.expect("updated");
    assert!(perform(&cluster, &runtime, before).await.expect_err("it has ended").is_conflict());
    assert_eq!(runtime.calls(Operation::CreateSandbox), 0);
}

fn stored_metadata() -> ObjectMeta {
    let mut metadata = pod("a", RestartPolicy::Never, &["web"]).metadata;
    metadata.uid = Some(Uid::new("uid-0"));
    metadata.revision = Some(Revision(1));
    metadata
}

#[tokio::test]
async fn a_pod_that_a_view_does_not_show_yet_is_not_ended() {
    let runtime = FakeRuntime::default();
    let cluster = Cluster::new(TokioClock::new(), 1);
    let now = stored(&cluster, pod("a", RestartPolicy::Always, &["web"])).await;
    perform(&cluster, &runtime, now).await.expect("it gets its sandbox");
    let earlier = Arc::new(Pod { metadata: stored_metadata(), ..pod("a", RestartPolicy::Always, &["web"]) });
    let error = perform(&cluster, &runtime, earlier).await.expect_err("the store says otherwise");
    assert!(error.is_conflict(), "{error}");
    assert_eq!(runtime.list().await.expect("a list").len(), 1);
    assert_eq!((runtime.calls(Operation::Stop), runtime.calls(Operation::Remove)), (0, 0));
}

#[tokio::test]
async fn volumes_that_were_to_be_made_are_not_after_their_pod_was_removed() {
    let (runtime, volumes) = (FakeRuntime::default(), FakeVolumes::new());
    let cluster = Cluster::new(TokioClock::new(), 1);
    let mut with_volume = pod("a", RestartPolicy::Always, &["web"]);
    let empty = r#"[{"name": "scratch", "emptyDir": {}}]"#;
    with_volume.spec.volumes = serde_json::from_str(empty).expect("volumes");
    let stored = stored(&cluster, with_volume).await;
    let parts = NodeParts { volumes: Some(Arc::new(volumes.clone())), ..NodeParts::new(Arc::new(runtime.clone())) };
    let agent = agent_of(parts, Arc::clone(cluster.client.store()));
    let view = ModelView::of(key("a"), Arc::clone(&stored) as _);
    let context = || Context { view: &view, now: Timestamp::from_second(1_800_000_000).expect("a time") };
    let mut late = Vec::new();
    for looks in 0..2 {
        for action in agent.reconcile(&key("a"), context()).await.expect("a plan").actions {
            match action {
                Action::Effect(effect) if looks == 0 => effect.perform().await.expect("it gets its sandbox"),
                Action::Effect(effect) => late.push(effect),
                _ => {}
            }
        }
    }
    assert_eq!(late.len(), 1, "{late:?}");
    let uid = stored.metadata.uid.as_ref().expect("a uid").as_str().parse().expect("a checked uid");
    runtime.remove(&uid).await.expect("removed");
    late[0].perform().await.expect("nothing is left to do");
    assert_eq!(volumes.usage().await.expect("an answer").len(), 0);
}
