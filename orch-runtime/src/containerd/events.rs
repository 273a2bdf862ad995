//! [`follow`]: what containerd tells of tasks, as long as the runtime is there.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use orch_core::runtime::PodUid;
use prost::Message as _;
use tonic::Streaming;

use super::Shared;
use super::error::Failure;
use super::orphan::reap;
use super::settle::look;
use super::wire::{self, Any, Envelope, Publish, Subscribe, TaskEvent};

/// Between two attempts to listen.
const TRY_AGAIN: Duration = Duration::from_millis(200);

/// Between two events of our own, until one was heard: the first pause, each is twice as long as the one before.
const KNOCK_AGAIN: Duration = Duration::from_millis(5);

/// What those events are called.
const LISTENING: &str = "/tasks/listening";

/// Listens to containerd; each end is written down, and told to those who listen. Whenever listening begins, all pods are
/// looked at: what happened before was not heard.
pub(super) async fn follow(shared: Weak<Shared>) {
    let mut before: Option<BTreeSet<PodUid>> = None;
    loop {
        let Some(events) = listen(&shared).await else { return };
        let heard = async {
            let events = events?;
            look_at_all(&shared, &mut before).await?;
            pass_on(&shared, events).await
        };
        if let Err(failure) = heard.await {
            tracing::debug!(error = %failure.message, "containerd tells no events; asking again");
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

/// Listens from a moment on that has come when this returns.
///
/// containerd does not answer who listens until there is an event, so this makes one: what it hears of is heard by
/// whoever listens, too, and means nothing to them.
async fn listen(shared: &Weak<Shared>) -> Option<Result<Streaming<Envelope>, Failure>> {
    let shared = shared.upgrade()?;
    let filter = format!("namespace=={},topic~=\"^/tasks/\"", shared.config.namespace);
    let request = futures::stream::iter([Subscribe { filters: vec![filter] }]);
    let listening = shared.client.stream(wire::SUBSCRIBE, request, None);
    let knocking = async {
        let mut pause = KNOCK_AGAIN;
        loop {
            let event = Some(Any { type_url: LISTENING.to_owned(), value: Bytes::new() });
            if let Err(failure) = shared.client.call(Publish { topic: LISTENING.to_owned(), event }).await {
                tracing::debug!(error = %failure.message, "containerd takes no event");
            }
            tokio::time::sleep(pause).await;
            pause = TRY_AGAIN.min(pause * 2);
        }
    };
    tokio::select! {
        biased;
        events = listening => Some(events),
        () = knocking => None,
    }
}

/// Looks at all pods, so that what ended meanwhile is written down. All are told as changed, but for the first time.
async fn look_at_all(shared: &Weak<Shared>, before: &mut Option<BTreeSet<PodUid>>) -> Result<(), Failure> {
    let Some(shared) = shared.upgrade() else { return Ok(()) };
    let pods = shared.pods().await?;
    let now: BTreeSet<PodUid> =
        pods.iter().filter_map(|pod| pod.sandbox.as_ref()).map(|sandbox| sandbox.spec.pod.clone()).collect();
    if let Some(before) = before {
        before.union(&now).for_each(|pod| shared.changes.tell(pod));
    }
    *before = Some(now);
    Ok(())
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
        tokio::spawn(end(Arc::downgrade(&shared), event.container_id));
    }
    Ok(())
}

/// Writes down how an attempt ended, and tells of it when that is done: who is told then asks, and is not told again.
async fn end(shared: Weak<Shared>, record: String) {
    while let Some(shared) = shared.upgrade() {
        let settled = async {
            let Some(attempt) = shared.attempt_record(&record).await? else { return Ok(()) };
            let pod = attempt.id.pod.clone();
            let looked = look(&shared, attempt).await;
            shared.changes.tell(&pod);
            looked.map(drop)
        };
        let settled: Result<(), Failure> = settled.await;
        drop(shared);
        match settled {
            Ok(()) => return,
            Err(failure) => tracing::debug!(%record, error = %failure.message, "its end is written down later"),
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}
