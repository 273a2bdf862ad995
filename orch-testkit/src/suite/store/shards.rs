//! S1 and S2: what reaches into all of a store is served wholly or refused.

use orch_core::key::{Key, Prefix};
use orch_core::kind::Object as _;
use orch_core::object::Namespace;
use orch_core::store::{Expect, ListOptions, Store, StoreError, Transact, Value, WatchEvent, Write};

use super::steps::{change, create, delete, get, held_by, lease_key, leases, list_latest, next_event, write_elsewhere};

/// A listing of everything holds every object of every kind, or is refused because the store has shards.
pub async fn a_listing_of_everything_is_whole_or_refused(store: impl Store) {
    let mut keys: Vec<Key> = Vec::new();
    for (namespace, name) in [("b", "z"), ("a", "b.c"), ("a-b", "x"), ("a", "b-c")] {
        keys.push(create(&store, &lease_key(namespace, name), "").await.key.clone());
    }
    let last = write_elsewhere(&store, "a").await;
    keys.push(last.key.clone());
    keys.sort();
    match store.list(&Prefix::all(), ListOptions::default()).await {
        Ok(page) => {
            let listed: Vec<Key> = page.entries.iter().map(|entry| entry.key.clone()).collect();
            assert_eq!(listed, keys, "R2: a listing of everything");
            assert!(page.revision >= last.revision, "R2: listed at {}, after {}", page.revision, last.revision);
        }
        Err(error) => assert_spans(&error),
    }
}

/// A watch of everything tells every change of every kind, or is refused because the store has shards.
pub async fn a_watch_of_everything_is_whole_or_refused(store: impl Store) {
    let start = list_latest(&store, &leases()).await.1;
    let mut watch = match store.watch(&Prefix::all(), start).await {
        Ok(watch) => watch,
        Err(error) => return assert_spans(&error),
    };
    for place in ["a", "a-b", "b"] {
        let entry = create(&store, &lease_key(place, "one"), "1").await;
        let entry = change(&store, &entry, "2").await;
        delete(&store, &entry).await;
    }
    write_elsewhere(&store, "a").await;
    let mut keys = Vec::new();
    while keys.last().is_none_or(|key: &Key| key.collection() != "namespaces") {
        match next_event(&mut watch).await {
            WatchEvent::Put { entry, .. } => keys.push(entry.key.clone()),
            WatchEvent::Delete { key, .. } => keys.push(key),
            WatchEvent::Progress(_) => {}
        }
    }
    assert_eq!(keys.len(), 3 * 3 + 1, "E5: a watch of everything saw {keys:?}");
}

/// A transaction of several kinds happens wholly, or is refused because the store has shards and does not happen at all.
pub async fn a_transaction_of_several_kinds_is_whole_or_refused(store: impl Transact) {
    let lease = lease_key("a", "one");
    let elsewhere = Key::new(&Namespace::KIND, None, "a").expect("a valid key");
    let mut namespace = Namespace::default();
    namespace.metadata.name = "a".to_owned();
    let writes = vec![
        Write::Put { key: lease.clone(), value: held_by(&lease, "1"), expect: Expect::Absent },
        Write::Put { key: elsewhere.clone(), value: Value::new(namespace), expect: Expect::Absent },
    ];
    let done = store.commit(&[], writes).await;
    let there = [get(&store, &lease).await, get(&store, &elsewhere).await];
    match done {
        Ok(revision) => {
            let revisions = there.map(|entry| entry.map(|entry| entry.revision));
            assert_eq!(revisions, [Some(revision); 2], "T1: the revisions of what one transaction wrote");
        }
        Err(error) => {
            assert_spans(&error);
            assert!(there.iter().all(Option::is_none), "S2: what was refused happened: {there:?}");
        }
    }
}

fn assert_spans(error: &StoreError) {
    match error {
        StoreError::SpansShards { shards, .. } => {
            assert!(shards.len() > 1, "S2: refused for spanning shards, and names {shards:?}");
        }
        other => panic!("S2: what reaches into all of the store is served wholly or refused as such, not: {other}"),
    }
}
