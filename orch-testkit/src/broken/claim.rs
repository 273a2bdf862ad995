//! Stores whose claims are wrong on purpose.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{Claim, Claimed, Entry, Expect, ListOptions, Page, Store, StoreError, Stored, Value, Watch};

use crate::model::ModelStore;

/// What is wrong with the claims of a store: each a class of real bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimFlaw {
    /// Claims what somebody else has: checks in one step and writes in another.
    ClaimsOverAnother,
    /// Counts from the claim alone, as if no renewal had come.
    IgnoresRenewals,
    /// Never ends a claim: whoever died keeps the office.
    KeepsClaimsForEver,
    /// Hides the object of a claim that ran out from reads, and tells no watch.
    EndsClaimsInSilence,
    /// Looks at the key alone, so the former holder renews, and releases, its successor's claim.
    RenewsByKeyAlone,
    /// Renews a lease whose object is gone, as etcd does: the lease and the key live apart.
    RenewsWithoutAnObject,
    /// Deletes whatever is at the key when a claim's time has come.
    EndsTheNextObject,
    /// Counts the tokens of each key from one, and begins anew when the object is deleted.
    CountsTokensAnew,
    /// Lets a put without a lease take the object out of the claim, as etcd does: it stays for ever.
    LosesTheClaimByAPut,
}

impl ClaimFlaw {
    /// Every flaw, with the promise that it breaks.
    pub const ALL: [(Self, &str); 9] = [
        (Self::ClaimsOverAnother, "L1"),
        (Self::IgnoresRenewals, "L2"),
        (Self::KeepsClaimsForEver, "L3"),
        (Self::EndsClaimsInSilence, "L3"),
        (Self::RenewsByKeyAlone, "L4"),
        (Self::RenewsWithoutAnObject, "L4"),
        (Self::EndsTheNextObject, "L4"),
        (Self::CountsTokensAnew, "L5"),
        (Self::LosesTheClaimByAPut, "L6"),
    ];
}

/// The model store, but for one flaw in its claims.
#[derive(Clone, Debug)]
pub struct FlawedClaimStore {
    model: ModelStore,
    flaw: Option<ClaimFlaw>,
    claims: Arc<Mutex<BTreeMap<Key, (Claimed, tokio::time::Instant)>>>,
}

impl FlawedClaimStore {
    /// A new, empty store with this flaw.
    #[must_use]
    pub fn new(flaw: Option<ClaimFlaw>) -> Self {
        Self { model: ModelStore::default(), flaw, claims: Arc::default() }
    }

    fn has(&self, flaw: ClaimFlaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn claims(&self) -> MutexGuard<'_, BTreeMap<Key, (Claimed, tokio::time::Instant)>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The claim of that key that was made last, if the flaw takes it for the one that is asked for.
    fn taken_for(&self, claimed: &Claimed) -> Option<Claimed> {
        let latest = self.claims().get(&claimed.entry.key).map(|(latest, _)| latest.clone());
        latest.filter(|_| self.has(ClaimFlaw::RenewsByKeyAlone))
    }

    /// Whether the claim's time has passed since it was made, where the flaw makes something of that.
    fn has_run_out(&self, key: &Key) -> bool {
        let ends = self.claims().get(key).map(|(_, ends)| *ends);
        ends.is_some_and(|ends| ends <= tokio::time::Instant::now())
    }

    /// Deletes what is at the key when the time has come, whatever it is.
    fn delete_later(&self, key: &Key, ttl: Duration) {
        let (model, key) = (self.model.clone(), key.clone());
        tokio::spawn(async move {
            tokio::time::sleep(ttl).await;
            if let Ok(Some(entry)) = model.get(&key).await {
                // Nobody is left to be told that it failed.
                let _ = model.delete(&key, entry.revision).await;
            }
        });
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for FlawedClaimStore {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        if self.has(ClaimFlaw::EndsClaimsInSilence) && self.has_run_out(key) {
            return Ok(None);
        }
        self.model.get(key).await
    }

    async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        self.model.list(prefix, options).await
    }

    async fn put(&self, key: &Key, value: Value, expect: Expect) -> Result<Entry, StoreError> {
        let entry = self.model.put(key, value.clone(), expect).await?;
        if !self.has(ClaimFlaw::LosesTheClaimByAPut) || entry.created == entry.revision {
            return Ok(entry);
        }
        self.model.delete(key, entry.revision).await?;
        let again = self.model.put(key, value, Expect::Absent).await?;
        Ok(Stored { created: entry.created, ..again.into() }.into())
    }

    async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        self.model.delete(key, expect).await
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        self.model.watch(prefix, after).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Claim for FlawedClaimStore {
    async fn claim(&self, key: &Key, value: Value, ttl: Duration) -> Result<Claimed, StoreError> {
        const FOR_EVER: Duration = Duration::from_secs(1 << 20);
        if self.has(ClaimFlaw::ClaimsOverAnother)
            && let Some(there) = self.model.get(key).await?
        {
            let entry = self.model.put(key, value, Expect::Revision(there.revision)).await?;
            return Ok(Claimed { entry, ttl, handle: 0 });
        }
        let lasting = [ClaimFlaw::KeepsClaimsForEver, ClaimFlaw::EndsClaimsInSilence, ClaimFlaw::EndsTheNextObject];
        let lasts = self.flaw.is_some_and(|flaw| lasting.contains(&flaw));
        let mut claimed = self.model.claim(key, value, if lasts { FOR_EVER } else { ttl }).await?;
        claimed.ttl = ttl;
        if self.has(ClaimFlaw::EndsTheNextObject) {
            self.delete_later(key, ttl);
        }
        if self.has(ClaimFlaw::CountsTokensAnew) {
            claimed.entry = Stored { created: Revision(1), ..claimed.entry.into() }.into();
        }
        self.claims().insert(key.clone(), (claimed.clone(), tokio::time::Instant::now() + ttl));
        Ok(claimed)
    }

    async fn renew(&self, claimed: &Claimed) -> Result<(), StoreError> {
        if self.has(ClaimFlaw::IgnoresRenewals) {
            return Ok(());
        }
        let there = self.taken_for(claimed);
        match self.model.renew(there.as_ref().unwrap_or(claimed)).await {
            Err(StoreError::ClaimLost { .. }) if self.has(ClaimFlaw::RenewsWithoutAnObject) => Ok(()),
            other => other,
        }
    }

    async fn release(&self, claimed: &Claimed) -> Result<Revision, StoreError> {
        let there = self.taken_for(claimed);
        self.model.release(there.as_ref().unwrap_or(claimed)).await
    }
}
