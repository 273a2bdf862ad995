//! [`Workload`]: many clients that do anything at the same time, by a seed.

mod client;
mod objects;
mod share;
mod witness;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use orch_core::revision::Revision;
use orch_core::store::{Check, Compact, Store, StoreError, Transact, Watch, Write};
use tokio::sync::watch;

use self::client::Client;
pub use self::share::{check_by_turns, check_in_threads};
use self::witness::Witness;
use super::recorder::{History, Recorder};
use super::recording_store::RecordingStore;

/// Clients that do anything at the same time: reads, listings in pages and of the past, writes with expectations right
/// and wrong, transactions, watches from past revisions; on a few keys that all want and more that few want. Now and
/// then one drops a future half-way.
///
/// It goes on when the store is unavailable, so it can run while somebody kills the store; with an error whose outcome
/// is unknown, so is the operation's. Beside the clients a witness watches everything, so that writes of unknown outcome
/// are found.
///
/// The same seed gives the same history, to the letter, when the store runs in this process and the executor is one
/// thread with paused time. How requests then meet is up to a [`DistantStore`](super::DistantStore) between.
///
/// ```
/// use orch_testkit::history::{check, workload::Workload, DistantStore};
/// use orch_testkit::model::ModelStore;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
/// # runtime.block_on(async {
/// let store = DistantStore::new(ModelStore::default(), 42);
/// let workload = Workload::new(42).operations(500).with_transactions().with_compaction();
/// let history = workload.run(store).await;
/// println!("{}", check(&history).expect_kept());
/// # });
/// ```
pub struct Workload<S: ?Sized> {
    plan: Plan,
    abilities: Abilities<S>,
}

/// What is the same for all clients.
#[derive(Clone, Copy, Debug)]
struct Plan {
    seed: u64,
    clients: usize,
    operations: usize,
    patience: Duration,
}

/// What not every store can do.
struct Abilities<S: ?Sized> {
    commit: Option<Commit<S>>,
    compact: Option<Compaction<S>>,
}

impl<S: ?Sized> Clone for Abilities<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: ?Sized> Copy for Abilities<S> {}

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;
type Commit<S> = for<'a> fn(&'a RecordingStore<S>, &'a [Check], Vec<Write>) -> Answer<'a, Revision>;
type Compaction<S> = for<'a> fn(&'a RecordingStore<S>, Revision) -> Answer<'a, ()>;

impl<S: Store> Workload<S> {
    /// Eight clients that make about a thousand operations together.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let plan = Plan { seed, clients: 8, operations: 1_000, patience: Duration::from_secs(20) };
        Self { plan, abilities: Abilities { commit: None, compact: None } }
    }

    /// With so many clients.
    #[must_use]
    pub fn clients(mut self, clients: usize) -> Self {
        self.plan.clients = clients;
        self
    }

    /// With about so many operations, of all clients together.
    #[must_use]
    pub fn operations(mut self, operations: usize) -> Self {
        self.plan.operations = operations;
        self
    }

    /// How long to wait at the end for a store that is unavailable, and for watches to tell everything.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.plan.patience = patience;
        self
    }

    /// With transactions.
    #[must_use]
    pub fn with_transactions(mut self) -> Self
    where
        S: Transact,
    {
        self.abilities.commit = Some(|store, checks, writes| store.commit(checks, writes));
        self
    }

    /// With a compaction now and then.
    #[must_use]
    pub fn with_compaction(mut self) -> Self
    where
        S: Compact,
    {
        self.abilities.compact = Some(|store, revision| store.compact(revision));
        self
    }

    /// Runs it on a store that is empty and that nobody else writes to.
    pub async fn run(&self, store: S) -> History {
        let recorder = Recorder::new();
        recorder.note_seed(self.plan.seed);
        self.record(&recorder, Arc::new(store)).await
    }

    /// As [`run`](Self::run), with every client in a thread of its own, so that they truly meet.
    pub async fn run_in_threads(&self, store: S) -> History {
        let recorder = Recorder::new();
        recorder.note_seed(self.plan.seed);
        self.record_in_threads(&recorder, Arc::new(store)).await
    }

    /// Runs it through a recorder, which may have recorded the same store before: so a workload can go on after the store
    /// was opened anew, and the caller can [`note`](Recorder::note) what it does to the store meanwhile.
    pub async fn record(&self, recorder: &Recorder, store: Arc<S>) -> History {
        let (mut witness, clients) = self.begin(recorder, &store).await;
        let clients: FuturesUnordered<_> = clients.into_iter().map(Client::run).collect();
        let (ended, end) = watch::channel(());
        let work = async {
            let watches: Vec<Vec<Watch>> = clients.collect().await;
            drop(ended);
            watches.into_iter().flatten().collect()
        };
        let (watches, ()) = futures::join!(work, witness.observe(end));
        let watches = witness.finish(watches).await;
        let history = recorder.history();
        drop(watches);
        history
    }

    /// As [`record`](Self::record), with every client in a thread of its own.
    pub async fn record_in_threads(&self, recorder: &Recorder, store: Arc<S>) -> History {
        let (mut witness, clients) = self.begin(recorder, &store).await;
        let threads = clients.into_iter().map(|client| {
            let runtime = tokio::runtime::Handle::current();
            tokio::task::spawn_blocking(move || runtime.block_on(client.run()))
        });
        let threads: Vec<_> = threads.collect();
        let (ended, end) = watch::channel(());
        let work = async {
            let mut watches: Vec<Watch> = Vec::new();
            for thread in threads {
                watches.extend(thread.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())));
            }
            drop(ended);
            watches
        };
        let (watches, ()) = futures::join!(work, witness.observe(end));
        let watches = witness.finish(watches).await;
        let history = recorder.history();
        drop(watches);
        history
    }

    async fn begin(&self, recorder: &Recorder, store: &Arc<S>) -> (Witness<S>, Vec<Client<S>>) {
        let start = recorder.history().operations.len();
        let witness = Witness::new(recorder.clone(), recorder.client(Arc::clone(store)), self.plan.patience).await;
        let clients = (0..self.plan.clients)
            .map(|number| Client::new(recorder.client(Arc::clone(store)), self.plan, self.abilities, start + number));
        (witness, clients.collect())
    }
}

impl<S: ?Sized> fmt::Debug for Workload<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan.fmt(f)
    }
}
