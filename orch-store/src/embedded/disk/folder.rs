//! [`Folder`]: a folder of the operating system's, locked.

use std::fs::{File, TryLockError};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Disk, DiskFile};
use crate::embedded::EmbeddedStoreError;

/// The name of the file that is locked. It stays for ever: who removes it lets a second process in.
const LOCK: &str = "lock";
/// How long the lock of a process that is dead may still be held: a program that it was just starting has its files for a
/// moment, until it becomes that program.
const HANDOVER: Duration = Duration::from_secs(2);
/// Between two attempts to take the lock meanwhile.
const RETRY: Duration = Duration::from_millis(5);

/// A folder of the operating system's.
#[derive(Debug)]
pub(in crate::embedded) struct Folder {
    path: PathBuf,
    /// Held as long as this lives; `None` where a lock has no use.
    lock: Option<File>,
}

impl Folder {
    /// A folder that others may use at the same time.
    pub(in crate::embedded) fn shared(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), lock: None }
    }

    /// A folder that nobody else opens so as long as this lives. It is made if it is not there, readable by its owner
    /// only.
    pub(in crate::embedded) fn locked(path: &Path) -> Result<Self, EmbeddedStoreError> {
        make(path).map_err(|source| EmbeddedStoreError::io("make the folder", path, source))?;
        let lock_path = path.join(LOCK);
        let failed = |source| EmbeddedStoreError::io("lock", &lock_path, source);
        let mut options = File::options();
        let mut lock = options.create(true).truncate(false).read(true).write(true).open(&lock_path).map_err(failed)?;
        let mut waited = Duration::ZERO;
        while let Err(refused) = lock.try_lock() {
            if let TryLockError::Error(error) = refused {
                return Err(failed(error));
            }
            let holder = holder(&lock).map_err(failed)?;
            if is_alive(&holder) || waited >= HANDOVER {
                return Err(EmbeddedStoreError::Locked { folder: path.to_owned(), holder });
            }
            std::thread::park_timeout(RETRY);
            waited += RETRY;
        }
        lock.set_len(0).and_then(|()| lock.rewind()).map_err(failed)?;
        writeln!(lock, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { path: path.to_owned(), lock: Some(lock) })
    }
}

/// Makes a folder such that it survives a crash.
fn make(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make(parent)?;
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(parent)?.sync_all()
}

/// The process that holds the lock, as it wrote itself down.
fn holder(lock: &File) -> io::Result<String> {
    let mut text = [0; 16];
    let length = lock.read_at(&mut text, 0)?;
    Ok(String::from_utf8_lossy(&text[..length]).trim_end().to_owned())
}

fn is_alive(pid: &str) -> bool {
    !pid.is_empty() && std::fs::exists(format!("/proc/{pid}")).unwrap_or(true)
}

impl Drop for Folder {
    /// Closing would do, unless another thread is just starting a program, which has all files for a moment.
    fn drop(&mut self) {
        if let Some(Err(error)) = self.lock.as_ref().map(File::unlock) {
            tracing::warn!(folder = %self.path.display(), %error, "cannot unlock the folder");
        }
    }
}

impl Disk for Folder {
    fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(&self.path)?;
        let names = entries.map(|entry| entry.map(|entry| entry.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let mut options = File::options();
        let file = options.create(true).truncate(true).read(true).write(true).mode(0o600).open(self.path(name))?;
        Ok(Box::new(OpenFile { file, len: 0 }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = File::options().read(true).write(true).open(self.path(name))?;
        let len = file.metadata()?.len();
        Ok(Box::new(OpenFile { file, len }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path(name))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    len: u64,
}

impl DiskFile for OpenFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.len)
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(into, offset)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.len)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)?;
        self.len = len;
        Ok(())
    }

    /// Without the times of the file, which nobody asks for; with its length.
    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}
