//! [`Log`]: the file that changes are appended to.

use std::io;
use std::sync::Arc;

use orch_core::revision::Revision;

use super::disk::{Disk, DiskFile};
use super::files;
use super::format::frame::Chain;
use super::format::header::{End, FileKind, Header};

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// When the disk has it.
    Synced,
    /// When the operating system has it.
    Buffered,
}

/// The file that changes are appended to.
#[derive(Debug)]
pub(super) struct Log {
    disk: Arc<dyn Disk>,
    durability: Durability,
    file: Box<dyn DiskFile>,
    header: Header,
    chain: Chain,
}

/// Why something could not be written, and what that means.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing happened, and the log is as it was.
    NotWritten(io::Error),
    /// Nobody knows what the disk has: nothing more can be written.
    Unknown(io::Error),
}

impl Log {
    /// Goes on with a log that was read up to `chain`.
    pub(super) fn resume(
        disk: Arc<dyn Disk>,
        durability: Durability,
        file: Box<dyn DiskFile>,
        header: Header,
        chain: Chain,
    ) -> Self {
        Self { disk, durability, file, header, chain }
    }

    /// A new log, which is on the disk when this returns.
    pub(super) fn create(disk: Arc<dyn Disk>, durability: Durability, header: Header) -> Result<Self, Failure> {
        let name = files::log(header.segment);
        let unfinished = files::unfinished(&name);
        let bytes = header.encode();
        let written = disk.create(&unfinished).and_then(|mut file| {
            file.append(&bytes)?;
            file.sync()?;
            Ok(file)
        });
        let file = written.map_err(|error| {
            // What is left of it is removed when the store is opened next, if not now.
            let _ = disk.remove(&unfinished);
            Failure::NotWritten(error)
        })?;
        disk.rename(&unfinished, &name).and_then(|()| disk.sync()).map_err(Failure::Unknown)?;
        Ok(Self { disk, durability, file, header, chain: Chain::new(&bytes) })
    }

    /// Which log this is.
    pub(super) fn segment(&self) -> u64 {
        self.header.segment
    }

    /// Whose it is.
    pub(super) fn store(&self) -> u128 {
        self.header.store
    }

    /// Whether it is written as it says in its header.
    pub(super) fn is_as_it_says(&self) -> bool {
        self.header.synced == (self.durability == Durability::Synced)
    }

    /// Whether to append takes as long as the disk does.
    pub(super) fn waits_for_disk(&self) -> bool {
        self.durability == Durability::Synced
    }

    /// Where it ends.
    pub(super) fn end(&self) -> End {
        self.chain.end()
    }

    /// Appends records, which stand behind [`HEAD`](super::format::frame::HEAD) free bytes, as one frame; returns when
    /// they are as durable as they are to be.
    pub(super) fn append(&mut self, frame: &mut Vec<u8>) -> Result<(), Failure> {
        let before = self.chain;
        self.chain.seal(frame);
        if let Err(error) = self.file.append(frame) {
            self.chain = before;
            return Err(self.cut(error));
        }
        match self.durability {
            Durability::Synced => self.file.sync().map_err(Failure::Unknown),
            Durability::Buffered => Ok(()),
        }
    }

    /// Takes back what was appended of a frame before that failed, most likely because the disk is full.
    fn cut(&mut self, error: io::Error) -> Failure {
        let durable = |file: &mut Box<dyn DiskFile>| match self.durability {
            Durability::Synced => file.sync(),
            Durability::Buffered => Ok(()),
        };
        match self.file.truncate(self.chain.end().len).and_then(|()| durable(&mut self.file)) {
            Ok(()) => Failure::NotWritten(error),
            Err(_) => Failure::Unknown(error),
        }
    }

    /// Ends this log and begins the next one.
    pub(super) fn rotate(&mut self, after: Revision) -> Result<(), Failure> {
        self.sync().map_err(Failure::Unknown)?;
        let synced = self.durability == Durability::Synced;
        let segment = self.header.segment + 1;
        let header = Header { kind: FileKind::Log, synced, segment, after, previous: self.end(), ..self.header };
        *self = Self::create(Arc::clone(&self.disk), self.durability, header)?;
        Ok(())
    }

    /// Returns when the disk has everything.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }
}
