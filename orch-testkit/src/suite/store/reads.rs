//! R1 to R3: reads.

use std::sync::Arc;

use orch_core::key::Key;
use orch_core::revision::Revision;
use orch_core::store::{ListFrom, ListOptions, Store, StoreError};

use super::steps::{
    Row, change, create, delete, get, holder, in_parallel, lease_key, leases, leases_in, list, list_latest, next_item,
    row, write_elsewhere,
};

/// A read sees every write that had returned before it began, whoever wrote.
pub async fn a_read_sees_every_write_that_had_returned(store: impl Store) {
    let store = Arc::new(store);
    let key = lease_key("a", "one");
    assert!(get(&*store, &key).await.is_none(), "a store that is new holds an object");
    let mut entry = create(&*store, &key, "0").await;
    for turn in 1..20 {
        let (writer, before) = (Arc::clone(&store), entry);
        let write = move |_| {
            let (writer, before) = (Arc::clone(&writer), before.clone());
            async move { change(&*writer, &before, &turn.to_string()).await }
        };
        entry = in_parallel(1, write).await.remove(0);
        assert_eq!(get(&*store, &key).await.as_ref().map(row), Some(row(&entry)), "R1: an old state was read");
    }
    delete(&*store, &entry).await;
    assert!(get(&*store, &key).await.is_none(), "R1: a deleted object was read");
}

/// Reads one after another never go back, however many write meanwhile.
pub async fn reads_never_go_back(store: impl Store) {
    let store = Arc::new(store);
    let key = lease_key("a", "one");
    let first = create(&*store, &key, "0").await;
    in_parallel(3, |number| {
        let (store, first) = (Arc::clone(&store), first.clone());
        async move {
            let mut entry = first;
            for turn in 1..100 {
                if number == 0 {
                    entry = change(&*store, &entry, &turn.to_string()).await;
                    continue;
                }
                let next = get(&*store, &entry.key).await.expect("nobody deletes it");
                assert!(next.revision >= entry.revision, "R1: {} came after {}", next.revision, entry.revision);
                let (_, listed) = list_latest(&*store, &leases()).await;
                assert!(listed >= next.revision, "R1: a listing at {listed} came after {}", next.revision);
                entry = next;
            }
        }
    })
    .await;
}

/// Every valid name is an address of its own.
pub async fn every_valid_name_is_an_address_of_its_own(store: impl Store) {
    let label = "x".repeat(63);
    let long = [&label[..], &label, &label, &label[..61]].join(".");
    assert_eq!(long.len(), 253, "the longest name");
    let names =
        ["a", "a.b", "a-b", "a0", "a.0", "ab", "0", "aa", "xn--80ak6aa92e", "con", "null", "a.b.c", &long, &label];
    for namespace in ["a", "a-b", "ab", "0"] {
        for name in names {
            let key = lease_key(namespace, name);
            create(&store, &key, &format!("{namespace} {name}")).await;
        }
    }
    for namespace in ["a", "a-b", "ab", "0"] {
        for name in names {
            let entry = get(&store, &lease_key(namespace, name)).await.expect("it was written");
            assert_eq!(holder(&entry), format!("{namespace} {name}"), "another object was read");
        }
        assert_eq!(list_latest(&store, &leases_in(namespace)).await.0.len(), names.len(), "in {namespace}");
    }
}

/// A listing holds exactly what is under its prefix, in the order of keys.
pub async fn a_listing_holds_what_is_under_its_prefix_in_order(store: impl Store) {
    let names =
        [("b", "z"), ("a", "b.c"), ("a-b", "x"), ("a", "b-c"), ("ab", "a"), ("a", "b"), ("a.b", "a"), ("a", "0")];
    let mut keys: Vec<Key> = Vec::new();
    for (namespace, name) in names {
        keys.push(create(&store, &lease_key(namespace, name), "").await.key.clone());
    }
    keys.sort();
    write_elsewhere(&store, "a").await;
    for prefix in [leases(), leases_in("a"), leases_in("a-b"), leases_in("ab"), leases_in("b"), leases_in("none")] {
        let (rows, _) = list_latest(&store, &prefix).await;
        let listed: Vec<Key> = rows.into_iter().map(|(key, ..)| key).collect();
        let expected: Vec<Key> = keys.iter().filter(|key| prefix.contains(key)).cloned().collect();
        assert_eq!(listed, expected, "R2: the listing of {prefix}");
    }
}

/// A listing states its revision, which is at least that of every write that had returned, even if it is empty.
pub async fn a_listing_states_its_revision(store: impl Store) {
    let (rows, start) = list_latest(&store, &leases()).await;
    assert!(rows.is_empty(), "a store that is new lists {rows:?}");
    let entry = create(&store, &lease_key("a", "one"), "1").await;
    assert!(entry.revision > start, "the first write is not after the listing before it");
    let (rows, revision) = list_latest(&store, &leases_in("b")).await;
    assert!(rows.is_empty() && revision >= entry.revision, "an empty listing at {revision} after {}", entry.revision);
    let (rows, revision) = list_latest(&store, &leases()).await;
    assert!(revision >= entry.revision, "R2: listed at {revision}, after the write at {}", entry.revision);
    assert_eq!(rows, [row(&entry)]);
}

/// Pages hold no more than was asked for, and together every object once, whatever their size.
pub async fn pages_together_hold_every_object_once(store: impl Store) {
    let mut expected: Vec<Row> = Vec::new();
    for number in 0..12 {
        expected.push(row(&create(&store, &lease_key("a", &format!("n{number:02}")), "").await));
    }
    create(&store, &lease_key("b", "behind"), "").await;
    for limit in [1, 2, 3, 4, 6, 11, 12, 13] {
        let (rows, _) = list(&store, &leases_in("a"), ListFrom::Latest, Some(limit)).await.expect("a listing");
        assert_eq!(rows, expected, "R2: in pages of {limit}");
    }
}

/// All pages of a listing are at one revision, whatever is written between them.
pub async fn all_pages_are_at_one_revision_whatever_is_written_between_them(store: impl Store) {
    let mut entries = Vec::new();
    for number in 0..10 {
        entries.push(create(&store, &lease_key("a", &format!("n{number}")), "old").await);
    }
    let expected: Vec<Row> = entries.iter().map(row).collect();
    let limit = std::num::NonZeroUsize::new(2);
    let mut page = store.list(&leases(), ListOptions { limit, from: ListFrom::Latest }).await.expect("a listing");
    let (mut rows, mut turn) = (Vec::new(), 0);
    loop {
        rows.extend(page.entries.iter().map(row));
        let Some(next) = page.next else { break };
        // Ahead of the listing and behind it: one changed, one deleted, one made.
        change(&store, &entries[9 - turn], "new").await;
        delete(&store, &entries[turn]).await;
        create(&store, &lease_key("a", &format!("n{turn}-between")), "new").await;
        create(&store, &lease_key("a", &format!("n{}-between", 9 - turn)), "new").await;
        turn += 1;
        let options = ListOptions { limit, from: ListFrom::Continue(next) };
        page = store.list(&leases(), options).await.expect("the listing goes on at its revision");
    }
    assert_eq!(rows, expected, "R2: the pages show writes that came after the first of them");
}

/// A listing at a past revision is the state as it was then.
pub async fn a_listing_at_a_past_revision_is_the_state_of_then(store: impl Store) {
    let mut states: Vec<(Vec<Row>, Revision)> = vec![list_latest(&store, &leases()).await];
    let one = create(&store, &lease_key("a", "one"), "1").await;
    states.push(list_latest(&store, &leases()).await);
    let two = create(&store, &lease_key("b", "two"), "1").await;
    states.push(list_latest(&store, &leases()).await);
    let one = change(&store, &one, "2").await;
    states.push(list_latest(&store, &leases()).await);
    delete(&store, &one).await;
    states.push(list_latest(&store, &leases()).await);
    create(&store, &one.key, "3").await;
    states.push(list_latest(&store, &leases()).await);
    delete(&store, &two).await;
    states.push(list_latest(&store, &leases()).await);
    for (expected, revision) in states.iter().skip(1) {
        for limit in [None, Some(1)] {
            let (rows, at) = list(&store, &leases(), ListFrom::At(*revision), limit).await.expect("it is kept");
            assert_eq!((&rows, at), (expected, *revision), "R2: the state at {revision}, in pages of {limit:?}");
        }
    }
}

/// A revision that does not exist yet is refused, not answered with another one's state.
pub async fn a_future_revision_is_refused(store: impl Store) {
    create(&store, &lease_key("a", "one"), "1").await;
    let (_, current) = list_latest(&store, &leases()).await;
    let far = Revision(current.0 + 1_000_000);
    match list(&store, &leases(), ListFrom::At(far), None).await {
        Err(StoreError::FutureRevision { requested, .. }) => assert_eq!(requested, far),
        other => panic!("R3: a listing at {far}, with the store at {current}, gave {other:?}"),
    }
    let error = match store.watch(&leases(), far).await {
        Err(error) => Some(error),
        Ok(mut watch) => next_item(&mut watch).await.and_then(Result::err),
    };
    let refused = matches!(error, Some(StoreError::FutureRevision { requested, .. }) if requested == far);
    assert!(refused, "R3: a watch after {far}, with the store at {current}, gave {error:?}");
}
