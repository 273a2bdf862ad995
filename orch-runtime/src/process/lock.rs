//! [`RootLock`]: one runtime at a time.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};

use orch_core::runtime::RuntimeError;

use super::record::RootFolder;
use super::trouble::unavailable;

/// Holds the root folder. The kernel gives it back when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct RootLock(File);

impl RootLock {
    pub(super) fn take(root: &RootFolder) -> Result<Self, RuntimeError> {
        let path = root.lock();
        let failed = |error: io::Error| unavailable("cannot lock", &path, error);
        let mut file =
            File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.take(16).read_to_string(&mut holder).map_err(failed)?;
                let (root, holder) = (root.0.display(), holder.trim_end());
                let message = format!("process {holder} runs on {root}: end it, or choose another folder");
                return Err(RuntimeError::Unavailable { message, transient: true, source: None });
            }
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self(file))
    }
}

impl Drop for RootLock {
    /// Closing would do, unless another thread is just starting a program, which has all files for a moment.
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "cannot unlock the root folder");
        }
    }
}
