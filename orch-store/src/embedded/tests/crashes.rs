//! A crash at every write, sync, rename and removal of a recorded workload, with every state that it can leave.

use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use orch_core::key::Prefix;
use orch_core::revision::Revision;
use orch_core::store::{Claimed, Expect, ListFrom, ListOptions, StoreError, WatchEvent};
use orch_testkit::suite;

use super::simulated_disk::{Acknowledged, Event, SimulatedDisk, Torn, after_crash, unsynced_names};
use super::workload::{self, States};
use super::{describe, everything, key, lease, open};
use crate::embedded::handle::Handle;
use crate::embedded::log::Durability;

#[test]
fn after_a_crash_anywhere_every_acknowledged_write_is_there_and_nothing_by_halves() {
    // A thread of its own writes checkpoints, and misses one while the machine has other things to do.
    let recorded = (0..20).map(|_| record(Durability::Synced));
    let mut recorded =
        recorded.skip_while(|(disk, _)| disk.events().iter().filter(|event| is_checkpoint(event)).count() < 3);
    let (disk, states) = recorded.next().expect("three checkpoints: the workload is too short to tell");
    let events = disk.events();
    let mut crashes = 0;
    for end in 0..=events.len() {
        let events = &events[..end];
        let mut seen = Vec::new();
        for names in 0..1 << unsynced_names(events) {
            for torn in Torn::ALL {
                let files = after_crash(events, names, *torn);
                if seen.contains(&files) {
                    continue;
                }
                let disk = SimulatedDisk::with_files(&files);
                let what = format!("event {end} of the workload, names {names:b} kept, {torn:?}");
                check(&disk, events, &states, Durability::Synced, &what);
                seen.push(files);
                crashes += 1;
            }
        }
    }
    assert!(crashes > 1_000, "only {crashes} crashes were tried");
}

#[test]
fn a_killed_process_that_did_not_sync_loses_nothing_either() {
    let (disk, states) = record(Durability::Buffered);
    let events = disk.events();
    for end in 0..=events.len() {
        let events = &events[..end];
        // What was appended before stays; only of the last append a part may be missing.
        let (last, before) = events.split_last().map_or((None, events), |(last, before)| (Some(last), before));
        for cut in [0, 1, 15, 16, 40, usize::MAX] {
            let mut kept = before.to_vec();
            kept.extend(last.cloned().map(|event| match event {
                Event::Append { file, bytes } => Event::Append { file, bytes: bytes[..bytes.len().min(cut)].to_vec() },
                other => other,
            }));
            let files = after_crash(&kept, u32::MAX, Torn::Kept);
            let what = format!("event {end} of the workload, {cut} bytes of it");
            check(&SimulatedDisk::with_files(&files), events, &states, Durability::Buffered, &what);
        }
    }
}

#[test]
fn a_store_that_did_not_sync_comes_back_from_a_loss_of_power_as_it_once_was_or_not_at_all() {
    let (disk, states) = record(Durability::Buffered);
    let events = disk.events();
    let mut opened = 0;
    for end in 0..=events.len() {
        let events = &events[..end];
        for torn in Torn::ALL {
            let files = after_crash(events, u32::MAX, *torn);
            let disk = SimulatedDisk::with_files(&files);
            if let Ok(handle) = open(&disk, Durability::Buffered) {
                let (objects, revision) = everything(&handle);
                assert_eq!(Some(&objects), states.get(&revision), "after event {end}, {torn:?}");
                suite::run(handle.close());
                opened += 1;
            }
        }
    }
    assert!(opened > events.len() * Torn::ALL.len() * 9 / 10, "only {opened} could be opened");
}

/// Plays a workload, and returns the disk with what was asked of it.
fn record(durability: Durability) -> (SimulatedDisk, States) {
    let disk = SimulatedDisk::default();
    let handle = open(&disk, durability).expect("a new disk");
    let states = workload::play(&disk, &handle, 70);
    suite::run(handle.close());
    (disk, states)
}

fn is_checkpoint(event: &Event) -> bool {
    matches!(event, Event::Rename { to, .. } if to.starts_with("checkpoint"))
}

/// That the store opens, shows what was acknowledged and a state that there was, goes on, and opens again.
fn check(disk: &SimulatedDisk, events: &[Event], states: &States, durability: Durability, what: &str) {
    let handle = open(disk, durability).unwrap_or_else(|error| panic!("cannot open after {what}: {error}"));
    let (mut written, mut compacted) = (Revision::ZERO, Revision::ZERO);
    for event in events {
        match event {
            Event::Acknowledged(Acknowledged::Written(revision)) => written = written.max(*revision),
            Event::Acknowledged(Acknowledged::Compacted(revision)) => compacted = compacted.max(*revision),
            _ => {}
        }
    }
    let (objects, revision) = everything(&handle);
    assert!(revision >= written, "{written} was acknowledged, and after {what} the store is at {revision}");
    assert_eq!(Some(&objects), states.get(&revision), "the state at {revision}, after {what}");
    check_history(&handle, states, compacted, revision, what);
    check_claim(&handle, what);
    suite::run(async {
        let key = key("afterwards");
        let entry = handle.put(&key, lease("afterwards"), Expect::Absent).await.expect("the store goes on");
        assert_eq!(entry.revision, revision.next(), "after {what}");
        handle.close().await;
    });
    let again = open(disk, durability).unwrap_or_else(|error| panic!("cannot open again after {what}: {error}"));
    let (mut with_one_more, latest) = everything(&again);
    assert_eq!(latest, revision.next(), "after {what} and one more write");
    assert!(with_one_more.remove(&key("afterwards")).is_some(), "the write after {what} is lost");
    assert_eq!(with_one_more, objects, "after {what}, one more write, and opening again");
    suite::run(again.close());
}

/// That what was claimed still is, and nothing else.
fn check_claim(handle: &Handle, what: &str) {
    for name in ["claimed", "left"] {
        let Some(entry) = handle.get(&key(name)).expect("an open store") else { continue };
        let renewed = handle.renew(&Claimed { entry, ttl: Duration::from_secs(3_600), handle: 0 });
        assert_eq!(renewed.is_ok(), name == "claimed", "{name} was renewed: {renewed:?}, after {what}");
    }
}

/// That past states are told as they were, and a watch from the oldest leads to the present.
fn check_history(handle: &Handle, states: &States, compacted: Revision, revision: Revision, what: &str) {
    let list = |at: u64| {
        let options = ListOptions { from: ListFrom::At(Revision(at)), ..ListOptions::default() };
        handle.list(&Prefix::all(), &options)
    };
    let mut oldest = None;
    for at in [0, compacted.0.saturating_sub(1), compacted.0, revision.0.saturating_sub(3), revision.0] {
        match list(at) {
            Ok(page) => {
                let listed = page.entries.iter().map(|entry| (entry.key.clone(), describe(entry))).collect();
                assert_eq!(states.get(&Revision(at)), Some(&listed), "the state at {at}, after {what}");
                assert!(Revision(at) >= compacted, "{at} was compacted away, and is told after {what}");
            }
            Err(StoreError::Compacted { oldest: told, .. }) => oldest = Some(told),
            Err(other) => panic!("{other} when {at} was asked for, after {what}"),
        }
    }
    let oldest = oldest.unwrap_or(Revision::ZERO);
    assert!(oldest <= revision, "history is lost after {what}");
    let mut state = states[&oldest].clone();
    let mut watch = handle.watch(&Prefix::all(), oldest).unwrap_or_else(|error| panic!("{error}, after {what}"));
    suite::run(async {
        while let Some(Some(Ok(event))) = watch.next().now_or_never() {
            match event {
                WatchEvent::Put { entry, .. } => drop(state.insert(entry.key.clone(), describe(&entry))),
                WatchEvent::Delete { key, .. } => drop(state.remove(&key)),
                WatchEvent::Progress(_) => {}
            }
        }
    });
    assert_eq!(Some(&state), states.get(&revision), "what a watch after {oldest} leads to, after {what}");
}
