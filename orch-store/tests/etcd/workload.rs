//! [`Workload`]: clients who go on through every fault, and whether what they saw is what a store promises.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use orch_core::entropy::{Entropy as _, SeededEntropy};
use orch_core::key::{Key, Prefix};
use orch_core::kind::Object as _;
use orch_core::object::{Lease, LeaseSpec, ObjectMeta};
use orch_core::revision::Revision;
use orch_core::store::{Compact, Expect, ListFrom, ListOptions, Store, StoreError, Transact, Value, Write};
use orch_testkit::history::{Checked, Recorder, RecordingStore, check};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

const WRITERS: usize = 4;
const NAMESPACES: [&str; 2] = ["one", "two"];
/// Few, so that clients get in each other's way.
const KEYS: u64 = 6;
/// Below what the machine needs when it is busy, nobody is found to be late.
const BUSY: Duration = Duration::from_secs(4);
/// How long is waited for what must come some time.
pub(crate) const SOON: Duration = Duration::from_secs(40);

/// What every store under these faults can do.
pub(crate) trait Subject: Store + Transact + Compact {}

impl<S: Store + Transact + Compact> Subject for S {}

/// Writers and readers who go on whatever happens, and watches that follow it from the beginning to the end.
pub(crate) struct Workload<S> {
    recorder: Recorder,
    /// Each with connections of its own.
    stores: Vec<Arc<S>>,
    shared: Arc<Shared>,
    clients: JoinSet<()>,
    watchers: JoinSet<Followed>,
    /// The revision up to which watchers go on.
    last: watch::Sender<Option<Revision>>,
}

/// What clients and the one who injects faults know of one another.
struct Shared {
    /// How long any answer may take, if only to say that the store cannot serve.
    answers_within: Duration,
    done: AtomicBool,
    acknowledged: AtomicUsize,
    unavailable: AtomicUsize,
}

/// How often a watch ended, by what it said last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Followed {
    pub(crate) compacted: usize,
    pub(crate) unavailable: usize,
}

impl<S: Subject> Workload<S> {
    /// Lets clients loose on stores that are all the same one, and new. Their requests time out after `timeout`.
    pub(crate) fn start(stores: Vec<S>, timeout: Duration) -> Self {
        let shared = Shared {
            answers_within: timeout + BUSY,
            done: AtomicBool::new(false),
            acknowledged: AtomicUsize::new(0),
            unavailable: AtomicUsize::new(0),
        };
        let stores: Vec<Arc<S>> = stores.into_iter().map(Arc::new).collect();
        let (recorder, shared) = (Recorder::new(), Arc::new(shared));
        let (mut clients, mut watchers) = (JoinSet::new(), JoinSet::new());
        let last = watch::Sender::new(None);
        for (number, store) in stores.iter().cycle().enumerate().take(WRITERS) {
            clients.spawn(write(recorder.client(Arc::clone(store)), number, Arc::clone(&shared)));
        }
        for store in &stores {
            clients.spawn(read(recorder.client(Arc::clone(store)), Arc::clone(&shared)));
            for prefix in [Prefix::all(), Prefix::namespace(&Lease::KIND, NAMESPACES[1]).expect("a valid prefix")] {
                watchers.spawn(follow(recorder.client(Arc::clone(store)), prefix, last.subscribe()));
            }
        }
        Self { recorder, stores, shared, clients, watchers, last }
    }

    /// Notes a fault, to be read with a violation.
    pub(crate) fn note(&self, fault: &str) {
        self.recorder.note(fault);
    }

    /// A client more, for what the one who injects faults asks of the store itself.
    pub(crate) fn client(&self) -> RecordingStore<S> {
        self.recorder.client(Arc::clone(&self.stores[0]))
    }

    /// Waits until this many more writes were acknowledged.
    pub(crate) async fn writes(&mut self, more: usize) {
        self.advance("acknowledge writes", more, |shared| &shared.acknowledged).await;
    }

    /// Waits until so many more requests were answered with [`StoreError::Unavailable`].
    pub(crate) async fn is_unavailable(&mut self, more: usize) {
        self.advance("say that it cannot serve", more, |shared| &shared.unavailable).await;
    }

    async fn advance(&mut self, what: &str, more: usize, counter: fn(&Shared) -> &AtomicUsize) {
        let goal = counter(&self.shared).load(Ordering::Relaxed) + more;
        let deadline = Instant::now() + SOON;
        while counter(&self.shared).load(Ordering::Relaxed) < goal {
            while let Some(ended) = self.clients.try_join_next() {
                ended.expect("a client goes on until it is told to stop");
            }
            assert!(Instant::now() < deadline, "the store does not {what} within {SOON:?}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Lets the clients finish, waits until every watch has told all, and checks what they saw.
    ///
    /// # Panics
    /// With the violation, if the store broke a promise.
    pub(crate) async fn finish(mut self) -> (Checked, Followed) {
        self.shared.done.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("a client ends well");
        }
        let last = timeout(SOON, close(&self.client())).await.expect("the store serves in the end");
        self.last.send_replace(Some(last));
        let everyone = async {
            let mut sum = Followed::default();
            while let Some(followed) = self.watchers.join_next().await {
                let followed = followed.expect("a watcher ends well");
                sum.compacted += followed.compacted;
                sum.unavailable += followed.unavailable;
            }
            sum
        };
        let followed = timeout(SOON, everyone).await;
        self.recorder.settled(last);
        let checked = check(&self.recorder.history()).expect_kept();
        println!("{checked}; watches ended: {followed:?}");
        (checked, followed.expect("E7: a watch tells everything, or that it cannot"))
    }
}

impl Shared {
    /// What came of a request, `None` if the store could not serve or the object was not as expected.
    async fn ask<T>(&self, request: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
        let answer = timeout(self.answers_within, request).await;
        match answer.unwrap_or_else(|_| panic!("no answer within {:?}", self.answers_within)) {
            Ok(done) => Some(done),
            Err(StoreError::Conflict { .. } | StoreError::Compacted { .. }) => None,
            Err(StoreError::Unavailable { .. }) => {
                self.unavailable.fetch_add(1, Ordering::Relaxed);
                // As a patient client would; it keeps the history of an outage short, too.
                sleep(Duration::from_millis(20)).await;
                None
            }
            Err(other) => panic!("a request was refused: {other}"),
        }
    }

    fn go_on(&self) -> bool {
        !self.done.load(Ordering::Relaxed)
    }
}

/// Reads and writes at random: creations, changes, deletions, and transactions of two, each with a value of its own.
async fn write<S: Subject>(store: RecordingStore<S>, number: usize, shared: Arc<Shared>) {
    let chance = SeededEntropy::new(number as u64);
    for turn in 0.. {
        if !shared.go_on() {
            break;
        }
        let first = chance.next_u64() % KEYS;
        let count = if chance.next_u64().is_multiple_of(5) { 2 } else { 1 };
        let mut writes = Vec::new();
        for number_of_key in first..first + count {
            let key = key(number_of_key % KEYS);
            let Some(found) = shared.ask(store.get(&key)).await else { continue };
            writes.push(match found {
                Some(entry) if chance.next_u64().is_multiple_of(4) => Write::Delete { key, expect: entry.revision },
                found => Write::Put {
                    value: held_by(&key, &format!("writer {number}, turn {turn}")),
                    expect: found.map_or(Expect::Absent, |entry| Expect::Revision(entry.revision)),
                    key,
                },
            });
        }
        let done = match writes.pop() {
            None => None,
            Some(last) if !writes.is_empty() => {
                writes.push(last);
                shared.ask(store.commit(&[], writes)).await
            }
            Some(Write::Put { key, value, expect }) => {
                shared.ask(store.put(&key, value, expect)).await.map(|entry| entry.revision)
            }
            Some(Write::Delete { key, expect }) => shared.ask(store.delete(&key, expect)).await,
        };
        if done.is_some() {
            shared.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        // The checker takes all, but thousands of operations a second prove no more.
        sleep(Duration::from_millis(2)).await;
    }
}

/// Lists everything, page by page.
async fn read<S: Subject>(store: RecordingStore<S>, shared: Arc<Shared>) {
    let limit = NonZeroUsize::new(2);
    while shared.go_on() {
        let mut from = ListFrom::Latest;
        while let Some(page) = shared.ask(store.list(&Prefix::all(), ListOptions { limit, from })).await {
            match page.next {
                Some(next) => from = ListFrom::Continue(next),
                None => break,
            }
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// Watches until everything up to `last` was told. A watch that ends because the store cannot serve is resumed after
/// what it told, and one that was compacted is followed by a listing: the recorder holds each of them to its promises.
async fn follow<S: Subject>(
    store: RecordingStore<S>,
    prefix: Prefix,
    mut last: watch::Receiver<Option<Revision>>,
) -> Followed {
    let (mut position, mut followed) = (Revision::ZERO, Followed::default());
    loop {
        let ended = match store.watch(&prefix, position).await {
            Err(error) => error,
            Ok(mut watch) => loop {
                if last.borrow_and_update().is_some_and(|last| position >= last) {
                    return followed;
                }
                tokio::select! { biased;
                    item = watch.next() => match item.expect("E7: a watch does not end without a word") {
                        Ok(event) => position = position.max(event.revision()),
                        Err(error) => break error,
                    },
                    _ = last.changed() => {}
                }
            },
        };
        match ended {
            StoreError::Compacted { .. } => {
                followed.compacted += 1;
                position = list_again(&store, &prefix, position).await;
            }
            StoreError::Unavailable { .. } => {
                followed.unavailable += 1;
                sleep(Duration::from_millis(20)).await;
            }
            other => panic!("a watch ended: {other}"),
        }
    }
}

async fn list_again<S: Subject>(store: &RecordingStore<S>, prefix: &Prefix, otherwise: Revision) -> Revision {
    let page = store.list(prefix, ListOptions::default()).await;
    page.map_or(otherwise, |page| page.revision)
}

/// A last write in every namespace, so that every watch has something to tell in the end, and a last look at everything.
async fn close<S: Subject>(store: &RecordingStore<S>) -> Revision {
    for namespace in NAMESPACES {
        let key = Key::new(&Lease::KIND, Some(namespace), "end").expect("a valid key");
        while !matches!(
            store.put(&key, held_by(&key, "nobody"), Expect::Absent).await,
            // It happened, though one attempt said that nobody knows.
            Ok(_) | Err(StoreError::Conflict { .. })
        ) {
            sleep(Duration::from_millis(50)).await;
        }
    }
    loop {
        match store.list(&Prefix::all(), ListOptions::default()).await {
            Ok(page) if page.next.is_none() => {
                let end = page.entries.iter().filter(|entry| entry.key.name() == "end").map(|entry| entry.revision);
                return end.max().expect("what was written is there");
            }
            Ok(_) | Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

pub(crate) fn key(number: u64) -> Key {
    let namespace = NAMESPACES[(number % 2) as usize];
    Key::new(&Lease::KIND, Some(namespace), &format!("n{number}")).expect("a valid key")
}

pub(crate) fn held_by(key: &Key, holder: &str) -> Value {
    let metadata = ObjectMeta {
        name: key.name().to_owned(),
        namespace: key.namespace().map(str::to_owned),
        ..ObjectMeta::default()
    };
    Value::new(Lease { metadata, spec: LeaseSpec { holder_identity: Some(holder.to_owned()), ..LeaseSpec::default() } })
}
