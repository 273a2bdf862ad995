//! Files that were changed by anything but the store: nothing of them is ever served.

use std::collections::BTreeMap;

use orch_testkit::suite;

use super::simulated_disk::SimulatedDisk;
use super::{Objects, everything, open, workload};
use crate::embedded::EmbeddedStoreError;
use crate::embedded::log::Durability;

type Files = BTreeMap<String, Vec<u8>>;

/// A small store with a checkpoint, and what it holds.
fn small_store() -> (Files, Objects) {
    let disk = SimulatedDisk::default();
    let handle = open(&disk, Durability::Synced).expect("a new disk");
    workload::play(&disk, &handle, 17);
    let (objects, _) = everything(&handle);
    suite::run(handle.close());
    let files = disk.files();
    assert!(files.keys().any(|name| name.starts_with("checkpoint")), "{:?}", files.keys());
    (files, objects)
}

/// What a store holds that has these files, or why it cannot be opened.
fn try_open(files: &Files) -> Result<Objects, EmbeddedStoreError> {
    let handle = open(&SimulatedDisk::with_files(files), Durability::Synced)?;
    let (objects, _) = everything(&handle);
    suite::run(handle.close());
    Ok(objects)
}

#[test]
fn every_flipped_bit_is_found_and_its_file_named() {
    let (files, objects) = small_store();
    assert_eq!(try_open(&files).expect("nothing is wrong"), objects);
    for name in files.keys() {
        for bit in 0..files[name].len() * 8 {
            let mut flipped = files.clone();
            flipped.get_mut(name).expect("it is there")[bit / 8] ^= 1 << (bit % 8);
            match try_open(&flipped) {
                Err(EmbeddedStoreError::Damaged { file, .. }) => assert!(file.ends_with(name), "bit {bit} of {name}"),
                other => panic!("with bit {bit} of {name} flipped: {other:?}"),
            }
        }
    }
}

#[test]
fn what_is_cut_off_is_found_unless_it_is_the_last_writes_that_are_missing() {
    let (files, _) = small_store();
    let last_log = files.keys().rfind(|name| name.starts_with("log")).expect("there is a log");
    for name in files.keys() {
        for len in 0..files[name].len() {
            let mut cut = files.clone();
            cut.get_mut(name).expect("it is there").truncate(len);
            let result = try_open(&cut);
            if name != last_log || len < 68 {
                assert!(matches!(result, Err(EmbeddedStoreError::Damaged { .. })), "{name} cut at {len}: {result:?}");
            } else {
                result.unwrap_or_else(|error| panic!("{name} cut at {len}, as a crash may leave it: {error}"));
            }
        }
    }
}

#[test]
fn a_missing_file_is_missed() {
    let (files, _) = small_store();
    for name in files.keys() {
        let mut without = files.clone();
        without.remove(name);
        let result = try_open(&without);
        assert!(matches!(result, Err(EmbeddedStoreError::Missing { .. })), "without {name}: {result:?}");
    }
}

#[test]
fn a_block_that_is_lost_repeated_zeroed_or_swapped_is_found() {
    let (files, _) = small_store();
    for (name, bytes) in &files {
        for block in [16, 64, 512] {
            let blocks: Vec<&[u8]> = bytes.chunks(block).collect();
            // What is wrong with the very last sectors may be what a crash left.
            for number in 0..blocks.len().saturating_sub(3 * 512 / block) {
                let mut lost = blocks.clone();
                lost.remove(number);
                let mut repeated = blocks.clone();
                repeated.insert(number, blocks[number]);
                let mut swapped = blocks.clone();
                swapped.swap(number, number + 1);
                let zero = vec![0; block];
                let mut zeroed = blocks.clone();
                zeroed[number] = &zero;
                for (what, changed) in
                    [("lost", lost), ("repeated", repeated), ("swapped", swapped), ("zeroed", zeroed)]
                {
                    let changed = changed.concat();
                    if changed == *bytes {
                        continue;
                    }
                    let mut files = files.clone();
                    files.insert(name.clone(), changed);
                    let result = try_open(&files);
                    let is_found = matches!(result, Err(EmbeddedStoreError::Damaged { .. }));
                    assert!(is_found, "block {number} of {block} bytes in {name} {what}: {result:?}");
                }
            }
        }
    }
}

#[test]
fn a_file_of_another_store_is_refused() {
    let (files, _) = small_store();
    // The number of its checkpoints, and with that their names, is a matter of time.
    let others = (0..20).map(|_| small_store().0).find(|others| others.keys().eq(files.keys()));
    let others = others.expect("another store with files of the same names");
    for name in files.keys() {
        let mut mixed = files.clone();
        mixed.insert(name.clone(), others[name].clone());
        let result = try_open(&mixed);
        assert!(matches!(result, Err(EmbeddedStoreError::Damaged { .. })), "another store's {name}: {result:?}");
    }
}

#[test]
fn a_newer_version_is_refused_and_named() {
    let (mut files, _) = small_store();
    let bytes = files.values_mut().next().expect("there are files");
    bytes[8..12].copy_from_slice(&9_u32.to_le_bytes());
    bytes[12..16].copy_from_slice(&(!9_u32).to_le_bytes());
    match try_open(&files) {
        Err(EmbeddedStoreError::NewerVersion { found: 9, supported: 1, .. }) => {}
        other => panic!("a file of version 9 gave {other:?}"),
    }
}
