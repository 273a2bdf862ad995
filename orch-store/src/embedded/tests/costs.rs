//! What writes cost a disk: how often it is asked to sync, and how much it is given.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::join_all;
use orch_core::store::{Expect, Value};
use orch_testkit::suite;

use super::simulated_disk::{Event, SimulatedDisk};
use super::{key, lease};
use crate::embedded::EmbeddedStoreConfig;
use crate::embedded::handle::Handle;
use crate::embedded::log::Durability;

/// What a frame has around its records.
const FRAME: usize = 24;
/// What a record of one put has beside its key and its JSON.
const RECORD: usize = 20;

fn open(disk: &SimulatedDisk, durability: Durability) -> Handle {
    let config = EmbeddedStoreConfig::new("");
    Handle::open(Arc::new(disk.clone()), config, durability).expect("a new disk")
}

/// How much was appended, in how many pieces, and how many syncs there were, after so many events.
fn asked(disk: &SimulatedDisk, after: usize) -> (usize, usize, usize) {
    let events = disk.events().split_off(after);
    let appended = events.iter().filter_map(|event| match event {
        Event::Append { bytes, .. } => Some(bytes.len()),
        _ => None,
    });
    let appended: Vec<usize> = appended.collect();
    let syncs = events.iter().filter(|event| matches!(event, Event::Sync { .. } | Event::SyncFolder)).count();
    (appended.iter().sum(), appended.len(), syncs)
}

fn length(name: &str, value: &Value) -> usize {
    key(name).as_str().len() + value.encode().expect("a lease has a JSON form").len()
}

#[test]
fn a_write_alone_costs_one_append_of_little_more_than_its_bytes_and_one_sync() {
    suite::run(async {
        let disk = SimulatedDisk::default();
        let handle = open(&disk, Durability::Synced);
        for number in 0..10 {
            let (name, value) = (format!("n{number}"), lease(number));
            let bytes = FRAME + RECORD + length(&name, &value);
            let before = disk.events().len();
            handle.put(&key(&name), value, Expect::Absent).await.expect("the disk is well");
            assert_eq!(asked(&disk, before), (bytes, 1, 1));
        }
        handle.close().await;
    });
}

#[test]
fn all_that_is_written_while_the_disk_is_busy_costs_one_append_and_one_sync_together() {
    suite::run(async {
        let disk = SimulatedDisk::default();
        let handle = open(&disk, Durability::Synced);
        let before = disk.events().len();
        let names: Vec<String> = (0..200).map(|number| format!("n{number}")).collect();
        let mut writes = join_all(names.iter().map(|name| {
            let handle = &handle;
            async move { handle.put(&key(name), lease(name), Expect::Absent).await.map(drop) }
        }));
        let busy = disk.keep_busy();
        assert!((&mut writes).now_or_never().is_none(), "a write was acknowledged before it was synced");
        drop(busy);
        writes.await.into_iter().collect::<Result<(), _>>().expect("the disk is well");
        let (bytes, appends, syncs) = asked(&disk, before);
        // The log may take the first few before the rest are there; all others then wait for the same sync.
        assert!(appends <= 2 && syncs == appends, "200 writes at once took {appends} appends and {syncs} syncs");
        let records: usize = names.iter().map(|name| RECORD + length(name, &lease(name))).sum();
        assert_eq!(bytes, appends * FRAME + records);
        handle.close().await;
    });
}

#[test]
fn a_buffered_store_does_not_wait_for_the_disk() {
    suite::run(async {
        let disk = SimulatedDisk::default();
        let handle = open(&disk, Durability::Buffered);
        let before = disk.events().len();
        for number in 0..10 {
            let key = key(&format!("n{number}"));
            handle.put(&key, lease(number), Expect::Absent).await.expect("the disk is well");
        }
        let (_, appends, syncs) = asked(&disk, before);
        assert_eq!((appends, syncs), (10, 0));
        handle.close().await;
    });
}
