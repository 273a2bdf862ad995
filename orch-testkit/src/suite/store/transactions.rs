//! T1 to T4: transactions.

use std::sync::Arc;

use orch_core::key::Key;
use orch_core::revision::Revision;
use orch_core::store::{Check, Entry, Expect, ListFrom, StoreError, Stored, Transact, Write};

use super::steps::{
    change, changes_until, conflict, create, delete, get, held_by, holder, in_parallel, lease_key, leases, leases_in,
    list, list_latest, next_change, row, watch, write_elsewhere,
};

/// All writes of a transaction happen at one revision, greater than all before it.
pub async fn all_writes_happen_at_one_revision(store: impl Transact) {
    let changed = create(&store, &lease_key("a", "changed"), "1").await;
    let deleted = create(&store, &lease_key("b", "deleted"), "1").await;
    let made = lease_key("c", "made");
    let writes = vec![put(&made, "1", Expect::Absent), put_over(&changed, "2"), delete_of(&deleted)];
    let revision = commit(&store, &[], writes).await;
    assert!(revision > deleted.revision, "W1: a transaction at {revision} came after {}", deleted.revision);
    let (rows, _) = list_latest(&store, &leases()).await;
    let expected =
        [(changed.key.clone(), revision, changed.created, "2".to_owned()), (made, revision, revision, "1".to_owned())];
    assert_eq!(rows, expected, "T1: the state after the transaction");
    assert!(get(&store, &deleted.key).await.is_none(), "T1: the deletion did not happen");
    let next = create(&store, &lease_key("a", "next"), "").await;
    assert!(next.revision > revision, "W1: a write at {} came after the transaction", next.revision);
    let (rows, _) = list(&store, &leases(), ListFrom::At(deleted.revision), None).await.expect("it is kept");
    assert_eq!(rows.len(), 2, "T1: the state before the transaction");
}

/// If one check does not hold, nothing happens.
pub async fn nothing_happens_unless_every_check_holds(store: impl Transact) {
    let old = create(&store, &lease_key("a", "checked"), "1").await;
    let new = change(&store, &old, "2").await;
    let absent = lease_key("a", "absent");
    let wrong = [
        (check(&new.key, Expect::Absent), Some(new.revision)),
        (check(&new.key, Expect::Revision(old.revision)), Some(new.revision)),
        (check(&absent, Expect::Revision(new.revision)), None),
        (check(&absent, Expect::Revision(Revision::ZERO)), None),
    ];
    let before = list_latest(&store, &leases()).await.0;
    for (wrong, found) in wrong {
        let key = wrong.key.clone();
        let right = check(&new.key, Expect::Revision(new.revision));
        let writes = vec![put(&lease_key("a", "made"), "1", Expect::Absent), put_over(&new, "3")];
        assert_eq!(conflict(store.commit(&[right, wrong], writes).await, &key), found, "T2: the conflict tells");
        assert_eq!(list_latest(&store, &leases()).await.0, before, "T2: a transaction with a wrong check happened");
    }
}

/// If one write does not find what it expects, none happens.
pub async fn no_write_happens_unless_every_expectation_holds(store: impl Transact) {
    let old = create(&store, &lease_key("a", "written"), "1").await;
    let new = change(&store, &old, "2").await;
    let other = create(&store, &lease_key("a", "other"), "1").await;
    let before = list_latest(&store, &leases()).await.0;
    let mut watch = watch(&store, &leases(), other.revision).await;
    for wrong in [put(&new.key, "3", Expect::Absent), put_over(&old, "3"), delete_of(&old)] {
        for first in [true, false] {
            let mut writes = vec![put(&lease_key("a", "made"), "1", Expect::Absent), put_over(&other, "2")];
            writes.insert(if first { 0 } else { 2 }, wrong.clone());
            assert_eq!(conflict(store.commit(&[], writes).await, &new.key), Some(new.revision), "T2: {wrong:?}");
            assert_eq!(list_latest(&store, &leases()).await.0, before, "T1: some writes of a transaction happened");
        }
    }
    let next = change(&store, &new, "3").await;
    assert_eq!(next_change(&mut watch).await.revision, next.revision, "T1: a refused transaction was told as events");
}

/// A check holds as long as its object is as expected, and changes nothing about it.
pub async fn a_check_changes_nothing(store: impl Transact) {
    let checked = create(&store, &lease_key("a", "checked"), "1").await;
    let mut watch = watch(&store, &leases(), checked.revision).await;
    let checks =
        [check(&checked.key, Expect::Revision(checked.revision)), check(&lease_key("a", "absent"), Expect::Absent)];
    for turn in 0..2 {
        let written = lease_key("a", &format!("written-{turn}"));
        let revision = commit(&store, &checks, vec![put(&written, "1", Expect::Absent)]).await;
        let told = next_change(&mut watch).await;
        assert_eq!((told.key, told.revision), (written, revision), "T2: a check was told as an event");
    }
    assert_eq!(get(&store, &checked.key).await.as_ref().map(row), Some(row(&checked)), "T2: a check wrote");
}

/// The first that does not hold is the one reported: checks before writes, each in the order given.
pub async fn the_first_that_does_not_hold_is_reported(store: impl Transact) {
    let mut keys = Vec::new();
    for name in ["d", "a", "c", "b"] {
        keys.push(create(&store, &lease_key("a", name), "1").await.key.clone());
    }
    let writes = || vec![put(&keys[2], "2", Expect::Absent), put(&keys[3], "2", Expect::Absent)];
    let checks = [check(&keys[0], Expect::Absent), check(&keys[1], Expect::Absent)];
    conflict(store.commit(&checks, writes()).await, &keys[0]);
    conflict(store.commit(&checks[1..], writes()).await, &keys[1]);
    conflict(store.commit(&[], writes()).await, &keys[2]);
    conflict(store.commit(&[], writes().split_off(1)).await, &keys[3]);
}

/// A transaction without writes writes nothing: it returns the current revision, if its checks hold.
pub async fn a_transaction_without_writes_writes_nothing(store: impl Transact) {
    let there = create(&store, &lease_key("a", "one"), "1").await;
    let right = check(&there.key, Expect::Revision(there.revision));
    let revision = commit(&store, std::slice::from_ref(&right), Vec::new()).await;
    assert!(revision >= there.revision, "the revision {revision} is not the current one");
    // If it were a write it would get a revision of its own each time; others who write meanwhile do not always.
    let mut before = revision;
    for turn in 1.. {
        let again = commit(&store, std::slice::from_ref(&right), Vec::new()).await;
        assert!(again >= before, "W1: the current revision went back from {before} to {again}");
        if again == before {
            break;
        }
        assert!(turn < 200, "W1: a transaction without writes was a write each time");
        before = again;
    }
    assert_eq!(get(&store, &there.key).await.as_ref().map(row), Some(row(&there)), "T4: it wrote something");
    let wrong = check(&there.key, Expect::Absent);
    assert_eq!(conflict(store.commit(&[wrong], Vec::new()).await, &there.key), Some(there.revision));
}

/// A transaction that writes an object twice is refused, whatever else it does.
pub async fn a_transaction_that_writes_an_object_twice_is_refused(store: impl Transact) {
    let there = create(&store, &lease_key("a", "one"), "1").await;
    let made = lease_key("a", "made");
    for second in [put(&there.key, "3", Expect::Absent), put_over(&there, "3"), delete_of(&there)] {
        let writes = vec![put_over(&there, "2"), put(&made, "1", Expect::Absent), second];
        match store.commit(&[], writes).await {
            Err(StoreError::WrittenTwice { key }) => assert_eq!(key, there.key, "the refusal names another object"),
            other => panic!("a transaction that writes an object twice gave {other:?}"),
        }
        assert!(get(&store, &made).await.is_none(), "T1: part of a refused transaction happened");
    }
}

/// An object may be checked and written in one transaction.
pub async fn an_object_may_be_checked_and_written(store: impl Transact) {
    let there = create(&store, &lease_key("a", "one"), "1").await;
    let checks = [check(&there.key, Expect::Revision(there.revision))];
    let revision = commit(&store, &checks, vec![put_over(&there, "2")]).await;
    let now = get(&store, &there.key).await.expect("it was changed, not deleted");
    assert_eq!((now.revision, holder(&now)), (revision, "2".to_owned()));
}

/// The events of a transaction come directly one after another, each watch getting those under its prefix.
pub async fn the_events_of_a_transaction_come_together(store: impl Transact) {
    let mut entries = Vec::new();
    for namespace in ["a", "b"] {
        for name in ["one", "two", "three"] {
            entries.push(create(&store, &lease_key(namespace, name), "0").await);
        }
    }
    let start = entries.last().expect("some were made").revision;
    let mut watches = Vec::new();
    for prefix in [leases(), leases_in("a"), leases_in("b")] {
        watches.push((watch(&store, &prefix, start).await, prefix));
    }
    let mut revisions = Vec::new();
    for turn in 1..50 {
        let writes = entries.iter().map(|entry| put_over(entry, &turn.to_string())).collect();
        let revision = commit(&store, &[], writes).await;
        for entry in &mut entries {
            *entry = Stored { revision, ..Stored::from(entry.clone()) }.into();
        }
        revisions.push(revision);
    }
    let end = write_elsewhere(&store, "end").await.revision;
    for (watch, prefix) in &mut watches {
        // `changes_until` checks that nothing comes between the changes of one revision.
        let mut told: Vec<_> =
            changes_until(watch, end).await.iter().map(|told| (told.revision, told.key.clone())).collect();
        told.sort();
        let keys = entries.iter().map(|entry| &entry.key).filter(|key| prefix.contains(key));
        let mut expected: Vec<(Revision, Key)> =
            keys.flat_map(|key| revisions.iter().map(move |revision| (*revision, key.clone()))).collect();
        expected.sort();
        assert_eq!(told, expected, "E3, E5: the events of transactions under {prefix}");
    }
}

/// No reader sees some of a transaction's writes only.
pub async fn no_reader_sees_part_of_a_transaction(store: impl Transact) {
    const TURNS: usize = 100;
    let store = Arc::new(store);
    let (one, two) = (lease_key("a", "one"), lease_key("b", "two"));
    let writes = vec![put(&one, "0", Expect::Absent), put(&two, "0", Expect::Absent)];
    let start = commit(&*store, &[], writes).await;
    in_parallel(3, |number| {
        let (store, one, two) = (Arc::clone(&store), one.clone(), two.clone());
        async move {
            if number == 0 {
                let mut revision = start;
                for turn in 1..=TURNS {
                    let turn = turn.to_string();
                    let expect = Expect::Revision(revision);
                    revision = commit(&*store, &[], vec![put(&one, &turn, expect), put(&two, &turn, expect)]).await;
                }
                return;
            }
            loop {
                let first = get(&*store, &one).await.expect("nobody deletes it");
                let second = get(&*store, &two).await.expect("nobody deletes it");
                assert!(
                    second.revision >= first.revision,
                    "T1, R1: one write of a transaction is there, the other not"
                );
                let (rows, _) = list_latest(&*store, &leases()).await;
                assert_eq!((rows[0].1, &rows[0].3), (rows[1].1, &rows[1].3), "T1: a listing shows half a transaction");
                if rows[0].3 == TURNS.to_string() {
                    return;
                }
            }
        }
    })
    .await;
}

/// Transactions at the same time never both succeed on the same expectation: transfers keep the sum.
pub async fn transfers_at_the_same_time_keep_the_sum(store: impl Transact) {
    const ACCOUNTS: usize = 3;
    let store = Arc::new(store);
    for account in 0..ACCOUNTS {
        create(&*store, &account_key(account), "100").await;
    }
    in_parallel(4, |number| {
        let store = Arc::clone(&store);
        async move {
            for turn in 0..40 {
                let (from, to) = ((number + turn) % ACCOUNTS, (number + turn + 1) % ACCOUNTS);
                let from = get(&*store, &account_key(from)).await.expect("nobody deletes it");
                let to = get(&*store, &account_key(to)).await.expect("nobody deletes it");
                let amount = |entry: &Entry| holder(entry).parse::<i64>().expect("a number was written");
                let writes = vec![
                    put_over(&from, &(amount(&from) - 1).to_string()),
                    put_over(&to, &(amount(&to) + 1).to_string()),
                ];
                match store.commit(&[], writes).await {
                    Ok(_) | Err(StoreError::Conflict { .. }) => {}
                    Err(other) => panic!("a transfer failed: {other}"),
                }
            }
        }
    })
    .await;
    let (rows, _) = list_latest(&*store, &leases()).await;
    let sum: i64 = rows.iter().map(|(.., amount)| amount.parse::<i64>().expect("a number was written")).sum();
    assert_eq!(sum, 100 * ACCOUNTS as i64, "T1, T2: a transfer happened by half, or on an old state: {rows:?}");
}

/// A write that depends on the writer's lease does not happen once another one has taken the lease.
pub async fn a_writer_whose_lease_was_taken_is_fenced_off(store: impl Transact) {
    let lease = create(&store, &lease_key("a", "leader"), "old").await;
    let object = create(&store, &lease_key("a", "object"), "by nobody").await;
    let fence = check(&lease.key, Expect::Revision(lease.revision));
    let revision = commit(&store, std::slice::from_ref(&fence), vec![put_over(&object, "by old")]).await;
    let taken = change(&store, &lease, "new").await;
    let late = Entry::from(Stored { revision, ..object.into() });
    let refused = store.commit(std::slice::from_ref(&fence), vec![put_over(&late, "by old, too late")]).await;
    assert_eq!(conflict(refused, &lease.key), Some(taken.revision), "T2: the conflict names the lease");
    delete(&store, &taken).await;
    let refused = store.commit(&[fence], vec![put_over(&late, "by old, too late")]).await;
    assert_eq!(conflict(refused, &lease.key), None, "T2: nor once the lease is gone");
    let now = get(&store, &late.key).await.expect("nobody deletes it");
    assert_eq!(holder(&now), "by old", "T2: a writer that was fenced off wrote");
}

fn account_key(account: usize) -> Key {
    lease_key("a", &format!("account-{account}"))
}

fn put(key: &Key, holder: &str, expect: Expect) -> Write {
    Write::Put { key: key.clone(), value: held_by(key, holder), expect }
}

fn put_over(entry: &Entry, holder: &str) -> Write {
    put(&entry.key, holder, Expect::Revision(entry.revision))
}

fn delete_of(entry: &Entry) -> Write {
    Write::Delete { key: entry.key.clone(), expect: entry.revision }
}

fn check(key: &Key, expect: Expect) -> Check {
    Check { key: key.clone(), expect }
}

async fn commit(store: &impl Transact, checks: &[Check], writes: Vec<Write>) -> Revision {
    let done = store.commit(checks, writes).await;
    done.unwrap_or_else(|error| panic!("T2: a transaction whose expectations hold failed: {error}"))
}
