//! Opening: which files there are, what they tell, and what a crash left of the last one.

use std::sync::Arc;

use orch_core::entropy::{Entropy as _, SeededEntropy};
use orch_core::revision::Revision;

use super::EmbeddedStoreConfig;
use super::EmbeddedStoreError;
use super::claims::Claims;
use super::disk::{Disk, DiskFile};
use super::files::{self, Files};
use super::format::frame::{Chain, Fault, FrameReader};
use super::format::header::{self, End, FileKind, Header, NoHeader};
use super::format::record::Record;
use super::log::{Durability, Failure, Log};
use super::replay::Replay;
use crate::mvcc::Mvcc;

/// A store as its files tell it.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) mvcc: Arc<Mvcc>,
    pub(super) claims: Claims,
    pub(super) log: Log,
    /// Common to all files.
    pub(super) store: u128,
    /// How long the checkpoint is.
    pub(super) checkpoint_len: u64,
}

/// Reads what the files tell, cuts off what a crash left of an append, and removes what is no longer needed. What was
/// read will survive a crash when this returns.
pub(super) fn recover(
    disk: Arc<dyn Disk>,
    config: &EmbeddedStoreConfig,
    durability: Durability,
) -> Result<Recovered, EmbeddedStoreError> {
    let names = disk.names().map_err(|source| EmbeddedStoreError::io("list", disk.path(""), source))?;
    let files = Files::sort(names);
    let mvcc = Mvcc::new(config.history, config.progress_every);
    let claims = Claims::default();
    let mut reader = Reader { disk: &*disk, replay: Replay { mvcc: &mvcc, claims: &claims }, store: None };
    let checkpoint = files.checkpoints.last().copied();
    let checkpoint_len = checkpoint.map(|segment| reader.checkpoint(&files::checkpoint(segment), segment));
    let checkpoint_len = checkpoint_len.transpose()?.unwrap_or(0);
    let first = checkpoint.unwrap_or(1);
    let mut log = match reader.logs(&files, first)? {
        Some((file, header, chain)) => Log::resume(Arc::clone(&disk), durability, file, header, chain),
        None => create(Arc::clone(&disk), durability)?,
    };
    let store = log.store();
    log.sync()
        .and_then(|()| disk.sync())
        .map_err(|source| EmbeddedStoreError::io("sync", disk.path(&files::log(log.segment())), source))?;
    if !log.is_as_it_says() {
        let after = mvcc.read().revision();
        log.rotate(after).map_err(|failure| io_error(&*disk, failure))?;
    }
    remove_outdated(&*disk, &files, first);
    Ok(Recovered { mvcc: Arc::new(mvcc), claims, log, store, checkpoint_len })
}

/// The log of a store that begins.
fn create(disk: Arc<dyn Disk>, durability: Durability) -> Result<Log, EmbeddedStoreError> {
    let header = Header {
        kind: FileKind::Log,
        synced: durability == Durability::Synced,
        store: new_identity(),
        segment: 1,
        after: Revision::ZERO,
        previous: End::default(),
    };
    Log::create(Arc::clone(&disk), durability, header).map_err(|failure| io_error(&*disk, failure))
}

/// A number that no other store has.
pub(super) fn new_identity() -> u128 {
    let entropy = SeededEntropy::from_os();
    u128::from(entropy.next_u64()) << 64 | u128::from(entropy.next_u64())
}

fn io_error(disk: &dyn Disk, failure: Failure) -> EmbeddedStoreError {
    let (Failure::NotWritten(source) | Failure::Unknown(source)) = failure;
    EmbeddedStoreError::io("begin a log in", disk.path(""), source)
}

/// Removes what was not finished, and what a newer checkpoint took the place of. It harms nobody, so neither does it if
/// this fails.
pub(super) fn remove_outdated(disk: &dyn Disk, files: &Files, first: u64) {
    let logs = files.logs.range(..first).map(|segment| files::log(*segment));
    let checkpoints = files.checkpoints.range(..first).map(|segment| files::checkpoint(*segment));
    for name in files.unfinished.iter().cloned().chain(logs).chain(checkpoints) {
        if let Err(error) = disk.remove(&name) {
            tracing::warn!(file = %disk.path(&name).display(), %error, "cannot remove a file that is not needed");
        }
    }
}

/// A log and where it goes on.
type OpenLog = (Box<dyn DiskFile>, Header, Chain);

/// Reads a store's files one after another.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) replay: Replay<'a>,
    /// The identity that the first file had.
    pub(super) store: Option<u128>,
}

impl Reader<'_> {
    /// Reads a checkpoint, and returns how long it is.
    pub(super) fn checkpoint(&mut self, name: &str, segment: u64) -> Result<u64, EmbeddedStoreError> {
        let file = self.open(name)?;
        let (header, chain) = self.header(name, &*file, FileKind::Checkpoint, segment)?;
        let mut frames = FrameReader::new(&*file, true, chain).map_err(|source| self.unreadable(name, source))?;
        let (mut records, mut ended) = (0, false);
        loop {
            let offset = frames.chain().end().len;
            let damaged = |problem: &str| self.damaged(name, offset, problem);
            let mut rest = match frames.next() {
                Ok(Some(rest)) => rest,
                Ok(None) if ended => return Ok(offset),
                Ok(None) | Err(Fault::Torn) => return Err(damaged("it ends early")),
                Err(Fault::Damaged(problem)) => return Err(damaged(problem)),
                Err(Fault::Io(source)) => return Err(self.unreadable(name, source)),
            };
            while !rest.is_empty() {
                match Record::take(&mut rest) {
                    _ if ended => return Err(damaged("it goes on after its end")),
                    None => return Err(damaged("what stands here is no record")),
                    Some(Record::Begin { .. }) if records > 0 => return Err(damaged("it begins twice")),
                    Some(Record::End { records: expected }) if expected == records => ended = true,
                    Some(record) if records > 0 || matches!(record, Record::Begin { .. }) => {
                        self.replay.checkpoint_record(record, header.after).map_err(|problem| damaged(&problem))?;
                    }
                    Some(_) => return Err(damaged("its beginning is missing")),
                }
                records += 1;
            }
        }
    }

    /// Reads the logs from that segment on, and returns the last one, which goes on after what was read.
    fn logs(&mut self, files: &Files, first: u64) -> Result<Option<OpenLog>, EmbeddedStoreError> {
        let missing = |name: String| EmbeddedStoreError::Missing { file: self.disk.path(&name) };
        let Some(last) = files.logs.range(first..).next_back().copied() else {
            return if files.checkpoints.is_empty() { Ok(None) } else { Err(missing(files::log(first))) };
        };
        if files.checkpoints.is_empty() && !files.logs.contains(&1) {
            let oldest = files.logs.first().copied().unwrap_or(last);
            return Err(missing(files::checkpoint(oldest)));
        }
        if let Some(gap) = (first..last).find(|segment| !files.logs.contains(segment)) {
            return Err(missing(files::log(gap)));
        }
        let mut before: Option<End> = None;
        for segment in first..=last {
            let (file, header, chain) = self.log(segment, segment == last, before)?;
            if segment == last {
                return Ok(Some((file, header, chain)));
            }
            before = Some(chain.end());
        }
        Ok(None)
    }

    /// Reads a log, which begins where `before` ended if that is known, and cuts it off if it is the last.
    fn log(&mut self, segment: u64, is_last: bool, before: Option<End>) -> Result<OpenLog, EmbeddedStoreError> {
        let name = files::log(segment);
        let mut file = self.open(&name)?;
        let (header, chain) = self.header(&name, &*file, FileKind::Log, segment)?;
        if before.is_some_and(|before| before != header.previous) {
            let before = files::log(segment - 1);
            return Err(self.damaged(&before, header.previous.len, "it does not end where the next log says"));
        }
        let reached = self.replay.mvcc.read().revision();
        if header.after != reached {
            let problem =
                format!("it goes on after revision {}, and what is before it ends at {reached}", header.after);
            return Err(self.damaged(&name, 0, &problem));
        }
        let (chain, is_torn) = self.frames(&name, &*file, header.synced, chain)?;
        if is_torn {
            let (path, offset) = (self.disk.path(&name), chain.end().len);
            if !is_last {
                return Err(self.damaged(&name, offset, "it ends early, and another log follows"));
            }
            tracing::warn!(file = %path.display(), offset, "cutting off a write that a crash interrupted");
            file.truncate(offset)
                .and_then(|()| file.sync())
                .map_err(|source| EmbeddedStoreError::io("cut off", &path, source))?;
        }
        Ok((file, header, chain))
    }

    /// Makes happen what the frames of a log tell. Returns where the last whole one ends, and whether there is more,
    /// left by a crash.
    fn frames(
        &self,
        name: &str,
        file: &dyn DiskFile,
        synced: bool,
        chain: Chain,
    ) -> Result<(Chain, bool), EmbeddedStoreError> {
        let mut frames = FrameReader::new(file, synced, chain).map_err(|source| self.unreadable(name, source))?;
        loop {
            let chain = frames.chain();
            let offset = chain.end().len;
            let mut rest = match frames.next() {
                Ok(Some(rest)) => rest,
                Ok(None) => return Ok((chain, false)),
                Err(Fault::Torn) => return Ok((chain, true)),
                Err(Fault::Damaged(problem)) => return Err(self.damaged(name, offset, problem)),
                Err(Fault::Io(source)) => return Err(self.unreadable(name, source)),
            };
            while !rest.is_empty() {
                let record = Record::take(&mut rest);
                let record = record.ok_or_else(|| self.damaged(name, offset, "what stands here is no record"))?;
                self.replay.log_record(record).map_err(|problem| self.damaged(name, offset, &problem))?;
            }
        }
    }

    /// Reads how a file begins, which must be one of this store, of that kind and segment.
    fn header(
        &mut self,
        name: &str,
        file: &dyn DiskFile,
        kind: FileKind,
        segment: u64,
    ) -> Result<(Header, Chain), EmbeddedStoreError> {
        let mut bytes = [0; header::LEN];
        let mut len = 0;
        while len < bytes.len() {
            match file.read_at(&mut bytes[len..], len as u64) {
                Ok(0) => break,
                Ok(count) => len += count,
                Err(source) => return Err(self.unreadable(name, source)),
            }
        }
        let header = Header::decode(&bytes[..len]).map_err(|no_header| match no_header {
            NoHeader::Newer(found) => {
                EmbeddedStoreError::NewerVersion { file: self.disk.path(name), found, supported: header::VERSION }
            }
            NoHeader::Damaged(problem) => self.damaged(name, 0, problem),
        })?;
        if header.kind != kind || header.segment != segment {
            return Err(self.damaged(name, 0, "it is another file than its name says"));
        }
        if *self.store.get_or_insert(header.store) != header.store {
            return Err(self.damaged(name, 0, "it belongs to another store"));
        }
        Ok((header, Chain::new(&bytes)))
    }

    fn open(&self, name: &str) -> Result<Box<dyn DiskFile>, EmbeddedStoreError> {
        self.disk.open(name).map_err(|source| EmbeddedStoreError::io("open", self.disk.path(name), source))
    }

    fn unreadable(&self, name: &str, source: std::io::Error) -> EmbeddedStoreError {
        EmbeddedStoreError::io("read", self.disk.path(name), source)
    }

    fn damaged(&self, name: &str, offset: u64, problem: &str) -> EmbeddedStoreError {
        EmbeddedStoreError::Damaged { file: self.disk.path(name), offset, problem: problem.to_owned() }
    }
}
