//! [`Lease`]: what is made under it is not collected before something refers to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use orch_core::clock::{Clock as _, SystemClock};

use super::super::client::Client;
use super::super::error::{Failure, Unless as _};
use super::super::wire::{AddResource, CreateLease, DeleteLease, Resource};

/// When a lease ends whose owner died: longer than any image takes.
const LASTS: Duration = Duration::from_secs(24 * 60 * 60);

/// Keeps what is made under it, until it is given back.
#[derive(Debug)]
pub(super) struct Lease {
    id: String,
    client: Arc<Client>,
}

impl Lease {
    pub(super) async fn take(client: &Arc<Client>) -> Result<Self, Failure> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let (now, number) = (SystemClock.now(), NUMBER.fetch_add(1, Ordering::Relaxed));
        Self::take_again(client, &format!("orch-{}-{}-{number}", std::process::id(), now.as_nanosecond())).await
    }

    /// One that may be there already.
    pub(super) async fn take_again(client: &Arc<Client>, id: &str) -> Result<Self, Failure> {
        let now = SystemClock.now();
        let expires = now.saturating_add(LASTS).unwrap_or(now);
        let labels = BTreeMap::from([("containerd.io/gc.expire".to_owned(), format!("{expires:.0}"))]);
        client.call(CreateLease { id: id.to_owned(), labels }).await.unless_exists()?;
        Ok(Self { id: id.to_owned(), client: Arc::clone(client) })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Keeps what was there before, too: `content`, or `snapshots/` and the snapshotter. Tells whether it is there.
    pub(super) async fn hold(&self, kind: &str, id: &str) -> Result<bool, Failure> {
        let resource = Some(Resource { id: id.to_owned(), kind: kind.to_owned() });
        Ok(self.client.call(AddResource { id: self.id.clone(), resource }).await.unless_missing()?.is_some())
    }

    /// Leaves it to its end, and what is made under it.
    pub(super) fn keep(mut self) {
        self.id.clear();
    }

    /// Gives it back, and waits until what nothing refers to is collected: else the next import could meet what is about to
    /// go.
    pub(super) async fn give_back(mut self) -> Result<(), Failure> {
        let id = std::mem::take(&mut self.id);
        self.client.call(DeleteLease { id, sync: true }).await.unless_missing().map(drop)
    }
}

impl Drop for Lease {
    /// Whoever drops the work drops what it has made so far.
    fn drop(&mut self) {
        let (client, id) = (Arc::clone(&self.client), std::mem::take(&mut self.id));
        if let (false, Ok(runtime)) = (id.is_empty(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                if let Err(failure) = client.call(DeleteLease { id, sync: true }).await.unless_missing() {
                    tracing::debug!(error = %failure.message, "a lease is left to its end");
                }
            });
        }
    }
}
