//! Hearing of what happens in Docker.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use orch_core::clock::{Clock as _, SystemClock};
use orch_core::runtime::PodUid;
use serde_json::json;
use tokio::task::JoinHandle;

use super::client::{Call, Client};
use super::error::Failure;
use super::names::{Scope, label};
use super::pods::Pods;
use super::wire;
use crate::changes::Changes;

/// Between two attempts to listen again: at first, and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Listens until it is dropped.
#[derive(Debug)]
pub(super) struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Tells `changes` of every container of the scope that ends or goes, from now on.
pub(super) async fn listen(
    client: Client,
    scope: Scope,
    pods: &Arc<Pods>,
    changes: Arc<Changes>,
) -> Result<Listening, Failure> {
    let ear = Ear { client, scope, pods: Arc::downgrade(pods), since: SystemClock.now().as_nanosecond() };
    let first = ear.connect().await?;
    Ok(Listening(tokio::spawn(async move { ear.run(first, &changes).await })))
}

struct Ear {
    client: Client,
    scope: Scope,
    /// Not held on to: the root folder is given back with the runtime.
    pods: Weak<Pods>,
    /// In nanoseconds: what happened before was told.
    since: i128,
}

type Events = BoxStream<'static, Result<wire::Event, Failure>>;

impl Ear {
    async fn connect(&self) -> Result<Events, Failure> {
        let (seconds, nanos) = (self.since.div_euclid(1_000_000_000), self.since.rem_euclid(1_000_000_000));
        let filters = json!({
            "type": ["container"],
            "event": ["die", "destroy"],
            "label": [format!("{}={}", label::SCOPE, self.scope)],
        });
        let since = format!("{seconds}.{nanos:09}");
        self.client.objects(Call::get("/events").query("since", since).filters(&filters)).await
    }

    async fn run(mut self, first: Events, changes: &Changes) {
        let mut events = Some(first);
        let mut wait = BACKOFF.0;
        loop {
            if let Some(events) = events.take()
                && self.hear(events, changes).await
            {
                wait = BACKOFF.0;
            }
            // A daemon that was restarted has forgotten what happened, and one that is broken ends a stream at once.
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(BACKOFF.1);
            match self.reconnect(changes).await {
                Ok(found) => events = Some(found),
                Err(failure) => tracing::warn!(error = failure.message, "cannot hear of Docker's containers"),
            }
        }
    }

    /// Passes on what comes until the stream ends, as it may without a word. Returns whether anything came.
    async fn hear(&mut self, mut events: Events, changes: &Changes) -> bool {
        let mut heard = false;
        loop {
            match events.try_next().await {
                Ok(Some(event)) => {
                    heard = true;
                    self.since = self.since.max(i128::from(event.time_nano) + 1);
                    if let Some(Ok(pod)) = event.actor.attributes.get(label::POD).map(|pod| pod.parse::<PodUid>()) {
                        changes.tell(&pod);
                    }
                }
                Ok(None) => return heard,
                Err(failure) => {
                    tracing::debug!(error = failure.message, "Docker's events ended");
                    return heard;
                }
            }
        }
    }

    /// Listens again, and tells of every pod: something may have happened to any of them.
    async fn reconnect(&self, changes: &Changes) -> Result<Events, Failure> {
        let events = self.connect().await?;
        let labels = [format!("{}={}", label::SCOPE, self.scope)];
        let call = Call::get("/containers/json").query("all", "1").filters(&json!({ "label": labels }));
        let listed: Vec<wire::Listed> = self.client.ask(call).await?;
        let of_label = |listed: &wire::Listed| listed.labels.as_ref()?.get(label::POD)?.parse().ok();
        let mut pods: BTreeSet<PodUid> = listed.iter().filter_map(of_label).collect();
        pods.extend(self.pods.upgrade().iter().flat_map(|pods| pods.records(None).into_keys()));
        pods.iter().for_each(|pod| changes.tell(pod));
        Ok(events)
    }
}
