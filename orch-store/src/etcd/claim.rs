//! [`Claim`]: an object on a lease of etcd's.

use std::time::Duration;

use async_trait::async_trait;
use orch_core::key::Key;
use orch_core::revision::Revision;
use orch_core::store::{Claim, Claimed, Expect, StoreError, Value};

use super::error::{Failure, Meaning};
use super::members::{Effect, Line};
use super::read::from_wire;
use super::wire::{
    self, Compare, LeaseGrantRequest, LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseRevokeRequest, RangeRequest,
};
use super::write::LeaseId;
use super::{EtcdStore, Inner};

/// The time to live is counted in whole seconds, and etcd sets a least one: 2 seconds as it is delivered.
#[async_trait]
impl Claim for EtcdStore {
    async fn claim(&self, key: &Key, value: Value, ttl: Duration) -> Result<Claimed, StoreError> {
        let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
        let request = LeaseGrantRequest { ttl: i64::try_from(seconds.max(1)).unwrap_or(i64::MAX) };
        // If it is not known whether there is a lease, no object is on it, and it ends by itself.
        let granted =
            self.inner.members.call(request, Effect::Writes).await.map_err(|failure| known(failure).of_write())?;
        match self.inner.put(key, value, Expect::Absent, Some(granted.id)).await {
            Ok(entry) => {
                let ttl = Duration::from_secs(granted.ttl.unsigned_abs());
                Ok(Claimed { entry, ttl, handle: granted.id.cast_unsigned() })
            }
            Err(error) => {
                if !error.outcome_is_unknown() {
                    self.inner.revoke(granted.id).await;
                }
                Err(error)
            }
        }
    }

    async fn renew(&self, claimed: &Claimed) -> Result<(), StoreError> {
        let key = &claimed.entry.key;
        // Whichever comes first: a lease that is alive and an object that is there during the call is a claim renewed.
        let (there, ttl) =
            futures::try_join!(self.inner.is_there(claimed), self.inner.keep_alive(claimed.handle.cast_signed()))
                .map_err(Failure::of_read)?;
        if there && ttl > 0 { Ok(()) } else { Err(StoreError::ClaimLost { key: key.clone() }) }
    }

    async fn release(&self, claimed: &Claimed) -> Result<Revision, StoreError> {
        let key = &claimed.entry.key;
        let created = i64::try_from(claimed.token().0).unwrap_or(-1);
        let deleted = self.inner.delete_if(key, Compare::create_revision(self.inner.names.of(key), created)).await?;
        self.inner.revoke(claimed.handle.cast_signed()).await;
        deleted.map_err(|_| StoreError::ClaimLost { key: key.clone() })
    }
}

impl Inner {
    /// Whether the object that was claimed exists.
    async fn is_there(&self, claimed: &Claimed) -> Result<bool, Failure> {
        let key = self.names.of(&claimed.entry.key);
        let request = RangeRequest { key, keys_only: true, ..RangeRequest::default() };
        let answer = self.members.call(request, Effect::Reads).await?;
        Ok(answer.kvs.first().is_some_and(|kv| from_wire(kv.create_revision) == claimed.token()))
    }

    /// Lets the lease live on, and returns for how many seconds: 0 if it has ended.
    async fn keep_alive(&self, id: LeaseId) -> Result<i64, Failure> {
        let ask = |line: Line| keep_alive_on(line, id);
        // Done twice it does no harm, so it may be asked for like a read.
        self.members.with_line(self.members.deadline(), Effect::Reads, ask).await
    }

    /// Ends a lease that nothing is on. If that fails it ends by itself.
    async fn revoke(&self, id: LeaseId) {
        if let Err(failure) = self.members.call(LeaseRevokeRequest { id }, Effect::Writes).await {
            tracing::debug!(message = failure.message, "a lease was not revoked");
        }
    }
}

async fn keep_alive_on(line: Line, id: LeaseId) -> Result<i64, Failure> {
    let connection = &line.connection;
    let requests = futures::stream::iter([LeaseKeepAliveRequest { id }]);
    let token = line.token.as_deref();
    let mut answers = connection.stream::<_, LeaseKeepAliveResponse>(wire::LEASE_KEEP_ALIVE, requests, token).await?;
    match answers.message().await {
        Ok(Some(answer)) => Ok(answer.ttl),
        Ok(None) => Err(Failure::new(Meaning::Unknown, "the server did not answer a keep-alive")),
        Err(status) => Err(connection.failure(status)),
    }
}

/// That a lease was perhaps granted makes no outcome unknown: no object can be on it.
fn known(failure: Failure) -> Failure {
    if failure.meaning == Meaning::Unknown { failure.meaning(Meaning::AskAnother) } else { failure }
}
