//! Checkpoints: all that a store remembers, in one file, so that the log can begin anew.

use std::io;
use std::time::Duration;

use orch_core::key::Key;

use super::disk::{Disk, DiskFile};
use super::files;
use super::format::frame::{Chain, HEAD};
use super::format::header::{FileKind, Header};
use super::format::record::{self, Change, Record};
use crate::mvcc::snapshot::Snapshot;

/// All that a checkpoint holds.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) snapshot: Snapshot,
    pub(super) claims: Vec<(Key, Duration)>,
}

/// Writes a checkpoint, which is there wholly or not at all, and on the disk when this returns. Returns how long it is;
/// `None` if `give_up` said so meanwhile.
pub(super) fn write(
    disk: &dyn Disk,
    name: &str,
    header: Header,
    contents: &Contents,
    give_up: &dyn Fn() -> bool,
) -> io::Result<Option<u64>> {
    let unfinished = files::unfinished(name);
    let written = disk.create(&unfinished).and_then(|file| {
        let header = Header { kind: FileKind::Checkpoint, after: contents.snapshot.base, ..header };
        FrameWriter::begin(file, header)?.write_all(contents, give_up)
    });
    match written {
        Ok(Some(len)) => {
            disk.rename(&unfinished, name)?;
            disk.sync()?;
            Ok(Some(len))
        }
        other => {
            // What is left of it is removed when the store is opened next, if not now.
            let _ = disk.remove(&unfinished);
            other
        }
    }
}

/// Writes records in frames of about a megabyte.
#[derive(Debug)]
struct FrameWriter {
    file: Box<dyn DiskFile>,
    chain: Chain,
    frame: Vec<u8>,
    records: u64,
}

impl FrameWriter {
    const FRAME: usize = 1 << 20;

    fn begin(mut file: Box<dyn DiskFile>, header: Header) -> io::Result<Self> {
        let bytes = header.encode();
        file.append(&bytes)?;
        Ok(Self { file, chain: Chain::new(&bytes), frame: vec![0; HEAD], records: 0 })
    }

    fn write_all(mut self, contents: &Contents, give_up: &dyn Fn() -> bool) -> io::Result<Option<u64>> {
        let Contents { snapshot, claims } = contents;
        self.add(&Record::Begin { oldest: snapshot.oldest })?;
        for entry in &snapshot.objects {
            let json = entry.value.encode().map_err(io::Error::other)?;
            let (created, revision) = (entry.created, entry.revision);
            self.add(&Record::Object { created, revision, key: entry.key.as_str(), json: &json })?;
            if self.frame.len() == HEAD && give_up() {
                return Ok(None);
            }
        }
        for changes in snapshot.changes.chunk_by(|(_, one, _), (_, other, _)| one == other) {
            self.add_transaction(changes)?;
            if self.frame.len() == HEAD && give_up() {
                return Ok(None);
            }
        }
        for (key, ttl) in claims {
            self.add(&Record::Claim { ttl: *ttl, key: key.as_str() })?;
        }
        self.add(&Record::End { records: self.records })?;
        self.flush()?;
        self.file.sync()?;
        Ok(Some(self.chain.end().len))
    }

    fn add_transaction(&mut self, changes: &[SnapshotChange]) -> io::Result<()> {
        let Some((_, revision, _)) = changes.first() else { return Ok(()) };
        let json = changes.iter().map(|(_, _, entry)| entry.as_ref().map(|entry| entry.value.encode()).transpose());
        let json = json.collect::<Result<Vec<_>, _>>().map_err(io::Error::other)?;
        let changes = changes.iter().zip(&json).map(|((key, ..), json)| match json {
            Some(json) => Change::Put { key: key.as_str(), json, ttl: None },
            None => Change::Delete { key: key.as_str() },
        });
        record::put_transaction(&mut self.frame, *revision, changes);
        self.added()
    }

    fn add(&mut self, record: &Record<'_>) -> io::Result<()> {
        record.put(&mut self.frame);
        self.added()
    }

    fn added(&mut self) -> io::Result<()> {
        self.records += 1;
        if self.frame.len() >= Self::FRAME { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.frame.len() > HEAD {
            self.chain.seal(&mut self.frame);
            self.file.append(&self.frame)?;
            self.frame.clear();
            self.frame.resize(HEAD, 0);
        }
        Ok(())
    }
}

type SnapshotChange = (Key, orch_core::revision::Revision, Option<orch_core::store::Entry>);
