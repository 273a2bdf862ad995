//! [`RootLock`]: one runtime at a time.

use std::fs::{File, TryLockError};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use orch_core::runtime::RuntimeError;

use super::record::RootFolder;
use super::trouble::unavailable;

/// How long the lock of a process that is dead may still be held: a program that it was just starting has its files for a
/// moment, until it becomes that program.
const HANDOVER: Duration = Duration::from_secs(5);
/// Between two attempts to take the lock meanwhile.
const RETRY: Duration = Duration::from_millis(10);

/// Holds the root folder. The kernel gives it back when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct RootLock(File);

impl RootLock {
    pub(super) fn take(root: &RootFolder) -> Result<Self, RuntimeError> {
        let path = root.lock();
        let failed = |error: io::Error| unavailable("cannot lock", &path, error);
        let mut file =
            File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(failed)?;
        let mut waited = Duration::ZERO;
        while let Err(refused) = file.try_lock() {
            if let TryLockError::Error(error) = refused {
                return Err(failed(error));
            }
            let holder = holder(&file).map_err(failed)?;
            if is_alive(&holder) || waited >= HANDOVER {
                let root = root.0.display();
                let message = format!("process {holder} runs on {root}: end it, or choose another folder");
                return Err(RuntimeError::Unavailable { message, transient: true, source: None });
            }
            std::thread::park_timeout(RETRY);
            waited += RETRY;
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self(file))
    }
}

/// The process that holds the lock, as it wrote itself down.
fn holder(file: &File) -> io::Result<String> {
    let mut text = [0; 16];
    let length = file.read_at(&mut text, 0)?;
    Ok(String::from_utf8_lossy(&text[..length]).trim_end().to_owned())
}

fn is_alive(pid: &str) -> bool {
    !pid.is_empty() && std::fs::exists(format!("/proc/{pid}")).unwrap_or(true)
}

impl Drop for RootLock {
    /// Closing would do, unless another thread is just starting a program, which has all files for a moment.
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "cannot unlock the root folder");
        }
    }
}
