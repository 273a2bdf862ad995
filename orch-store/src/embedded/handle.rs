//! [`Handle`]: what [`EmbeddedStore`](super::EmbeddedStore) and [`BufferedStore`](super::BufferedStore) have in common,
//! which is everything but when a write is acknowledged.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{Check, Claimed, Entry, Expect, ListOptions, Page, StoreError, Value, Watch, Write};
use tokio::sync::watch;

use super::disk::Disk;
use super::log::Durability;
use super::publisher::Publisher;
use super::recovery::{self, Recovered};
use super::shared::{Desk, Mode, Shared, unavailable};
use super::staging::{Answer, Decision, Prepared, Request, Staging};
use super::writer::Writer;
use super::{EmbeddedStoreConfig, EmbeddedStoreError, backup, prepare};
use crate::mvcc;

/// A store over a log. Clones share it; the last one closes it.
#[derive(Clone, Debug)]
pub(super) struct Handle {
    last: Arc<LastHandle>,
}

/// What all clones have, and the threads have not: it goes with the last of them.
#[derive(Debug)]
struct LastHandle {
    shared: Arc<Shared>,
}

impl Drop for LastHandle {
    fn drop(&mut self) {
        self.shared.begin_closing();
    }
}

impl Handle {
    /// Opens what is on a disk, in the calling thread.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        config: EmbeddedStoreConfig,
        durability: Durability,
    ) -> Result<Self, EmbeddedStoreError> {
        let Recovered { mvcc, claims, log, store, checkpoint_len } =
            recovery::recover(Arc::clone(&disk), &config, durability)?;
        let staging = Staging::new(mvcc.read().revision());
        let shared = Arc::new(Shared {
            mvcc,
            claims,
            store,
            desk: Mutex::new(Desk { staging, mode: Mode::Open }),
            wake: Condvar::new(),
            publishing: Mutex::new(()),
            unpublished: AtomicUsize::new(0),
            checkpoint_len: AtomicU64::new(checkpoint_len),
            is_checkpointing: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            ended: watch::Sender::new(false),
            config,
        });
        let last = Arc::new(LastHandle { shared: Arc::clone(&shared) });
        let path = disk.path("");
        let written = Publisher::start(Arc::clone(&shared), disk);
        let written = written.map_err(|source| EmbeddedStoreError::io("start a thread for", &path, source))?;
        Writer::start(shared, log, written)
            .map_err(|source| EmbeddedStoreError::io("start a thread for", &path, source))?;
        Ok(Self { last })
    }

    fn shared(&self) -> &Shared {
        &self.last.shared
    }

    pub(super) fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.shared().check_open()?;
        Ok(self.shared().mvcc.read().get(key).cloned())
    }

    pub(super) fn list(&self, prefix: &Prefix, options: &ListOptions) -> Result<Page, StoreError> {
        self.shared().check_open()?;
        self.shared().mvcc.read().list(prefix, options)
    }

    pub(super) fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        self.shared().check_open()?;
        self.shared().mvcc.watch(prefix, after)
    }

    pub(super) async fn put(&self, key: &Key, value: Value, expect: Expect) -> Result<Entry, StoreError> {
        let write = Write::Put { key: key.clone(), value, expect };
        let writes = vec![self.prepare(write)?];
        let (entry, _) = self.request(Request::Commit { checks: Vec::new(), writes }).await?;
        Ok(entry.expect("a put leaves an entry behind"))
    }

    pub(super) async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        let writes = vec![Prepared { write: Write::Delete { key: key.clone(), expect }, json: None }];
        self.request(Request::Commit { checks: Vec::new(), writes }).await.map(|(_, revision)| revision)
    }

    pub(super) async fn commit(&self, checks: &[Check], writes: Vec<Write>) -> Result<Revision, StoreError> {
        mvcc::check_unique(&writes)?;
        let writes = writes.into_iter().map(|write| self.prepare(write)).collect::<Result<_, _>>()?;
        self.request(Request::Commit { checks: checks.to_vec(), writes }).await.map(|(_, revision)| revision)
    }

    pub(super) async fn compact(&self, oldest: Revision) -> Result<(), StoreError> {
        self.request(Request::Compact { oldest }).await.map(drop)
    }

    pub(super) async fn claim(&self, key: &Key, value: Value, ttl: Duration) -> Result<Claimed, StoreError> {
        let write = self.prepare(Write::Put { key: key.clone(), value, expect: Expect::Absent })?;
        let (entry, _) = self.request(Request::Claim { write, ttl }).await?;
        Ok(Claimed { entry: entry.expect("a claim leaves an entry behind"), ttl, handle: 0 })
    }

    /// Not written down: a store that is opened again gives every claim its whole time anyway.
    pub(super) fn renew(&self, claimed: &Claimed) -> Result<(), StoreError> {
        self.shared().check_open()?;
        let key = &claimed.entry.key;
        if self.shared().claims.renew(key, claimed.token()) {
            return Ok(());
        }
        Err(StoreError::ClaimLost { key: key.clone() })
    }

    pub(super) async fn release(&self, claimed: &Claimed) -> Result<Revision, StoreError> {
        let request = Request::Release { key: claimed.entry.key.clone(), token: claimed.token() };
        self.request(request).await.map(|(_, revision)| revision)
    }

    /// Writes all that there is at one revision into a file.
    pub(super) async fn back_up(&self, to: &Path) -> Result<Revision, EmbeddedStoreError> {
        if self.shared().is_closing() {
            return Err(EmbeddedStoreError::Closed);
        }
        backup::write(Arc::clone(&self.last.shared), to.to_owned()).await
    }

    /// Waits until the threads have done what was handed in, and the folder is free.
    pub(super) async fn close(self) {
        self.shared().begin_closing();
        let mut ended = self.shared().ended.subscribe();
        // The sender lives as long as `self`.
        let _ = ended.wait_for(|ended| *ended).await;
    }

    /// What a write costs outside of the lock, before it.
    fn prepare(&self, write: Write) -> Result<Prepared, StoreError> {
        prepare::prepare(write, self.shared().config.object_limit)
    }

    async fn request(&self, request: Request) -> Answer {
        let decision = {
            let mut desk = self.shared().desk();
            desk.mode.check()?;
            let is_first = desk.staging.decided.is_empty();
            let state = self.shared().mvcc.read();
            let decision = desk.staging.decide(request, &state, true);
            drop(state);
            if is_first && !desk.staging.decided.is_empty() {
                self.shared().wake.notify_one();
            }
            decision
        };
        match decision {
            Decision::Now(answer) => answer,
            Decision::Later(answer) => answer.await.unwrap_or_else(|_| {
                Err(unavailable("the thread that writes has ended before its time: open the store again", true))
            }),
        }
    }
}
