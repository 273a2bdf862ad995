//! [`Disk`]: what the store asks of a file system, and nothing more, so that a test can be one.

mod folder;

use std::fmt::Debug;
use std::io;
use std::path::PathBuf;

pub(super) use folder::Folder;

/// A folder of files.
///
/// What a crash of the machine leaves of it: what was synced. Of other bytes appended since, any 512-byte sectors may be
/// there and the rest zero or cut off. Of files made, renamed or removed since the folder was last synced, any may be so or
/// not. A process that is killed loses nothing but part of what it was just appending.
pub(super) trait Disk: Debug + Send + Sync + 'static {
    /// Where a file is, for people.
    fn path(&self, name: &str) -> PathBuf;

    /// The names of all files.
    fn names(&self) -> io::Result<Vec<String>>;

    /// A new file, empty even if there was one of that name.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// A file that is there.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, and removes the one that had it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    fn remove(&self, name: &str) -> io::Result<()>;

    /// Returns when the names of all files will survive a crash.
    fn sync(&self) -> io::Result<()>;
}

/// An open file.
pub(super) trait DiskFile: Debug + Send {
    /// How many bytes it has.
    fn len(&self) -> io::Result<u64>;

    /// Reads at most as much as fits; nothing only at the end.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Adds bytes at the end. When it fails, some of them may have been added.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file off.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// Returns when the bytes of the file will survive a crash. When it failed, nobody knows which of them will, and to
    /// ask again gives no answer: the kernel forgets what it could not write (Rebello and others, "Can Applications
    /// Recover from fsync Failures?", USENIX ATC 2020).
    fn sync(&mut self) -> io::Result<()>;
}
