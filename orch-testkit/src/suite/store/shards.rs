//! S1 and S2: what reaches into all of a store is served wholly or refused.

use orch_core::key::{Key, Prefix};
use orch_core::kind::Object as _;
use orch_core::object::Namespace;
use orch_core::revision::Revision;
use orch_core::store::{Check, Entry, Expect, ListOptions, Store, StoreError, Transact, Value, WatchEvent, Write};

use super::steps::{change, create, delete, get, held_by, lease_key, leases, list_latest, next_event, write_elsewhere};

/// A listing of everything holds every object of every kind, all in one order of writes, or is refused because the store
/// has shards.
pub async fn a_listing_of_everything_is_whole_or_refused(store: impl Store) {
    let mut entries: Vec<Entry> = Vec::new();
    for (namespace, name) in [("b", "z"), ("a", "b.c"), ("a-b", "x"), ("a", "b-c")] {
        entries.push(create(&store, &lease_key(namespace, name), "").await);
    }
    entries.push(write_elsewhere(&store, "a").await);
    let page = match store.list(&Prefix::all(), ListOptions::default()).await {
        Ok(page) => page,
        Err(error) => return assert_spans(&error),
    };
    let written: Vec<Revision> = entries.iter().map(|entry| entry.revision).collect();
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    let listed: Vec<(&Key, Revision)> = page.entries.iter().map(|entry| (&entry.key, entry.revision)).collect();
    let expected: Vec<(&Key, Revision)> = entries.iter().map(|entry| (&entry.key, entry.revision)).collect();
    assert_eq!(listed, expected, "R2: a listing of everything");
    assert!(written.is_sorted_by(|a, b| a < b), "S1: listed together, and written one after another at {written:?}");
    assert!(written.last() <= Some(&page.revision), "R2: listed at {}, after writes at {written:?}", page.revision);
}

/// A watch of everything tells every change of every kind, all in one order of writes, or is refused because the store
/// has shards.
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
    let mut told: Vec<(Revision, Key)> = Vec::new();
    while told.last().is_none_or(|(_, key)| key.collection() != "namespaces") {
        let event = next_event(&mut watch).await;
        match &event {
            WatchEvent::Put { entry, .. } => told.push((event.revision(), entry.key.clone())),
            WatchEvent::Delete { key, .. } => told.push((event.revision(), key.clone())),
            WatchEvent::Progress(_) => {}
        }
    }
    assert_eq!(told.len(), 3 * 3 + 1, "E5: a watch of everything saw {told:?}");
    assert!(told.is_sorted_by(|a, b| a.0 < b.0), "E1: a watch of everything told, in this order, {told:?}");
}

/// A transaction of several kinds happens wholly, or is refused because the store has shards and does not happen at all.
pub async fn a_transaction_of_several_kinds_is_whole_or_refused(store: impl Transact) {
    // Two shards that were equally far could give one revision by chance.
    create(&store, &lease_key("a", "before"), "1").await;
    let (lease, (elsewhere, namespace)) = (lease_key("a", "one"), namespace("a"));
    let writes = vec![
        Write::Put { key: lease.clone(), value: held_by(&lease, "1"), expect: Expect::Absent },
        Write::Put { key: elsewhere.clone(), value: namespace, expect: Expect::Absent },
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

/// A write that depends on an object of another kind is decided by that object, or refused because the store has shards.
pub async fn a_check_of_another_kind_decides_or_is_refused(store: impl Transact) {
    let key = lease_key("a", "one");
    let write = || vec![Write::Put { key: key.clone(), value: held_by(&key, "1"), expect: Expect::Absent }];
    let check = |expect| [Check { key: namespace("a").0, expect }];
    let fence = write_elsewhere(&store, "a").await.revision;
    match store.commit(&check(Expect::Absent), write()).await {
        Err(StoreError::Conflict { key, found }) => assert_eq!((key, found), (namespace("a").0, Some(fence))),
        Err(error) => assert_spans(&error),
        Ok(revision) => panic!("T2: happened at {revision}, though what it depends on does not hold"),
    }
    assert!(get(&store, &key).await.is_none(), "T2, S2: what was refused happened");
    let done = store.commit(&check(Expect::Revision(fence)), write()).await;
    let there = get(&store, &key).await.map(|entry| entry.revision);
    match done {
        Ok(revision) => assert_eq!(there, Some(revision), "T1: the revision of what the transaction wrote"),
        Err(error) => {
            assert_spans(&error);
            assert_eq!(there, None, "S2: what was refused happened");
        }
    }
}

fn namespace(name: &str) -> (Key, Value) {
    let mut namespace = Namespace::default();
    namespace.metadata.name = name.to_owned();
    (Key::new(&Namespace::KIND, None, name).expect("a valid key"), Value::new(namespace))
}

fn assert_spans(error: &StoreError) {
    match error {
        StoreError::SpansShards { shards, .. } => {
            assert!(shards.len() > 1, "S2: refused for spanning shards, and names {shards:?}");
        }
        other => panic!("S2: what reaches into all of the store is served wholly or refused as such, not: {other}"),
    }
}
