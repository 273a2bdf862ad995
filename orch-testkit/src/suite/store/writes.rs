//! W1 to W4: writes.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::FutureExt as _;
use orch_core::kind::AnyObject;
use orch_core::object::Lease;
use orch_core::revision::Revision;
use orch_core::store::{Expect, Store, Value, WatchEvent};

use super::steps::{
    change, conflict, create, delete, get, held_by, holder, in_parallel, lease, lease_key, leases, list_latest,
    next_change, next_event, row, watch, write_elsewhere,
};

/// Every successful write gets a revision of its own, greater than that of every write before it.
pub async fn every_write_gets_a_greater_revision(store: impl Store) {
    let first = create(&store, &lease_key("a", "one"), "1").await;
    let second = change(&store, &first, "2").await;
    let other = create(&store, &lease_key("b", "two"), "1").await;
    let deleted = delete(&store, &second).await;
    let again = create(&store, &first.key, "3").await;
    let revisions = [Revision::ZERO, first.revision, second.revision, other.revision, deleted, again.revision];
    assert!(revisions.is_sorted_by(|a, b| a < b), "writes one after another got the revisions {revisions:?}");
}

/// Writes at the same time get different revisions, each greater than those of the same writer before it.
pub async fn writes_at_the_same_time_get_different_revisions(store: impl Store) {
    const WRITERS: usize = 4;
    const WRITES: usize = 50;
    let store = Arc::new(store);
    let all = in_parallel(WRITERS, |writer| {
        let store = Arc::clone(&store);
        async move {
            let mut entry = create(&*store, &lease_key("a", &format!("writer-{writer}")), "0").await;
            let mut revisions = vec![entry.revision];
            for turn in 1..WRITES {
                entry = change(&*store, &entry, &turn.to_string()).await;
                revisions.push(entry.revision);
            }
            revisions
        }
    })
    .await;
    assert!(all.iter().all(|one| one.is_sorted_by(|a, b| a < b)), "a writer's revisions do not grow: {all:?}");
    let different: BTreeSet<_> = all.into_iter().flatten().collect();
    assert_eq!(different.len(), WRITERS * WRITES, "two writes got the same revision");
}

/// A creation is refused where there is an object, and the refusal tells its revision.
pub async fn a_creation_is_refused_where_there_is_an_object(store: impl Store) {
    let key = lease_key("a", "one");
    let there = create(&store, &key, "first").await;
    let found = conflict(store.put(&key, held_by(&key, "second"), Expect::Absent).await, &key);
    assert_eq!(found, Some(there.revision), "the conflict tells another revision than the object has");
    assert_eq!(get(&store, &key).await.as_ref().map(row), Some(row(&there)), "W2: the object was overwritten");
}

/// A change is refused unless the object's last write is the one expected.
pub async fn a_change_of_an_old_state_is_refused(store: impl Store) {
    let key = lease_key("a", "one");
    let old = create(&store, &key, "first").await;
    let new = change(&store, &old, "second").await;
    let later = write_elsewhere(&store, "elsewhere").await.revision;
    for wrong in [old.revision, later, Revision::ZERO, Revision(u64::MAX)] {
        let found = conflict(store.put(&key, held_by(&key, "third"), Expect::Revision(wrong)).await, &key);
        assert_eq!(found, Some(new.revision), "the conflict tells another revision than the object has");
    }
    assert_eq!(get(&store, &key).await.as_ref().map(row), Some(row(&new)), "W2: the object was overwritten");
}

/// A deletion is refused unless the object's last write is the one expected.
pub async fn a_deletion_of_an_old_state_is_refused(store: impl Store) {
    let key = lease_key("a", "one");
    let old = create(&store, &key, "first").await;
    let new = change(&store, &old, "second").await;
    let later = write_elsewhere(&store, "elsewhere").await.revision;
    for wrong in [old.revision, later, Revision::ZERO, Revision(u64::MAX)] {
        let found = conflict(store.delete(&key, wrong).await, &key);
        assert_eq!(found, Some(new.revision), "the conflict tells another revision than the object has");
    }
    assert_eq!(get(&store, &key).await.as_ref().map(row), Some(row(&new)), "W2: the object was deleted");
}

/// A change or deletion of what does not exist, never did or no longer does, is refused as such.
pub async fn what_does_not_exist_is_neither_changed_nor_deleted(store: impl Store) {
    let (never, gone) = (lease_key("a", "never"), lease_key("a", "gone"));
    let entry = create(&store, &gone, "first").await;
    let deleted = delete(&store, &entry).await;
    for key in [&never, &gone] {
        for wrong in [Revision::ZERO, entry.revision, deleted] {
            let put = store.put(key, held_by(key, "second"), Expect::Revision(wrong)).await;
            assert_eq!(conflict(put, key), None, "the conflict must tell that there is no object");
            assert_eq!(conflict(store.delete(key, wrong).await, key), None, "the same for a deletion");
        }
        assert!(get(&store, key).await.is_none(), "W2: a refused write made {key}");
    }
}

/// A revision belongs to one object: another one that took its name since is not touched.
pub async fn another_object_of_that_name_is_not_touched(store: impl Store) {
    let key = lease_key("a", "one");
    let old = create(&store, &key, "old").await;
    delete(&store, &old).await;
    let new = create(&store, &key, "new").await;
    let put = store.put(&key, held_by(&key, "changed"), Expect::Revision(old.revision)).await;
    assert_eq!(conflict(put, &key), Some(new.revision));
    assert_eq!(conflict(store.delete(&key, old.revision).await, &key), Some(new.revision));
    assert_eq!(get(&store, &key).await.as_ref().map(row), Some(row(&new)));
}

/// Of several writers with the same expectation, exactly one succeeds.
pub async fn of_several_writers_with_one_expectation_one_succeeds(store: impl Store) {
    const WRITERS: usize = 6;
    let store = Arc::new(store);
    let key = lease_key("a", "one");
    let mut expect = Expect::Absent;
    for round in 0..20 {
        let won = in_parallel(WRITERS, |writer| {
            let (store, key) = (Arc::clone(&store), key.clone());
            async move { store.put(&key, held_by(&key, &writer.to_string()), expect).await.ok() }
        })
        .await;
        let won: Vec<_> = won.into_iter().flatten().collect();
        assert_eq!(won.len(), 1, "in round {round}, {} of {WRITERS} writers with {expect:?} succeeded", won.len());
        assert_eq!(get(&*store, &key).await.as_ref().map(row), won.first().map(row), "another one's write is there");
        expect = Expect::Revision(won[0].revision);
    }
}

/// Counting by read, change and retry on conflict, several at once count every step.
pub async fn no_increment_is_lost(store: impl Store) {
    const WRITERS: usize = 4;
    const STEPS: usize = 25;
    let store = Arc::new(store);
    let key = lease_key("a", "counter");
    create(&*store, &key, "0").await;
    in_parallel(WRITERS, |_| {
        let (store, key) = (Arc::clone(&store), key.clone());
        async move {
            for _ in 0..STEPS {
                loop {
                    let entry = get(&*store, &key).await.expect("nobody deletes the counter");
                    let count: usize = holder(&entry).parse().expect("a number was written");
                    let next = held_by(&key, &(count + 1).to_string());
                    match store.put(&key, next, Expect::Revision(entry.revision)).await {
                        Ok(_) => break,
                        refused => drop(conflict(refused, &key)),
                    }
                }
            }
        }
    })
    .await;
    let counted = get(&*store, &key).await.as_ref().map(holder);
    assert_eq!(counted, Some((WRITERS * STEPS).to_string()), "W2: increments were lost or counted twice");
}

/// A write that was refused leaves no trace: no state, no event.
pub async fn a_refused_write_leaves_no_trace(store: impl Store) {
    let key = lease_key("a", "one");
    let there = create(&store, &key, "first").await;
    let before = list_latest(&store, &leases()).await.0;
    let mut watch = watch(&store, &leases(), there.revision).await;
    conflict(store.put(&key, held_by(&key, "refused"), Expect::Absent).await, &key);
    conflict(store.put(&key, held_by(&key, "refused"), Expect::Revision(Revision::ZERO)).await, &key);
    conflict(store.delete(&key, Revision::ZERO).await, &key);
    assert_eq!(list_latest(&store, &leases()).await.0, before, "W3: a refused write changed the state");
    let next = change(&store, &there, "second").await;
    let told = next_change(&mut watch).await;
    assert_eq!(told.revision, next.revision, "W3: a refused write was told as an event: {told:?}");
}

/// A write whose future is dropped has happened wholly, not at all, or happens wholly later.
pub async fn a_write_whose_future_is_dropped_is_whole(store: impl Store) {
    let start = write_elsewhere(&store, "start").await.revision;
    for turn in 0..20 {
        let key = lease_key("a", &format!("dropped-{turn}"));
        // Polled once, never, or as often as it needs.
        match turn % 3 {
            0 => drop(store.put(&key, held_by(&key, "whole"), Expect::Absent).now_or_never()),
            1 => drop(store.put(&key, held_by(&key, "whole"), Expect::Absent)),
            _ => drop(create(&store, &key, "whole").await),
        }
    }
    let (rows, revision) = list_latest(&store, &leases()).await;
    assert!(rows.iter().all(|(_, revision, created, holder)| revision == created && holder == "whole"), "{rows:?}");
    assert!(rows.len() >= 6, "W1: an acknowledged write is missing");
    let mut watch = watch(&store, &leases(), start).await;
    let mut told = Vec::new();
    while told.len() < rows.len() {
        let change = next_change(&mut watch).await;
        if change.revision <= revision {
            told.push(change.key);
        }
    }
    told.sort();
    let listed: Vec<_> = rows.into_iter().map(|(key, ..)| key).collect();
    assert_eq!(told, listed, "W3: the events and the state tell of different writes");
}

/// What comes from a store, by whatever way, carries the revision of its last write in its metadata.
pub async fn what_comes_from_a_store_carries_its_revision(store: impl Store) {
    let key = lease_key("a", "one");
    let mut marked = lease(&key, "first");
    marked.metadata.revision = Some(Revision(u64::MAX));
    let first = store.put(&key, Value::new(marked), Expect::Absent).await.expect("nothing is there");
    let second = change(&store, &first, "second").await;
    let got = get(&store, &key).await.expect("it is there");
    let page = store.list(&leases(), Default::default()).await.expect("a listing");
    let listed = page.entries.first().expect("one object is there");
    let mut watch = watch(&store, &leases(), first.revision).await;
    let WatchEvent::Put { entry: told, previous } = next_event(&mut watch).await else {
        panic!("a change must be told as a put")
    };
    for entry in [&first, &second, &got, listed, &told].into_iter().chain(&previous) {
        let revision = entry.decode::<Lease>().expect("a lease").metadata.revision;
        assert_eq!(revision, Some(entry.revision), "W4: the object says another revision than its entry");
    }
}

/// An entry tells the write that created the object, which changes do not change and a new object of that name does.
pub async fn an_entry_tells_which_write_created_it(store: impl Store) {
    let created = create(&store, &lease_key("a", "one"), "1").await;
    assert_eq!(created.created, created.revision, "a new object was created by its first write");
    let changed = change(&store, &change(&store, &created, "2").await, "3").await;
    assert_eq!(changed.created, created.revision, "a change does not create");
    assert_eq!(get(&store, &created.key).await.as_ref().map(row), Some(row(&changed)), "put and get differ");
    delete(&store, &changed).await;
    let again = create(&store, &created.key, "4").await;
    assert_eq!(again.created, again.revision, "a new object of an old name was created by its own first write");
}

/// An object comes back as it was written, whether it was handed over in memory or as JSON.
pub async fn an_object_comes_back_as_it_was_written(store: impl Store) {
    let (shared, encoded) = (lease_key("a", "shared"), lease_key("a", "encoded"));
    let mut object = lease(&shared, "\u{1F980} \" \\ \u{7f}");
    object.metadata.annotations.insert("note".into(), "line\nline".into());
    let mine: Arc<dyn AnyObject> = Arc::new(object.clone());
    let kept = Arc::clone(&mine);
    store.put(&shared, Value::shared(mine), Expect::Absent).await.expect("nothing is there");
    assert_eq!(kept.metadata().revision, None, "the writer's own copy of the object was changed");
    let mut twin = object.clone();
    twin.metadata.name = encoded.name().to_owned();
    let text = twin.to_json().expect("a lease can be encoded");
    store.put(&encoded, Value::from_json(text.into()), Expect::Absent).await.expect("nothing is there");
    for (key, written) in [(shared, object), (encoded, twin)] {
        let entry = get(&store, &key).await.expect("it is there");
        let mut read = Lease::clone(&entry.decode::<Lease>().expect("a lease"));
        read.metadata.revision = None;
        assert_eq!(read, written, "{key} came back otherwise than it was written");
        let text = entry.value.encode().expect("a lease can be encoded");
        let again = Value::from_json(text).decode::<Lease>().expect("its own JSON can be read");
        assert_eq!(again.spec, written.spec, "{key} is encoded otherwise than it was written");
    }
}
