//! [`Lock`]: one at a time, in this process or any other.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::error::Failure;

/// Held until it is dropped. The kernel gives it back when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Waits until nobody else has it.
    pub(super) async fn take(path: PathBuf) -> Result<Self, Failure> {
        let shown = path.clone();
        let taken = tokio::task::spawn_blocking(move || take(path)).await;
        taken
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|error| Failure::io("cannot lock", &shown, error))
    }

    /// Gives it back, and removes the file: there is nothing left that it is for.
    pub(super) fn remove(self) {
        // One that stays is removed with the next pod of its name, or not at all: it is empty.
        let _ = fs::remove_file(&self.path);
    }
}

fn take(path: PathBuf) -> io::Result<Lock> {
    loop {
        let file = File::options().create(true).truncate(false).write(true).open(&path)?;
        file.lock()?;
        // Whoever had it may have removed the file, and the next one may have made another.
        if is_same(&file, &path)? {
            return Ok(Lock { file, path });
        }
    }
}

fn is_same(file: &File, path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(there) => Ok(there.ino() == file.metadata()?.ino()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl Drop for Lock {
    /// Closing would do, unless another thread is just starting a program, which has all files for a moment.
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "cannot unlock {}", self.path.display());
        }
    }
}
