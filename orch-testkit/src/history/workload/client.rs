//! [`Client`]: one of those who do anything.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, poll};
use orch_core::entropy::{Entropy as _, SeededEntropy};
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{
    Check, Continue, Entries, Expect, ListFrom, ListOptions, Page, Store as _, StoreError, Watch, Write,
};
use tokio::task::yield_now;

use super::{Abilities, Plan, objects};
use crate::history::recording_store::RecordingStore;

/// How long a client waits when the store is unavailable.
const PAUSE: Duration = Duration::from_millis(10);
/// How many watches a client has at most.
const WATCHES: usize = 3;
/// How many revisions a client remembers, to look back to.
const REMEMBERED: usize = 200;
/// How far a client asks beyond what it has seen, to be refused.
const FUTURE: u64 = 1_000_000;

/// One of those who do anything.
pub(super) struct Client<S: ?Sized> {
    store: RecordingStore<S>,
    plan: Plan,
    abilities: Abilities<S>,
    /// Tells its writes from those of others.
    name: usize,
    chance: SeededEntropy,
    written: usize,
    /// What it knows of the objects: their revisions, `None` where there is none.
    known: BTreeMap<Key, Option<Revision>>,
    seen: Vec<Revision>,
    /// A listing that is not at its end.
    page: Option<(Prefix, Continue)>,
    watches: Vec<Watch>,
}

impl<S: orch_core::store::Store> Client<S> {
    pub(super) fn new(store: RecordingStore<S>, plan: Plan, abilities: Abilities<S>, name: usize) -> Self {
        let chance = SeededEntropy::new(plan.seed.wrapping_mul(1_000_003).wrapping_add(name as u64));
        Self {
            store,
            plan,
            abilities,
            name,
            chance,
            written: 0,
            known: BTreeMap::new(),
            seen: vec![Revision::ZERO],
            page: None,
            watches: Vec::new(),
        }
    }

    /// Does its share, and returns the watches that it still has.
    pub(super) async fn run(mut self) -> Vec<Watch> {
        for _ in 0..self.plan.operations / self.plan.clients {
            if let Err(StoreError::Unavailable { .. }) = self.step().await {
                tokio::time::sleep(PAUSE).await;
            }
            self.read_watches();
            yield_now().await;
        }
        self.watches
    }

    async fn step(&mut self) -> Result<(), StoreError> {
        match self.below(200) {
            0..60 => self.put(true).await,
            60..72 => self.put(false).await,
            72..92 => self.delete().await,
            92..116 => self.commit().await,
            116..156 => self.get().await,
            156..172 => self.list().await,
            172..180 => self.list_the_past().await,
            180..192 => self.watch().await,
            192..198 => self.abandon().await,
            198 => self.compact().await,
            _ => {
                let dropped = self.below(WATCHES);
                self.watches.truncate(dropped);
                Ok(())
            }
        }
    }

    fn chance(&self) -> u64 {
        // The lowest bits of a small multiple are not used twice.
        self.chance.next_u64() >> 8
    }

    fn below(&self, count: usize) -> usize {
        usize::try_from(self.chance() % count as u64).expect("less than a usize")
    }

    fn mark(&mut self) -> String {
        self.written += 1;
        format!("client-{}-write-{}", self.name, self.written)
    }

    fn know(&mut self, key: &Key, revision: Option<Revision>) {
        self.known.insert(key.clone(), revision);
        self.seen.extend(revision);
        if self.seen.len() > REMEMBERED {
            self.seen.drain(..REMEMBERED / 2);
        }
    }

    fn know_all(&mut self, entries: &Entries) {
        for entry in entries {
            self.know(&entry.key, Some(entry.revision));
        }
    }

    /// What it knows of the object, or what it once may have been.
    fn expect(&self, key: &Key, as_known: bool) -> Expect {
        let known = self.known.get(key).copied().flatten();
        match if as_known { known } else { Some(self.past()) } {
            Some(revision) if as_known || self.below(2) == 0 => Expect::Revision(revision),
            _ => Expect::Absent,
        }
    }

    /// A revision seen before.
    fn past(&self) -> Revision {
        self.seen[self.below(self.seen.len())]
    }

    /// Learns from a refusal what the object is.
    fn learn<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::Conflict { key, found }) = &result {
            self.know(key, *found);
        }
        result
    }

    async fn put(&mut self, as_known: bool) -> Result<(), StoreError> {
        let key = objects::key(self.chance());
        let expect = self.expect(&key, as_known);
        let value = objects::value(&key, &self.mark());
        let result = self.store.put(&key, value, expect).await;
        let entry = self.learn(result)?;
        self.know(&key, Some(entry.revision));
        Ok(())
    }

    async fn delete(&mut self) -> Result<(), StoreError> {
        let key = objects::key(self.chance());
        let Expect::Revision(expect) = self.expect(&key, true) else { return self.get().await };
        let result = self.store.delete(&key, expect).await;
        self.learn(result)?;
        self.know(&key, None);
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        let Some(commit) = self.abilities.commit else { return self.put(true).await };
        let (checks, writes) = self.transaction();
        let keys: Vec<(Key, bool)> =
            writes.iter().map(|write| (write.key().clone(), matches!(write, Write::Put { .. }))).collect();
        let result = commit(&self.store, &checks, writes).await;
        let revision = self.learn(result)?;
        for (key, put) in keys {
            self.know(&key, put.then_some(revision));
        }
        Ok(())
    }

    fn transaction(&mut self) -> (Vec<Check>, Vec<Write>) {
        let mut checks = Vec::new();
        for _ in 0..self.below(3) {
            let key = objects::key(self.chance());
            checks.push(Check { expect: self.expect(&key, true), key });
        }
        let mut writes: Vec<Write> = Vec::new();
        for _ in 0..self.below(4) {
            let key = objects::key(self.chance());
            if writes.iter().any(|write| *write.key() == key) {
                continue;
            }
            let write = match self.expect(&key, true) {
                Expect::Revision(expect) if self.below(3) == 0 => Write::Delete { key, expect },
                expect => Write::Put { value: objects::value(&key, &self.mark()), key, expect },
            };
            writes.push(write);
        }
        (checks, writes)
    }

    async fn get(&mut self) -> Result<(), StoreError> {
        let key = objects::key(self.chance());
        let found = self.store.get(&key).await?;
        self.know(&key, found.map(|entry| entry.revision));
        Ok(())
    }

    /// Starts a listing, or goes on with one.
    async fn list(&mut self) -> Result<(), StoreError> {
        let (prefix, from) = match self.page.take() {
            Some((prefix, next)) => (prefix, ListFrom::Continue(next)),
            None => (objects::prefix(self.chance()), ListFrom::Latest),
        };
        let latest = matches!(from, ListFrom::Latest);
        let limit = NonZeroUsize::new(self.below(8));
        let page = self.store.list(&prefix, ListOptions { limit, from }).await?;
        if latest {
            self.know_all(&page.entries);
        }
        self.remember(prefix, page);
        Ok(())
    }

    /// Now and then a revision that can hardly be reached yet.
    fn past_or_future(&self) -> Revision {
        if self.below(25) == 0 { Revision(self.past().0 + FUTURE) } else { self.past() }
    }

    async fn list_the_past(&mut self) -> Result<(), StoreError> {
        let (prefix, from) = (objects::prefix(self.chance()), ListFrom::At(self.past_or_future()));
        let limit = NonZeroUsize::new(self.below(8));
        let page = self.store.list(&prefix, ListOptions { limit, from }).await?;
        self.remember(prefix, page);
        Ok(())
    }

    fn remember(&mut self, prefix: Prefix, page: Page) {
        self.seen.push(page.revision);
        self.page = page.next.map(|next| (prefix, next));
    }

    async fn watch(&mut self) -> Result<(), StoreError> {
        self.watch_after(self.past_or_future()).await
    }

    async fn watch_after(&mut self, after: Revision) -> Result<(), StoreError> {
        let watch = self.store.watch(&objects::prefix(self.chance()), after).await?;
        if self.watches.len() == WATCHES {
            self.watches.remove(0);
        }
        self.watches.push(watch);
        Ok(())
    }

    /// Writes or reads, and does not wait for the answer.
    async fn abandon(&mut self) -> Result<(), StoreError> {
        let turns = self.below(6);
        let mut work = pin!(async {
            match self.below(4) {
                0 => self.delete().await,
                1 => self.commit().await,
                _ => self.put(true).await,
            }
        });
        for _ in 0..turns {
            if poll!(work.as_mut()).is_ready() {
                break;
            }
            yield_now().await;
        }
        Ok(())
    }

    async fn compact(&mut self) -> Result<(), StoreError> {
        let Some(compact) = self.abilities.compact else { return Ok(()) };
        let revision = self.past();
        compact(&self.store, revision).await?;
        // The last place from which everything must still be told.
        self.watch_after(Revision(revision.0.saturating_sub(1))).await
    }

    /// Reads what its watches have to tell at once, but not always all of it.
    fn read_watches(&mut self) {
        let (most, lazy) = (self.below(8), self.below(3) == 0);
        if lazy {
            return;
        }
        let mut seen = Vec::new();
        self.watches.retain_mut(|watch| {
            for _ in 0..=most {
                match watch.next().now_or_never() {
                    None => break,
                    Some(Some(Ok(event))) => seen.push(event.revision()),
                    Some(Some(Err(_)) | None) => return false,
                }
            }
            true
        });
        self.seen.extend(seen);
    }
}
