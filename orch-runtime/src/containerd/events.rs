//! [`follow`]: what containerd tells of tasks, as long as the runtime is there.

use std::collections::BTreeSet;
use std::sync::Weak;
use std::time::Duration;

use futures::TryStreamExt as _;
use orch_core::runtime::PodUid;
use prost::Message as _;
use tonic::Streaming;

use super::Shared;
use super::error::Failure;
use super::orphan::reap;
use super::settle::look;
use super::wire::{self, Envelope, Subscribe, TaskEvent};

/// Between two attempts to listen.
const TRY_AGAIN: Duration = Duration::from_millis(200);

/// Listens to containerd; each end is written down, and told to those who listen. Whenever listening begins, all pods are
/// looked at: what happened before was not heard.
pub(super) async fn follow(shared: Weak<Shared>) {
    let mut before: Option<BTreeSet<PodUid>> = None;
    loop {
        let Some(events) = listen(&shared).await else { return };
        match events {
            Ok(events) => {
                let Some(seen) = look_at_all(&shared, before.take()).await else { return };
                before = Some(seen);
                if let Err(failure) = pass_on(&shared, events).await {
                    tracing::debug!(error = %failure.message, "containerd tells no more events; asking again");
                }
            }
            Err(failure) => tracing::debug!(error = %failure.message, "containerd tells no events; asking again"),
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

async fn listen(shared: &Weak<Shared>) -> Option<Result<Streaming<Envelope>, Failure>> {
    let shared = shared.upgrade()?;
    let filter = format!("namespace=={},topic~=\"^/tasks/\"", shared.config.namespace);
    let request = futures::stream::iter([Subscribe { filters: vec![filter] }]);
    Some(shared.client.stream(wire::SUBSCRIBE, request, None).await)
}

/// Looks at all pods, so that what ended meanwhile is written down. All are told as changed, but for the first time.
async fn look_at_all(shared: &Weak<Shared>, before: Option<BTreeSet<PodUid>>) -> Option<BTreeSet<PodUid>> {
    let shared = shared.upgrade()?;
    let pods = match shared.pods().await {
        Ok(pods) => pods,
        Err(failure) => {
            tracing::debug!(error = %failure.message, "cannot look at all pods");
            return Some(before.unwrap_or_default());
        }
    };
    let now: BTreeSet<PodUid> =
        pods.iter().filter_map(|pod| pod.sandbox.as_ref()).map(|sandbox| sandbox.spec.pod.clone()).collect();
    if let Some(before) = before {
        before.union(&now).for_each(|pod| shared.changes.tell(pod));
    }
    Some(now)
}

async fn pass_on(shared: &Weak<Shared>, mut events: Streaming<Envelope>) -> Result<(), Failure> {
    while let Some(envelope) = events.try_next().await.map_err(Failure::of)? {
        let Some(shared) = shared.upgrade() else { return Ok(()) };
        let Some(event) = envelope.event else { continue };
        let Ok(event) = TaskEvent::decode(event.value) else { continue };
        if envelope.namespace != shared.config.namespace.as_str() {
            continue;
        }
        if envelope.topic == "/tasks/create" {
            tokio::spawn(async move {
                if let Err(failure) = reap(&shared, &event.container_id).await {
                    tracing::debug!(task = %event.container_id, error = %failure.message, "an orphan is left for later");
                }
            });
            continue;
        }
        if envelope.topic != "/tasks/exit" || event.process != event.container_id {
            continue;
        }
        // One whose task is slow to go does not hold up the others.
        tokio::spawn(async move {
            let settled = async {
                let Some(attempt) = shared.attempt_record(&event.container_id).await? else { return Ok(()) };
                let pod = attempt.id.pod.clone();
                let looked = look(&shared, attempt).await;
                shared.changes.tell(&pod);
                looked.map(drop)
            };
            let settled: Result<(), Failure> = settled.await;
            if let Err(failure) = settled {
                tracing::debug!(record = %event.container_id, error = %failure.message, "its end is written down later");
            }
        });
    }
    Ok(())
}
