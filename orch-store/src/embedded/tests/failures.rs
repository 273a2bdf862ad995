//! Disks that are full or broken.

use futures::future::join_all;
use orch_core::store::{Expect, StoreError};
use orch_testkit::suite;

use super::simulated_disk::{Event, SimulatedDisk};
use super::{everything, key, lease, open};
use crate::embedded::files::Files;
use crate::embedded::handle::Handle;
use crate::embedded::log::Durability;

async fn put(handle: &Handle, name: &str) -> Result<(), StoreError> {
    let found = handle.get(&key(name))?;
    let expect = found.map_or(Expect::Absent, |entry| Expect::Revision(entry.revision));
    handle.put(&key(name), lease(name), expect).await.map(drop)
}

#[test]
fn a_full_disk_refuses_writes_that_then_did_not_happen_and_takes_them_when_there_is_room() {
    suite::run(async {
        let disk = SimulatedDisk::default();
        let handle = open(&disk, Durability::Synced).expect("a new disk");
        put(&handle, "before").await.expect("there is room");
        let used: usize = disk.files().values().map(Vec::len).sum();
        let (held, revision) = everything(&handle);
        for room in [0, 1, 50] {
            disk.limit(Some(used + room));
            let names: Vec<String> = (0..5).map(|number| format!("n{number}")).collect();
            for result in join_all(names.iter().map(|name| put(&handle, name))).await {
                match result {
                    Err(error @ StoreError::Unavailable { .. }) => {
                        assert!(!error.outcome_is_unknown(), "nothing was written: {error}");
                    }
                    other => panic!("a full disk took a write: {other:?}"),
                }
            }
            assert_eq!(everything(&handle), (held.clone(), revision), "reads go on");
            assert_eq!(disk.files().values().map(Vec::len).sum::<usize>(), used, "what was written is taken back");
        }
        disk.limit(None);
        put(&handle, "after").await.expect("there is room again");
        let held = everything(&handle);
        assert_eq!(held.1, revision.next(), "what was refused used up a revision");
        handle.close().await;
        let again = open(&SimulatedDisk::with_files(&disk.files()), Durability::Synced).expect("nothing is wrong");
        assert_eq!(everything(&again), held);
        again.close().await;
    });
}

#[test]
fn after_a_sync_that_failed_the_outcome_is_unknown_nothing_is_written_any_more_and_reads_go_on() {
    suite::run(async {
        let disk = SimulatedDisk::default();
        let handle = open(&disk, Durability::Synced).expect("a new disk");
        put(&handle, "before").await.expect("the disk is well");
        let held = everything(&handle);
        disk.fail_syncs_after(0);
        let error = put(&handle, "lost").await.expect_err("it cannot be durable");
        assert!(error.outcome_is_unknown(), "nobody knows what the disk has: {error}");
        let len = disk.files().values().map(Vec::len).sum::<usize>();
        disk.fail_syncs_after(1_000);
        let error = put(&handle, "later").await.expect_err("a sync that succeeds later proves nothing");
        assert!(matches!(&error, StoreError::Unavailable { .. }) && !error.outcome_is_unknown(), "{error}");
        assert!(error.to_string().contains("the disk is on fire"), "it does not say why: {error}");
        assert_eq!(disk.files().values().map(Vec::len).sum::<usize>(), len, "something was written");
        assert_eq!(everything(&handle), held, "what may not be durable can be read");
        handle.close().await;
    });
}

#[test]
fn a_checkpoint_that_finds_the_disk_full_is_given_up_and_tried_again() {
    suite::run(async {
        let disk = SimulatedDisk::default();
        let handle = open(&disk, Durability::Synced).expect("a new disk");
        let has_checkpoint = || !Files::sort(disk.files().into_keys().collect()).checkpoints.is_empty();
        let is_begun = |event: &Event| matches!(event, Event::Create { name, .. } if name.starts_with("checkpoint"));
        let begun = || disk.events().iter().filter(|event| is_begun(event)).count();
        let put = async |round: usize| put(&handle, &format!("n{}", round % 3)).await.expect("there is room for this");
        // Room for the log and never for a whole checkpoint beside it, at first. Which of the two would be first at a limit
        // for both is chance.
        disk.limit_checkpoints(Some(20));
        let mut rounds = 0..20_000;
        while begun() < 2 {
            put(rounds.next().expect("a checkpoint is given up and tried again")).await;
            assert!(!has_checkpoint(), "{:?}", disk.files().keys());
        }
        disk.limit_checkpoints(None);
        while !has_checkpoint() {
            put(rounds.next().expect("a checkpoint is written when there is room")).await;
        }
        let held = everything(&handle);
        handle.close().await;
        let again = open(&SimulatedDisk::with_files(&disk.files()), Durability::Synced).expect("nothing is wrong");
        assert_eq!(everything(&again), held);
        again.close().await;
    });
}
