//! [`SimulatedDisk`]: a disk that remembers what was asked of it, and what a crash at any moment would leave.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orch_core::revision::Revision;

use crate::embedded::disk::{Disk, DiskFile};

const SECTOR: usize = 512;

/// A disk in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct SimulatedDisk {
    inside: Arc<Mutex<Inside>>,
    /// Taken for every sync of a file.
    busy: Arc<Mutex<()>>,
}

#[derive(Debug, Default)]
struct Inside {
    events: Vec<Event>,
    names: BTreeMap<String, FileId>,
    files: Vec<Vec<u8>>,
    /// How many bytes fit, if that is limited.
    capacity: Option<usize>,
    /// How many bytes of a checkpoint fit, if that is limited.
    checkpoint_capacity: Option<usize>,
    /// How many more syncs succeed, if that is limited.
    syncs_left: Option<usize>,
}

type FileId = usize;

/// Something that was asked of the disk, or told to somebody.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Create {
        name: String,
        file: FileId,
    },
    Append {
        file: FileId,
        bytes: Vec<u8>,
    },
    Truncate {
        file: FileId,
        len: usize,
    },
    Sync {
        file: FileId,
    },
    Rename {
        from: String,
        to: String,
        file: FileId,
    },
    Remove {
        name: String,
    },
    SyncFolder,
    /// Whoever uses the store was told that this has happened.
    Acknowledged(Acknowledged),
}

/// What a user of the store was told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Acknowledged {
    Written(Revision),
    Compacted(Revision),
}

/// What a crash leaves of bytes that were appended and not synced.
#[derive(Clone, Copy, Debug)]
pub(super) enum Torn {
    Kept,
    Lost,
    /// The file ends early; counted from the end of what was appended if negative.
    CutAt(isize),
    /// The sector with that number, among those with bytes appended, was not written.
    SectorZero(usize),
    /// Only that one was.
    OnlySector(usize),
    /// The length is there, the bytes are not.
    AllZero,
}

impl Torn {
    pub(super) const ALL: &[Self] = &[
        Self::Kept,
        Self::Lost,
        Self::CutAt(1),
        Self::CutAt(4),
        Self::CutAt(12),
        Self::CutAt(16),
        Self::CutAt(17),
        Self::CutAt(100),
        Self::CutAt(-1),
        Self::CutAt(-4),
        Self::CutAt(-5),
        Self::CutAt(-9),
        Self::SectorZero(0),
        Self::SectorZero(1),
        Self::SectorZero(2),
        Self::OnlySector(0),
        Self::OnlySector(1),
        Self::AllZero,
    ];

    /// What is there of `appended` behind `before` bytes.
    fn apply(self, before: usize, mut appended: Vec<u8>) -> Vec<u8> {
        let sector = |index: usize| (before + index) / SECTOR - before / SECTOR;
        match self {
            Self::Kept => {}
            Self::Lost => appended.clear(),
            Self::CutAt(at) => {
                let from_end = appended.len().saturating_sub(at.unsigned_abs());
                appended.truncate(if at < 0 { from_end } else { at.unsigned_abs() });
            }
            Self::SectorZero(zero) => {
                appended.iter_mut().enumerate().filter(|(i, _)| sector(*i) == zero).for_each(|(_, byte)| *byte = 0);
            }
            Self::OnlySector(only) => {
                appended.iter_mut().enumerate().filter(|(i, _)| sector(*i) != only).for_each(|(_, byte)| *byte = 0);
            }
            Self::AllZero => appended.fill(0),
        }
        appended
    }
}

impl SimulatedDisk {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets no file be synced as long as this is held.
    pub(super) fn keep_busy(&self) -> MutexGuard<'_, ()> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A disk with these files, all synced.
    pub(super) fn with_files(files: &BTreeMap<String, Vec<u8>>) -> Self {
        let disk = Self::default();
        for (number, (name, bytes)) in files.iter().enumerate() {
            let mut inside = disk.lock();
            inside.names.insert(name.clone(), number);
            inside.files.push(bytes.clone());
        }
        disk
    }

    /// The files as they are.
    pub(super) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let inside = self.lock();
        inside.names.iter().map(|(name, file)| (name.clone(), inside.files[*file].clone())).collect()
    }

    pub(super) fn acknowledge(&self, what: Acknowledged) {
        self.lock().events.push(Event::Acknowledged(what));
    }

    pub(super) fn events(&self) -> Vec<Event> {
        self.lock().events.clone()
    }

    /// Lets no more than so many bytes fit; all that is appended, if `None`.
    pub(super) fn limit(&self, capacity: Option<usize>) {
        self.lock().capacity = capacity;
    }

    /// Lets no more than so many bytes of a checkpoint fit, whatever room there is for others; all of it, if `None`.
    pub(super) fn limit_checkpoints(&self, capacity: Option<usize>) {
        self.lock().checkpoint_capacity = capacity;
    }

    /// Lets every sync fail after so many.
    pub(super) fn fail_syncs_after(&self, syncs: usize) {
        self.lock().syncs_left = Some(syncs);
    }
}

impl Inside {
    fn used(&self) -> usize {
        self.names.values().map(|file| self.files[*file].len()).sum()
    }

    /// How many bytes more fit into a file.
    fn room(&self, file: FileId) -> usize {
        let left =
            |capacity: Option<usize>, used| capacity.map_or(usize::MAX, |capacity| capacity.saturating_sub(used));
        let is_checkpoint = self.names.iter().any(|(name, named)| *named == file && name.starts_with("checkpoint"));
        let of_checkpoint = self.checkpoint_capacity.filter(|_| is_checkpoint);
        left(self.capacity, self.used()).min(left(of_checkpoint, self.files[file].len()))
    }
}

/// How many names were made, changed or removed since the folder was last synced.
pub(super) fn unsynced_names(events: &[Event]) -> usize {
    events.iter().rev().take_while(|event| !matches!(event, Event::SyncFolder)).filter(|event| is_naming(event)).count()
}

/// The files that a crash leaves after `events`: of the names that were not synced those whose bit is set, counted from
/// the first, and so much of the bytes.
pub(super) fn after_crash(events: &[Event], names_kept: u32, torn: Torn) -> BTreeMap<String, Vec<u8>> {
    let mut files: BTreeMap<FileId, (Vec<u8>, Vec<u8>)> = BTreeMap::new();
    let mut names: BTreeMap<String, FileId> = BTreeMap::new();
    let synced = events.iter().filter(|event| is_naming(event)).count() - unsynced_names(events);
    let mut named = 0;
    for event in events {
        named += usize::from(is_naming(event));
        let is_kept = named <= synced || names_kept & (1 << (named - synced - 1)) != 0;
        match event {
            Event::Create { name, file } => {
                files.insert(*file, (Vec::new(), Vec::new()));
                if is_kept {
                    names.insert(name.clone(), *file);
                }
            }
            Event::Append { file, bytes } => files.entry(*file).or_default().1.extend(bytes),
            // A cut is as good as done: of what it cut off nothing else remains to be seen.
            Event::Truncate { file, len } => {
                let (synced, unsynced) = files.entry(*file).or_default();
                let rest = len.saturating_sub(synced.len());
                synced.truncate(*len);
                unsynced.truncate(rest);
            }
            Event::Sync { file } => {
                let (synced, unsynced) = files.entry(*file).or_default();
                synced.append(unsynced);
            }
            Event::Rename { from, to, file } if is_kept => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
            Event::Remove { name } if is_kept => drop(names.remove(name)),
            Event::Rename { .. } | Event::Remove { .. } | Event::SyncFolder | Event::Acknowledged(_) => {}
        }
    }
    let content = |file: FileId| {
        let (synced, unsynced) = files[&file].clone();
        let torn = torn.apply(synced.len(), unsynced);
        [synced, torn].concat()
    };
    names.into_iter().map(|(name, file)| (name, content(file))).collect()
}

fn is_naming(event: &Event) -> bool {
    matches!(event, Event::Create { .. } | Event::Rename { .. } | Event::Remove { .. })
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Disk for SimulatedDisk {
    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("disk").join(name)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut inside = self.lock();
        let file = inside.files.len();
        inside.files.push(Vec::new());
        inside.names.insert(name.to_owned(), file);
        inside.events.push(Event::Create { name: name.to_owned(), file });
        Ok(Box::new(OpenFile { disk: self.clone(), file }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = self.lock().names.get(name).copied().ok_or_else(not_found)?;
        Ok(Box::new(OpenFile { disk: self.clone(), file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut inside = self.lock();
        let file = inside.names.remove(from).ok_or_else(not_found)?;
        inside.names.insert(to.to_owned(), file);
        inside.events.push(Event::Rename { from: from.to_owned(), to: to.to_owned(), file });
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut inside = self.lock();
        inside.names.remove(name).ok_or_else(not_found)?;
        inside.events.push(Event::Remove { name: name.to_owned() });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.lock().events.push(Event::SyncFolder);
        Ok(())
    }
}

#[derive(Debug)]
struct OpenFile {
    disk: SimulatedDisk,
    file: FileId,
}

impl DiskFile for OpenFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.lock().files[self.file].len() as u64)
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let inside = self.disk.lock();
        let offset = usize::try_from(offset).expect("files in memory are short");
        let rest = inside.files[self.file].get(offset..).unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut inside = self.disk.lock();
        let room = inside.room(self.file);
        let fitting = bytes[..bytes.len().min(room)].to_vec();
        inside.files[self.file].extend(&fitting);
        inside.events.push(Event::Append { file: self.file, bytes: fitting });
        if room < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let mut inside = self.disk.lock();
        let len = usize::try_from(len).expect("files in memory are short");
        inside.files[self.file].truncate(len);
        inside.events.push(Event::Truncate { file: self.file, len });
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let _busy = self.disk.keep_busy();
        let mut inside = self.disk.lock();
        if let Some(left) = &mut inside.syncs_left {
            *left = left.checked_sub(1).ok_or_else(|| io::Error::other("the disk is on fire"))?;
        }
        inside.events.push(Event::Sync { file: self.file });
        Ok(())
    }
}
