//! [`Office`]: the two objects by which a leader is known, as one candidate sees them.

use std::sync::Arc;
use std::time::Duration;

use orch_core::client::{Client, ClientError, Precondition};
use orch_core::key::Key;
use orch_core::object::{Lease, ObjectMeta};
use orch_core::revision::Revision;
use orch_core::store::StoreExt as _;
use tokio::time::Instant;

use super::FencingToken;

/// The two objects by which a leader is known, as one candidate sees them.
#[derive(Debug)]
pub(super) struct Office {
    client: Client,
    pub(super) lease: Key,
    fence: Key,
    identity: String,
    duration: Duration,
    /// The lease's revision as last seen, and when it was first seen so.
    seen: Option<(Revision, Instant)>,
    token: Option<FencingToken>,
}

/// What came of one round of an election.
#[derive(Debug)]
pub(super) enum Round {
    /// The lease is this candidate's for its duration from the beginning of the round, and so is the fence.
    Leading(FencingToken),
    /// The lease is another one's.
    Following,
}

impl Office {
    pub(super) fn new(client: Client, lease: Key, fence: Key, identity: String, duration: Duration) -> Self {
        Self { client, lease, fence, identity, duration, seen: None, token: None }
    }

    /// Looks at the office, and takes or renews it if that is possible.
    ///
    /// The fence is read before the lease is written: if two candidates ever pass the lease one after the other, the
    /// writes of the fence show it to one of them.
    pub(super) async fn round(&mut self, begun: Instant) -> Result<Round, ClientError> {
        let fence = self.client.store().get_as::<Lease>(&self.fence).await?;
        let lease = self.client.store().get_as::<Lease>(&self.lease).await?;
        let fence_revision = fence.as_ref().and_then(|fence| fence.metadata.revision);
        if self.token.as_ref().is_some_and(|token| Some(token.revision) != fence_revision) {
            tracing::warn!(fence = %self.fence, "another one has taken the office under the same name");
            self.token = None;
            return Ok(Round::Following);
        }
        if lease.as_ref().is_some_and(|lease| !self.may_take(lease, begun)) {
            self.token = None;
            return Ok(Round::Following);
        }
        self.write(&self.lease, lease, Some(self.duration)).await?;
        if let Some(token) = &self.token {
            return Ok(Round::Leading(token.clone()));
        }
        let revision = self.write(&self.fence, fence, None).await?;
        let token = FencingToken { fence: self.fence.clone(), revision };
        self.token = Some(token.clone());
        Ok(Round::Leading(token))
    }

    /// The office is lost: to lead again, the fence has to be written anew.
    pub(super) fn forget(&mut self) {
        self.token = None;
    }

    /// Lets others take the lease at once, if it is this candidate's.
    pub(super) async fn give_back(&self) -> Result<(), ClientError> {
        let Some(before) = self.client.store().get_as::<Lease>(&self.lease).await? else { return Ok(()) };
        if before.spec.holder_identity.as_ref() != Some(&self.identity) {
            return Ok(());
        }
        let mut lease = Lease::clone(&before);
        lease.spec.holder_identity = None;
        self.client.update(lease, Precondition::of(&*before)?).await.map(drop)
    }

    /// Whether the lease is this candidate's already, nobody's, or expired: not renewed for its duration since it was
    /// first seen as it is. What was just read was so no earlier than `begun` and is first seen now, so that a slow answer
    /// never makes a lease seem older than it is.
    fn may_take(&mut self, lease: &Lease, begun: Instant) -> bool {
        let revision = lease.metadata.revision.unwrap_or_default();
        let since = self.seen.filter(|(seen, _)| *seen == revision).map_or_else(Instant::now, |(_, since)| since);
        self.seen = Some((revision, since));
        match lease.spec.holder_identity.as_deref() {
            None | Some("") => true,
            Some(holder) if holder == self.identity => true,
            Some(_) => since + lease.spec.duration().unwrap_or(self.duration) <= begun,
        }
    }

    /// Writes this candidate's name into lease or fence, and returns the revision of that.
    async fn write(
        &self,
        key: &Key,
        before: Option<Arc<Lease>>,
        renewed_for: Option<Duration>,
    ) -> Result<Revision, ClientError> {
        let now = self.client.clock().now().into();
        let metadata = ObjectMeta {
            name: key.name().to_owned(),
            namespace: key.namespace().map(str::to_owned),
            ..ObjectMeta::default()
        };
        let new = || Lease { metadata, ..Lease::default() };
        let mut lease = before.as_deref().cloned().unwrap_or_else(new);
        let spec = &mut lease.spec;
        let is_own = spec.holder_identity.as_ref() == Some(&self.identity);
        if !is_own {
            spec.holder_identity = Some(self.identity.clone());
            spec.lease_transitions = Some(spec.lease_transitions.map_or(0, |before| before.saturating_add(1)));
        }
        if !is_own || renewed_for.is_none() {
            spec.acquire_time = Some(now);
        }
        if let Some(duration) = renewed_for {
            let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
            spec.lease_duration_seconds = Some(i32::try_from(seconds).unwrap_or(i32::MAX).max(1));
            spec.renew_time = Some(now);
        }
        let written = match before {
            None => self.client.create(lease).await?,
            Some(before) => self.client.update(lease, Precondition::of(&*before)?).await?,
        };
        Ok(written.metadata.revision.unwrap_or_default())
    }
}
