//! E1 to E8: watches.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use orch_core::key::Key;
use orch_core::revision::Revision;
use orch_core::store::{Entry, PROGRESS_WITHIN, Store, StoreError, WatchEvent};

use super::steps::{
    Change, Row, SOON, change, changes_until, create, delete, in_parallel, lease_key, leases, leases_in, list_latest,
    next_change, next_event, next_item, row, watch, write_elsewhere,
};

/// The changes come in the order in which they were made, each once.
pub async fn changes_come_in_order_each_once(store: impl Store) {
    let start = list_latest(&store, &leases()).await.1;
    let mut live = watch(&store, &leases(), start).await;
    let written = some_history(&store).await;
    let end = written.last().expect("something was written").0;
    let told: Vec<_> = changes_until(&mut live, end).await.iter().map(Change::brief).collect();
    assert_eq!(told, written, "E1, E2, E4: told while it happened");
    let mut replay = watch(&store, &leases(), start).await;
    let told: Vec<_> = changes_until(&mut replay, end).await.iter().map(Change::brief).collect();
    assert_eq!(told, written, "E1, E2, E4: told afterwards");
}

/// From any revision that was told, a new watch goes on with exactly what comes after it.
pub async fn a_watch_can_be_resumed_after_any_revision(store: impl Store) {
    let start = list_latest(&store, &leases()).await.1;
    let written = some_history(&store).await;
    let end = written.last().expect("something was written").0;
    for (index, (revision, ..)) in written.iter().enumerate().take(written.len() - 1) {
        let mut resumed = watch(&store, &leases(), *revision).await;
        let told: Vec<_> = changes_until(&mut resumed, end).await.iter().map(Change::brief).collect();
        assert_eq!(told, written[index + 1..], "E4: after {revision}, of a history from {start} on");
    }
}

/// A watch after the latest revision tells nothing of the past.
pub async fn a_watch_after_the_latest_revision_tells_nothing_old(store: impl Store) {
    some_history(&store).await;
    let (_, revision) = list_latest(&store, &leases()).await;
    let mut watch = watch(&store, &leases(), revision).await;
    let next = create(&store, &lease_key("a", "next"), "").await;
    assert_eq!(next_change(&mut watch).await.revision, next.revision, "E4: the first event is not the first one after");
}

/// The replay of the past passes into live events without a gap and without repetition, while others write.
pub async fn replay_passes_into_live_events_without_a_gap(store: impl Store) {
    const WRITERS: usize = 3;
    let store = Arc::new(store);
    let start = list_latest(&*store, &leases()).await.1;
    let results = in_parallel(WRITERS + 4, |number| {
        let store = Arc::clone(&store);
        async move {
            if number < WRITERS {
                return write_and_delete(&*store, number, 60).await;
            }
            // These open one watch after another, each in the middle of what is being written.
            let mut position = start;
            let mut seen = Vec::new();
            let mut finished = 0;
            while finished < WRITERS {
                let mut watch = watch(&*store, &leases(), position).await;
                for _ in 0..=number {
                    let event = next_event(&mut watch).await;
                    position = event.revision();
                    if let Some(change) = Change::of(&event) {
                        finished += usize::from(change.key.name() == "finished");
                        seen.push(change.brief());
                    }
                    if finished == WRITERS {
                        break;
                    }
                }
            }
            seen
        }
    })
    .await;
    let mut written: Vec<_> = results[..WRITERS].concat();
    written.sort();
    for seen in &results[WRITERS..] {
        assert_eq!(seen.len(), written.len(), "E2, E4: so many events came of so many changes");
        assert!(*seen == written, "E1, E4: other events came than changes were made");
    }
}

/// A listing and a watch after its revision together show every object and every change once.
pub async fn a_listing_and_a_watch_after_it_show_everything_once(store: impl Store) {
    const WRITERS: usize = 2;
    let store = Arc::new(store);
    let copies = in_parallel(WRITERS + 3, |number| {
        let store = Arc::clone(&store);
        async move {
            if number < WRITERS {
                write_and_delete(&*store, number, 60).await;
                return None;
            }
            tokio::task::yield_now().await;
            let (rows, revision) = list_latest(&*store, &leases()).await;
            let mut copy: BTreeMap<Key, Row> = rows.into_iter().map(|row| (row.0.clone(), row)).collect();
            let mut watch = watch(&*store, &leases(), revision).await;
            while copy.keys().filter(|key| key.name() == "finished").count() < WRITERS {
                if let Some(change) = Change::of(&next_event(&mut watch).await) {
                    follow(&mut copy, change);
                }
            }
            Some(copy.into_values().collect::<Vec<_>>())
        }
    })
    .await;
    let (expected, _) = list_latest(&*store, &leases()).await;
    for copy in copies.into_iter().flatten() {
        assert_eq!(copy, expected, "E4: the copy that a watcher keeps differs from the store");
    }
}

/// A watch tells of exactly the keys under its prefix, in the past and live.
pub async fn a_watch_tells_of_exactly_its_prefix(store: impl Store) {
    let places = ["a", "a-b", "ab", "a.b", "b"];
    let start = list_latest(&store, &leases()).await.1;
    let mut live = Vec::new();
    for place in places {
        live.push(watch(&store, &leases_in(place), start).await);
    }
    let mut entries = Vec::new();
    for place in places {
        entries.push(create(&store, &lease_key(place, "one"), "1").await);
    }
    for entry in &mut entries {
        *entry = change(&store, entry, "2").await;
    }
    for entry in &entries {
        delete(&store, entry).await;
    }
    let end = write_elsewhere(&store, "a").await.revision;
    for (place, mut live) in places.into_iter().zip(live) {
        let mut replay = watch(&store, &leases_in(place), start).await;
        for watch in [&mut live, &mut replay] {
            let told: Vec<_> =
                changes_until(watch, end).await.into_iter().map(|told| (told.key, told.holder)).collect();
            let holders = [Some("1".to_owned()), Some("2".to_owned()), None];
            let expected: Vec<_> = holders.into_iter().map(|holder| (lease_key(place, "one"), holder)).collect();
            assert_eq!(told, expected, "E5: under {}", leases_in(place));
        }
    }
}

/// A watch that has caught up acknowledges a write elsewhere in time, without being asked, again and again.
pub async fn a_watch_that_has_caught_up_acknowledges_writes_elsewhere(store: impl Store) {
    let entry = create(&store, &lease_key("a", "one"), "1").await;
    let mut caught_up = watch(&store, &leases(), entry.revision).await;
    for name in ["first", "second"] {
        let elsewhere = write_elsewhere(&store, name).await.revision;
        let mark = async {
            loop {
                match next_event(&mut caught_up).await {
                    WatchEvent::Progress(revision) if revision >= elsewhere => return revision,
                    WatchEvent::Progress(_) => {}
                    other => panic!("E5: a write elsewhere was told as {other:?}"),
                }
            }
        };
        // One second more, for the way to a store that is far away.
        let limit = PROGRESS_WITHIN + std::time::Duration::from_secs(1);
        let mark = tokio::time::timeout(limit, mark).await;
        let mark = mark.unwrap_or_else(|_| panic!("E6: no progress mark at {elsewhere} came within {limit:?}"));
        let next = create(&store, &lease_key("a", name), "1").await;
        assert!(mark < next.revision, "E6: a progress mark at {mark} came before that revision existed");
        assert_eq!(next_change(&mut caught_up).await.revision, next.revision, "E6: after a mark the watch goes on");
    }
}

/// All up to a progress mark was delivered: no later event is from before it.
pub async fn all_up_to_a_progress_mark_was_delivered(store: impl Store) {
    let store = Arc::new(store);
    let start = list_latest(&*store, &leases()).await.1;
    in_parallel(4, |number| {
        let store = Arc::clone(&store);
        async move {
            match number {
                0 => drop(write_and_delete(&*store, 0, 100).await),
                1 => {
                    for turn in 0..100 {
                        write_elsewhere(&*store, &format!("elsewhere-{turn}")).await;
                    }
                }
                _ => {
                    let mut watch = watch(&*store, &leases(), start).await;
                    let mut marked = start;
                    loop {
                        let event = next_event(&mut watch).await;
                        let revision = event.revision();
                        let Some(change) = Change::of(&event) else {
                            assert!(revision >= marked, "E6: a mark at {revision} came after one at {marked}");
                            marked = revision;
                            continue;
                        };
                        assert!(revision > marked, "E6: {change:?} came after a progress mark at {marked}");
                        if change.key.name() == "finished" {
                            break;
                        }
                    }
                }
            }
        }
    })
    .await;
}

/// A watch whose reader is slow slows down neither writers nor other watches, and loses nothing in silence.
pub async fn a_slow_reader_disturbs_nobody_and_loses_nothing_in_silence(store: impl Store) {
    const WRITES: usize = 3_000;
    let mut entry = create(&store, &lease_key("a", "one"), "0").await;
    let start = entry.revision;
    let mut slow = watch(&store, &leases(), start).await;
    let mut quick = watch(&store, &leases(), start).await;
    let mut written = Vec::new();
    let work = async {
        for turn in 1..=WRITES {
            entry = change(&store, &entry, &turn.to_string()).await;
            written.push(entry.revision);
            let told = next_change(&mut quick).await.revision;
            assert_eq!(told, entry.revision, "E7: another watch missed a change while one is slow");
        }
    };
    tokio::time::timeout(SOON * 3, work).await.expect("E7: writers or other watches wait for a slow reader");
    let mut told = Vec::new();
    while told.len() < WRITES {
        match next_item(&mut slow).await {
            Some(Ok(event)) => told.extend(Change::of(&event).map(|change| change.revision)),
            Some(Err(StoreError::Compacted { .. })) => {
                assert!(next_item(&mut slow).await.is_none(), "E7: the error must be the last item");
                break;
            }
            other => panic!("E7: a slow reader must get everything or be told that it cannot, and got {other:?}"),
        }
    }
    assert_eq!(told, written[..told.len()], "E4: a slow reader was not told everything");
}

/// A watch that is dropped, read to the end or not, disturbs nobody.
pub async fn a_dropped_watch_disturbs_nobody(store: impl Store) {
    let first = create(&store, &lease_key("a", "one"), "1").await;
    let mut kept = watch(&store, &leases(), first.revision).await;
    drop(watch(&store, &leases(), first.revision).await);
    let mut waiting = watch(&store, &leases(), first.revision).await;
    let unread = watch(&store, &leases(), Revision::ZERO).await;
    assert!(futures::poll!(waiting.next()).is_pending(), "E4: something came after the latest revision");
    drop(waiting);
    let second = change(&store, &first, "2").await;
    drop(unread);
    let third = change(&store, &second, "3").await;
    let told: Vec<_> = changes_until(&mut kept, third.revision).await.iter().map(|told| told.revision).collect();
    assert_eq!(told, [second.revision, third.revision], "E7: dropping other watches disturbed this one");
}

/// Giving up waiting for an event loses none: the next look finds it.
pub async fn giving_up_to_wait_loses_no_event(store: impl Store) {
    let mut entry = create(&store, &lease_key("a", "one"), "0").await;
    let mut watch = watch(&store, &leases(), entry.revision).await;
    for turn in 1..50 {
        if let std::task::Poll::Ready(item) = futures::poll!(watch.next()) {
            assert!(matches!(item, Some(Ok(WatchEvent::Progress(_)))), "E2: {item:?} came, though nothing happened");
        }
        entry = change(&store, &entry, &turn.to_string()).await;
        assert_eq!(next_change(&mut watch).await.revision, entry.revision, "E4: an event was lost");
    }
}

/// An event carries the object as it was before, of a creation nothing.
pub async fn an_event_carries_what_was_there_before(store: impl Store) {
    let start = list_latest(&store, &leases()).await.1;
    let mut live = watch(&store, &leases(), start).await;
    let created = create(&store, &lease_key("a", "one"), "1").await;
    let changed = change(&store, &created, "2").await;
    let deleted = delete(&store, &changed).await;
    let again = create(&store, &created.key, "3").await;
    let mut replay = watch(&store, &leases(), start).await;
    for watch in [&mut live, &mut replay] {
        let told = changes_until(watch, again.revision).await;
        let previous: Vec<_> = told.iter().map(|change| change.previous.clone()).collect();
        let expected = [None, Some(row(&created)), Some(row(&changed)), None];
        assert_eq!(previous, expected, "E8: the objects before each of four changes");
        let revisions: Vec<_> = told.iter().map(|change| (change.revision, change.created)).collect();
        let expected = [
            (created.revision, Some(created.revision)),
            (changed.revision, Some(created.revision)),
            (deleted, None),
            (again.revision, Some(again.revision)),
        ];
        assert_eq!(revisions, expected, "E8: each change and the write that created its object");
    }
}

/// Makes, changes and deletes some leases, and returns what happened.
async fn some_history(store: &impl Store) -> Vec<(Revision, Key, Option<String>)> {
    let mut history = Vec::new();
    let put = |entry: &Entry, holder: &str| (entry.revision, entry.key.clone(), Some(holder.to_owned()));
    for turn in 0..4 {
        let entry = create(store, &lease_key("a", "comes-and-goes"), "1").await;
        history.push(put(&entry, "1"));
        let other = create(store, &lease_key("b", &format!("stays-{turn}")), "1").await;
        history.push(put(&other, "1"));
        let entry = change(store, &entry, "2").await;
        history.push(put(&entry, "2"));
        write_elsewhere(store, &format!("elsewhere-{turn}")).await;
        history.push((delete(store, &entry).await, entry.key.clone(), None));
    }
    let last = create(store, &lease_key("a", "last"), "1").await;
    history.push(put(&last, "1"));
    history
}

/// Writes `turns` times to leases of its own, deletes some, and ends with one called `finished`. Returns what it did.
async fn write_and_delete(store: &impl Store, writer: usize, turns: usize) -> Vec<(Revision, Key, Option<String>)> {
    let namespace = format!("writer-{writer}");
    let mut done = Vec::new();
    let mut held: Option<Entry> = None;
    for turn in 0..turns {
        let holder = turn.to_string();
        let entry = match held.take() {
            Some(entry) if turn % 5 == 4 => {
                done.push((delete(store, &entry).await, entry.key.clone(), None));
                continue;
            }
            Some(entry) => change(store, &entry, &holder).await,
            None => create(store, &lease_key(&namespace, &format!("lease-{}", turn % 3)), &holder).await,
        };
        done.push((entry.revision, entry.key.clone(), Some(holder)));
        held = (turn % 7 != 6).then_some(entry);
        if let (None, Some((revision, key, _))) = (&held, done.last().cloned()) {
            done.push((store.delete(&key, revision).await.expect("nobody else writes it"), key, None));
        }
    }
    let finished = create(store, &lease_key(&namespace, "finished"), "").await;
    done.push((finished.revision, finished.key.clone(), Some(String::new())));
    done
}

/// Changes a copy as the store was changed; checks that what was there before is what the copy had.
fn follow(copy: &mut BTreeMap<Key, Row>, change: Change) {
    let before = match (change.holder, change.created) {
        (Some(holder), Some(created)) => {
            copy.insert(change.key.clone(), (change.key.clone(), change.revision, created, holder))
        }
        _ => copy.remove(&change.key),
    };
    assert_eq!(change.previous, before, "E8: what was at {} before revision {}", change.key, change.revision);
}
