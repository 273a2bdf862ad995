//! What a [`MemoryStore`] promises beyond the contract: who is woken when, what is forgotten, what is refused.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake};
use std::time::Duration;

use futures::StreamExt as _;
use orch_core::key::{Key, Prefix};
use orch_core::kind::Object as _;
use orch_core::object::Lease;
use orch_core::revision::Revision;
use orch_core::store::{
    Claim as _, Continue, Expect, ListFrom, ListOptions, Store as _, StoreError, Transact as _, Value, WatchEvent,
    Write,
};
use orch_store::memory::{MemoryStore, MemoryStoreConfig};

/// Counts how often a task would be woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn key_of(namespace: &str, name: &str) -> Key {
    Key::new(&Lease::KIND, Some(namespace), name).expect("a valid key")
}

/// Writes so often to one lease; returns the last revision.
async fn write(store: &MemoryStore, key: &Key, times: usize) -> Revision {
    let mut revision = store.get(key).await.expect("a read").map(|entry| entry.revision);
    for _ in 0..times {
        let expect = revision.map_or(Expect::Absent, Expect::Revision);
        revision =
            Some(store.put(key, Value::new(Lease::default()), expect).await.expect("nobody else writes").revision);
    }
    revision.expect("written at least once")
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_idle_is_woken_once_for_any_number_of_writes_elsewhere() {
    let store = MemoryStore::new();
    let own = Prefix::namespace(&Lease::KIND, "own").expect("a valid prefix");
    let mut watch = store.watch(&own, Revision::ZERO).await.expect("a new store");
    let wakes = Arc::new(Wakes::default());
    let waker = Arc::clone(&wakes).into();
    let mut context = Context::from_waker(&waker);
    for round in 1..4 {
        assert!(watch.poll_next_unpin(&mut context).is_pending());
        let before = wakes.0.load(Ordering::SeqCst);
        let mut last = write(&store, &key_of("elsewhere", "one"), 500).await;
        assert_eq!(wakes.0.load(Ordering::SeqCst) - before, 1, "to set the timer for the progress mark");
        assert!(watch.poll_next_unpin(&mut context).is_pending(), "a mark came for every write");
        last = last.max(write(&store, &key_of("elsewhere", "one"), 500).await);
        assert_eq!(wakes.0.load(Ordering::SeqCst) - before, 1, "the timer runs: nothing else is needed");
        tokio::time::sleep(Duration::from_millis(1_001)).await;
        match watch.poll_next_unpin(&mut context) {
            Poll::Ready(Some(Ok(WatchEvent::Progress(revision)))) => assert_eq!(revision, last, "in round {round}"),
            other => panic!("a progress mark is due, and {other:?} came"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_in_which_nothing_happens_wakes_nobody() {
    let store = MemoryStore::new();
    let mut watch = store.watch(&Prefix::all(), Revision::ZERO).await.expect("a new store");
    let wakes = Arc::new(Wakes::default());
    let waker = Arc::clone(&wakes).into();
    assert!(watch.poll_next_unpin(&mut Context::from_waker(&waker)).is_pending());
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(wakes.0.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_claim_ends_with_nobody_but_a_watch_there_which_is_woken_for_that_and_for_nothing_else() {
    let store = MemoryStore::new();
    let (key, ttl) = (key_of("own", "claimed"), Duration::from_secs(10));
    let claimed = store.claim(&key, Value::new(Lease::default()), ttl).await.expect("nothing is there");
    let own = Prefix::namespace(&Lease::KIND, "own").expect("a valid prefix");
    let mut watch = store.watch(&own, claimed.token()).await.expect("the latest revision");
    let wakes = Arc::new(Wakes::default());
    let waker = Arc::clone(&wakes).into();
    let mut context = Context::from_waker(&waker);
    assert!(watch.poll_next_unpin(&mut context).is_pending());
    tokio::time::sleep(Duration::from_secs(9)).await;
    store.renew(&claimed).await.expect("it has not ended");
    assert_eq!(wakes.0.load(Ordering::SeqCst), 0, "a renewal is no write");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1, "to wait for the new end");
    assert!(watch.poll_next_unpin(&mut context).is_pending());
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(wakes.0.load(Ordering::SeqCst), 2, "to end the claim");
    match watch.poll_next_unpin(&mut context) {
        Poll::Ready(Some(Ok(WatchEvent::Delete { revision, .. }))) => assert_eq!(revision, claimed.token().next()),
        other => panic!("the claim is to end, and {other:?} came"),
    }
    assert!(watch.poll_next_unpin(&mut context).is_pending());
    let before = wakes.0.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(wakes.0.load(Ordering::SeqCst), before, "nothing is claimed any more");
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_a_century_or_for_nothing_gets_it() {
    let store = MemoryStore::new();
    let value = || Value::new(Lease::default());
    let for_ever = store.claim(&key_of("a", "ever"), value(), Duration::MAX).await.expect("nothing is there");
    store.renew(&for_ever).await.expect("it has not ended");
    store.claim(&key_of("a", "never"), value(), Duration::ZERO).await.expect("nothing is there");
    assert!(store.get(&key_of("a", "never")).await.expect("a read").is_none());
    store.release(&for_ever).await.expect("it has not ended");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_history_left_behind_is_told_and_a_quiet_one_is_not_disturbed() {
    let history = NonZeroUsize::new(8).expect("not zero");
    let store = MemoryStore::with_config(MemoryStoreConfig { history, ..MemoryStoreConfig::default() });
    let quiet = Prefix::namespace(&Lease::KIND, "quiet").expect("a valid prefix");
    let mut slow = store.watch(&Prefix::all(), Revision::ZERO).await.expect("a new store");
    let mut quiet = store.watch(&quiet, Revision::ZERO).await.expect("a new store");
    let first = write(&store, &key_of("busy", "one"), 1_000).await;
    match slow.next().await {
        Some(Err(StoreError::Compacted { requested, oldest })) => {
            assert_eq!((requested, oldest), (Revision::ZERO, Revision(first.0 - 7)), "eight changes are kept");
        }
        other => panic!("a reader that cannot go on got {other:?}"),
    }
    assert!(slow.next().await.is_none() && slow.next().await.is_none());
    let own = write(&store, &key_of("quiet", "one"), 1).await;
    loop {
        match quiet.next().await {
            Some(Ok(WatchEvent::Progress(_))) => {}
            Some(Ok(event)) => break assert_eq!(event.revision(), own),
            other => panic!("a reader with nothing to read got {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_transaction_larger_than_the_history_is_kept_whole_until_the_next_write() {
    let history = NonZeroUsize::new(2).expect("not zero");
    let store = MemoryStore::with_config(MemoryStoreConfig { history, ..MemoryStoreConfig::default() });
    let start = write(&store, &key_of("a", "one"), 1).await;
    let put = |number: usize| {
        let (key, value) = (key_of("b", &format!("n{number}")), Value::new(Lease::default()));
        Write::Put { key, value, expect: Expect::Absent }
    };
    let revision = store.commit(&[], (0..300).map(put).collect()).await.expect("nothing is there");
    let mut watch = store.watch(&Prefix::all(), start).await.expect("the latest transaction is kept");
    write(&store, &key_of("a", "one"), 3).await;
    let late = store.watch(&Prefix::all(), start).await;
    assert!(matches!(late, Err(StoreError::Compacted { .. })), "two changes are kept, and {late:?} begins before them");
    let told = watch.next().await;
    assert!(matches!(told, Some(Err(StoreError::Compacted { .. }))), "{told:?} came of {revision}");
}

#[tokio::test]
async fn to_go_on_after_a_key_that_lies_elsewhere_is_an_empty_page_or_the_whole() {
    let store = MemoryStore::new();
    let revision = write(&store, &key_of("b", "one"), 1).await;
    for (after, listed) in [("c", 0), ("a", 1)] {
        let next = Continue { revision, after: key_of(after, "one") };
        let options = ListOptions { limit: None, from: ListFrom::Continue(next) };
        let prefix = Prefix::namespace(&Lease::KIND, "b").expect("a valid prefix");
        let page = store.list(&prefix, options).await.expect("the latest revision");
        assert_eq!((page.entries.len(), page.next), (listed, None), "after {after}");
    }
}

#[tokio::test]
async fn json_that_is_too_large_is_refused_with_its_size() {
    let store = MemoryStore::with_config(MemoryStoreConfig { object_limit: 100, ..MemoryStoreConfig::default() });
    let key = key_of("a", "one");
    let put = |size: usize| store.put(&key, Value::from_json(vec![b' '; size].into()), Expect::Absent);
    match put(101).await {
        Err(StoreError::TooLarge { size, limit, .. }) => assert_eq!((size, limit), (101, 100)),
        other => panic!("101 bytes of at most 100 gave {other:?}"),
    }
    assert!(store.get(&key).await.expect("a read").is_none(), "W3: a refused write happened");
    put(100).await.expect("100 bytes of at most 100");
}
