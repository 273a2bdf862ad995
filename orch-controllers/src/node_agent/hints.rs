//! [`hints`]: what happens on the node that no object tells of.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use orch_core::key::Key;
use orch_core::runtime::{PodUid, Runtime, SandboxStatus};

use super::effect::{Hands, key_of};
use super::puller::Puller;

/// The node's own key, at the start; the keys of pods of which something changed on the node, all of them at the start;
/// and those of which a probe found something, an image came, or a hook has ended.
pub(super) fn hints(hands: &Hands, node: Key, relist_every: Duration) -> BoxStream<'static, Key> {
    let relist = Relist {
        // Before the first list, so that nothing falls between the two.
        events: Some(hands.runtime.events()),
        runtime: Arc::clone(&hands.runtime),
        every: relist_every,
        known: None,
    };
    let pods = stream::unfold(relist, |mut relist| async move { Some((stream::iter(relist.next().await), relist)) });
    let pulls = hands.puller.as_ref().map_or_else(|| stream::pending().boxed(), Puller::changes);
    let background = stream::select_all([hands.prober.changes(), hands.hooks.changes(), pulls]);
    stream::once(async { node }).chain(stream::select(pods.flatten(), background)).boxed()
}

/// Lists what runs, whenever the runtime tells of a change and now and then without that, and finds the differences.
struct Relist {
    events: Option<BoxStream<'static, PodUid>>,
    runtime: Arc<dyn Runtime>,
    every: Duration,
    /// What was found the last time.
    known: Option<BTreeMap<PodUid, SandboxStatus>>,
}

impl Relist {
    /// The pods that changed, never none.
    async fn next(&mut self) -> Vec<Key> {
        loop {
            if self.known.is_some() {
                self.wait().await;
            }
            let found = match self.runtime.list().await {
                Ok(found) => found.into_iter().map(|sandbox| (sandbox.spec.pod.clone(), sandbox)).collect(),
                Err(error) => {
                    tracing::warn!(%error, "cannot list what runs on this node");
                    tokio::time::sleep(self.every).await;
                    continue;
                }
            };
            let changed = differences(self.known.as_ref().unwrap_or(&BTreeMap::new()), &found);
            self.known = Some(found);
            if !changed.is_empty() {
                return changed;
            }
        }
    }

    async fn wait(&mut self) {
        let Some(events) = &mut self.events else { return tokio::time::sleep(self.every).await };
        tokio::select! {
            biased;
            event = events.next() => if event.is_none() { self.events = None },
            () = tokio::time::sleep(self.every) => {}
        }
    }
}

/// The keys of pods that came, changed or went.
fn differences(before: &BTreeMap<PodUid, SandboxStatus>, now: &BTreeMap<PodUid, SandboxStatus>) -> Vec<Key> {
    let changed = now.iter().filter(|(uid, sandbox)| before.get(*uid) != Some(*sandbox));
    let gone = before.iter().filter(|(uid, _)| !now.contains_key(*uid));
    changed.chain(gone).filter_map(|(_, sandbox)| key_of(&sandbox.spec)).collect()
}
