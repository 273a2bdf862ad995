//! A workload that does all that can be done to a store, and remembers what came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use orch_core::key::Prefix;
use orch_core::revision::Revision;
use orch_core::store::{Check, Expect, Watch, WatchEvent, Write};
use orch_testkit::suite;

use super::simulated_disk::{Acknowledged, SimulatedDisk};
use super::{Objects, describe, key, lease};
use crate::embedded::handle::Handle;

/// What a store held at each revision.
pub(super) type States = BTreeMap<Revision, Objects>;

/// Writes, deletes, commits, claims, compacts; tells the disk what was acknowledged. Returns the states that the store went
/// through.
pub(super) fn play(disk: &SimulatedDisk, handle: &Handle, rounds: u64) -> States {
    suite::run(async {
        let mut watch = handle.watch(&Prefix::all(), Revision::ZERO).expect("a new store");
        let mut states = States::from([(Revision::ZERO, Objects::new())]);
        for round in 0..rounds {
            step(disk, handle, round).await;
            follow(&mut watch, &mut states);
        }
        states
    })
}

async fn step(disk: &SimulatedDisk, handle: &Handle, round: u64) {
    let written = |revision| disk.acknowledge(Acknowledged::Written(revision));
    let name = format!("n{}", round % 5);
    let found = handle.get(&key(&name)).expect("an open store");
    let expect = found.as_ref().map_or(Expect::Absent, |entry| Expect::Revision(entry.revision));
    match (round % 11, found) {
        (3, Some(entry)) => {
            written(handle.delete(&key(&name), entry.revision).await.expect("nobody else writes"));
        }
        (5, _) => {
            let put = |name: &str| Write::Put {
                key: key(name),
                value: lease(format!("together {round}")),
                expect: handle
                    .get(&key(name))
                    .expect("an open store")
                    .map_or(Expect::Absent, |it| Expect::Revision(it.revision)),
            };
            let checks = [Check { key: key(&name), expect }];
            written(handle.commit(&checks, vec![put("left"), put("right")]).await.expect("nobody else writes"));
        }
        (6, _) => {
            let claimed = handle.claim(&key("claimed"), lease(round), Duration::from_secs(3_600)).await;
            written(claimed.as_ref().expect("it was released").entry.revision);
            if !round.is_multiple_of(2) {
                written(handle.release(&claimed.expect("as before")).await.expect("an hour is long"));
            }
        }
        (7, _) => {
            if let Some(claimed) = handle.get(&key("claimed")).expect("an open store") {
                written(handle.delete(&claimed.key, claimed.revision).await.expect("nobody else writes"));
            }
        }
        (8, _) => {
            // Several at once, which may or may not share a frame.
            let several = (0..4).map(|n| handle.put_any(n, round));
            for revision in futures::future::join_all(several).await {
                written(revision);
            }
        }
        (9, Some(entry)) if round > 20 => {
            let oldest = Revision(entry.revision.0);
            handle.compact(oldest).await.expect("it was reached");
            disk.acknowledge(Acknowledged::Compacted(oldest));
        }
        (10, _) => {
            let long = format!("{round} {}", "long ".repeat(150));
            written(handle.put(&key(&name), lease(long), expect).await.expect("nobody else writes").revision);
        }
        _ => written(handle.put(&key(&name), lease(round), expect).await.expect("nobody else writes").revision),
    }
}

impl Handle {
    /// Writes what nobody else does.
    async fn put_any(&self, number: u64, round: u64) -> Revision {
        let key = key(&format!("several-{number}"));
        let found = self.get(&key).expect("an open store");
        let expect = found.map_or(Expect::Absent, |entry| Expect::Revision(entry.revision));
        self.put(&key, lease(round), expect).await.expect("nobody else writes").revision
    }
}

/// Adds the states that the watch tells of.
fn follow(watch: &mut Watch, states: &mut States) {
    while let Some(item) = watch.next().now_or_never() {
        let event = item.expect("the store is open").expect("the watch is not behind");
        let (revision, last) = (event.revision(), states.values().next_back().expect("there is a first").clone());
        let state = states.entry(revision).or_insert(last);
        match event {
            WatchEvent::Put { entry, .. } => drop(state.insert(entry.key.clone(), describe(&entry))),
            WatchEvent::Delete { key, .. } => drop(state.remove(&key)),
            WatchEvent::Progress(_) => {}
        }
    }
}
