//! The disk by itself: what appending and syncing costs, with nothing above it.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use bytes::Bytes;
use orch_core::key::Key;
use orch_core::revision::Revision;
use orch_core::store::Value;
use tokio::sync::oneshot;

use super::subject::Scratch;
use crate::measure::{Cost, cost, spread};
use crate::row::time;

/// Where the data lies, and the floor of one sync there.
pub fn described() -> String {
    let sync = |place| spread((0..101).map(|_| loop_of_syncs(1, 1, 500, place).wall).collect()).1;
    format!(
        "Data of all durable stores is in {} ({}). Writing 500 bytes and syncing them takes {} at the end of a file, {} \
         over zeros written before",
        std::env::temp_dir().display(),
        file_system(),
        time(sync(Place::End)),
        time(sync(Place::OverZeros)),
    )
}

fn file_system() -> String {
    let folder = std::env::temp_dir();
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let holds = mounts.filter(|mount| mount.len() > 2 && folder.starts_with(mount[1]));
    holds.max_by_key(|mount| mount[1].len()).map_or("an unknown file system".to_owned(), |mount| mount[2].to_owned())
}

/// Where a record is written.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// At the end, so that the file grows and its length has to be synced as well.
    End,
    /// Where zeros were written and synced before.
    OverZeros,
}

/// The ceiling of group commit: so many records of so many bytes, written and synced `batch` at a time in a bare loop.
pub fn loop_of_syncs(records: usize, batch: usize, bytes: usize, place: Place) -> Cost {
    let scratch = Scratch::new();
    let (file, content) = (File::create(scratch.path().join("log")).expect("a file"), vec![b'x'; batch * bytes]);
    let batches = records.div_ceil(batch);
    if let Place::OverZeros = place {
        file.write_all_at(&vec![0; batches * content.len()], 0).expect("a write");
    }
    file.sync_all().expect("a sync");
    cost(batches * batch, || {
        for index in 0..batches {
            file.write_all_at(&content, (index * content.len()) as u64).expect("a write");
            file.sync_data().expect("a sync");
        }
    })
}

/// One thread that appends and syncs what many hand it: all that has come while it was busy, at once.
#[derive(Debug)]
pub struct HandOver {
    records: mpsc::Sender<Record>,
    appended: AtomicU64,
}

#[derive(Debug)]
struct Record {
    key: Key,
    json: Bytes,
    synced: oneshot::Sender<()>,
}

impl HandOver {
    pub fn start(path: &Path) -> Self {
        let (sender, receiver) = mpsc::channel();
        let file = File::create(path).expect("a file");
        thread::spawn(move || append_and_sync(file, &receiver));
        Self { records: sender, appended: AtomicU64::new(0) }
    }

    /// Returns when the record is on disk.
    pub async fn append(&self, key: &Key, value: Value) -> Revision {
        let (sender, synced) = oneshot::channel();
        let json = value.encode().expect("it has a JSON form");
        self.records.send(Record { key: key.clone(), json, synced: sender }).expect("the thread runs");
        synced.await.expect("the thread runs");
        Revision(self.appended.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

fn append_and_sync(mut file: File, records: &Receiver<Record>) {
    let (mut buffer, mut waiting) = (Vec::new(), Vec::new());
    while let Ok(first) = records.recv() {
        buffer.clear();
        for record in std::iter::once(first).chain(records.try_iter()) {
            buffer.extend_from_slice(record.key.as_str().as_bytes());
            buffer.extend_from_slice(&record.json);
            waiting.push(record.synced);
        }
        file.write_all(&buffer).expect("a write");
        file.sync_data().expect("a sync");
        for synced in waiting.drain(..) {
            // Who does not wait any more does not want to know.
            let _ = synced.send(());
        }
    }
}
