//! Many threads write to a [`MemoryStore`] while many others watch it: nobody misses anything without being told.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use futures::StreamExt as _;
use orch_core::key::{Key, Prefix};
use orch_core::kind::Object as _;
use orch_core::object::Lease;
use orch_core::revision::Revision;
use orch_core::store::{Expect, ListOptions, Store as _, StoreError, Transact as _, Value, WatchEvent, Write};
use orch_store::memory::{MemoryStore, MemoryStoreConfig};
use orch_testkit::suite;

const WRITERS: usize = 4;
const WATCHERS: usize = 10;
const TURNS: usize = 1_000;
const NAMESPACES: [&str; 3] = ["a", "a-b", "b"];

#[test]
fn with_all_history_every_watch_sees_every_change() {
    assert_eq!(run(1 << 20), 0, "E7: a watch was told that it was left behind, with all history kept");
}

#[test]
fn with_little_history_every_watch_sees_every_change_or_is_told_and_lists_again() {
    run(16);
}

/// Lets writers and watchers loose on a store, compares the copies in the end, and returns how often a watch was left
/// behind.
fn run(history: usize) -> usize {
    let history = NonZeroUsize::new(history).expect("not zero");
    let store = MemoryStore::with_config(MemoryStoreConfig { history, ..MemoryStoreConfig::default() });
    let left_behind = std::thread::scope(|scope| {
        let (store, prefixes) = (&store, (0..WATCHERS).map(prefix_of));
        let watchers: Vec<_> =
            prefixes.map(|prefix| scope.spawn(move || suite::run(keep_a_copy(store, &prefix)))).collect();
        let writers: Vec<_> = (0..WRITERS).map(|seed| scope.spawn(move || suite::run(write(store, seed)))).collect();
        for writer in writers {
            writer.join().expect("a writer panicked");
        }
        for namespace in NAMESPACES {
            let key = key_of(namespace, "end");
            suite::run(store.put(&key, Value::new(Lease::default()), Expect::Absent)).expect("it was not there");
        }
        watchers.into_iter().map(|watcher| watcher.join().expect("a watcher panicked")).sum()
    });
    let revision = suite::run(store.list(&Prefix::all(), ListOptions::default())).expect("a listing").revision;
    assert!(revision.0 > (TURNS * WRITERS / 2) as u64, "the writers only got in each other's way");
    left_behind
}

/// Writes at random to the same few keys as everyone else: puts, deletions, and transactions of both.
async fn write(store: &MemoryStore, seed: usize) {
    let mut random = seed as u64 + 1;
    let mut choose = |of: usize| {
        // xorshift64: Marsaglia, "Xorshift RNGs", 2003.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % of as u64) as usize
    };
    for _ in 0..TURNS {
        let first = choose(12);
        let count = if choose(4) == 0 { 3 } else { 1 };
        let mut writes = Vec::new();
        for number in first..first + count {
            let key = key_of(NAMESPACES[number % 3], &format!("n{}", number % 4));
            let found = store.get(&key).await.expect("a read");
            writes.push(match found {
                Some(entry) if choose(3) == 0 => Write::Delete { key, expect: entry.revision },
                found => Write::Put {
                    key,
                    value: Value::new(Lease::default()),
                    expect: found.map_or(Expect::Absent, |entry| Expect::Revision(entry.revision)),
                },
            });
        }
        match store.commit(&[], writes).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => {}
            Err(other) => panic!("a write failed: {other}"),
        }
    }
}

/// Lists, watches, and lists again whenever it was left behind, until the end. Returns how often that was.
async fn keep_a_copy(store: &MemoryStore, prefix: &Prefix) -> usize {
    let ends = NAMESPACES.iter().filter(|namespace| prefix.contains(&key_of(namespace, "end"))).count();
    let mut left_behind = 0;
    'list: loop {
        let page = store.list(prefix, ListOptions::default()).await.expect("a listing");
        let mut copy: BTreeMap<Key, Revision> =
            page.entries.into_iter().map(|entry| (entry.key.clone(), entry.revision)).collect();
        // A listing and the watch after it are two steps: with little history the second may come too late.
        let Ok(mut watch) = store.watch(prefix, page.revision).await else {
            left_behind += 1;
            continue;
        };
        let mut position = page.revision;
        while copy.keys().filter(|key| key.name() == "end").count() < ends {
            let event = match watch.next().await {
                Some(Ok(event)) => event,
                Some(Err(StoreError::Compacted { .. })) => {
                    left_behind += 1;
                    assert!(watch.next().await.is_none(), "E7: the error must be the last item");
                    continue 'list;
                }
                other => panic!("E7: a watch ended with {other:?}"),
            };
            let revision = event.revision();
            assert!(revision >= position, "E1: {event:?} came after {position}");
            // E2, E4: what was there before is what the copy has, so nothing was left out and nothing came twice.
            let (key, now, before) = match event {
                WatchEvent::Put { entry, previous } => (entry.key.clone(), Some(entry.revision), previous),
                WatchEvent::Delete { key, previous, .. } => (key, None, previous),
                WatchEvent::Progress(_) => continue,
            };
            let had = match now {
                Some(now) => copy.insert(key.clone(), now),
                None => copy.remove(&key),
            };
            assert_eq!(had, before.map(|before| before.revision), "E4: a change of {key} before {revision} was missed");
            position = revision;
        }
        let page = store.list(prefix, ListOptions::default()).await.expect("a listing");
        let listed: BTreeMap<Key, Revision> =
            page.entries.into_iter().map(|entry| (entry.key.clone(), entry.revision)).collect();
        assert_eq!(copy, listed, "the copy differs from the store");
        return left_behind;
    }
}

fn key_of(namespace: &str, name: &str) -> Key {
    Key::new(&Lease::KIND, Some(namespace), name).expect("a valid key")
}

fn prefix_of(number: usize) -> Prefix {
    match NAMESPACES.get(number % 5) {
        Some(namespace) => Prefix::namespace(&Lease::KIND, namespace).expect("a valid prefix"),
        None if number.is_multiple_of(2) => Prefix::collection(&Lease::KIND),
        None => Prefix::all(),
    }
}
