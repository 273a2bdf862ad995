//! [`Cache`]: what was fetched before, so that it need not be fetched again.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use tokio::sync::OwnedMutexGuard;

use super::super::containers::Account;

/// What was fetched before, for each user by itself. A folder that only the agent can read.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    /// The most bytes that are kept.
    most: u64,
    /// Held by those who fetch or read a file.
    locks: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// A file of the cache, which stays while this is held.
#[derive(Debug)]
pub(super) struct Kept {
    path: PathBuf,
    _held: OwnedMutexGuard<()>,
}

impl Kept {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Cache {
    pub(super) fn new(folder: PathBuf, most: u64) -> Self {
        Self { folder, most, locks: Mutex::default() }
    }

    /// The file for a URI, which `bring` brings to a path if it is not there.
    pub(super) async fn get<Bringing: Future<Output = Result<(), String>>>(
        &self,
        uri: &str,
        account: Option<&Account>,
        bring: impl FnOnce(PathBuf) -> Bringing,
    ) -> Result<Kept, String> {
        let unusable = |error: io::Error| format!("the cache {} cannot be used: {error}", self.folder.display());
        fs::DirBuilder::new().recursive(true).mode(0o711).create(&self.folder).map_err(unusable)?;
        let name = name(uri, account);
        let held = self.lock(&name).lock_owned().await;
        let (path, part) = (self.folder.join(&name), self.folder.join(format!("{name}.part")));
        if path.exists() {
            // What was used lately is removed last.
            let used = fs::File::open(&path).and_then(|file| file.set_modified(now()));
            used.map_err(unusable)?;
        } else {
            self.fetched(&part, &path, account, bring).await?;
            self.make_room(&name).map_err(unusable)?;
        }
        Ok(Kept { path, _held: held })
    }

    /// Fetched into a folder in which its user may write, and taken from there.
    async fn fetched<Bringing: Future<Output = Result<(), String>>>(
        &self,
        part: &Path,
        path: &Path,
        account: Option<&Account>,
        bring: impl FnOnce(PathBuf) -> Bringing,
    ) -> Result<(), String> {
        let unusable = |error: io::Error| format!("the cache {} cannot be used: {error}", self.folder.display());
        match fs::remove_dir_all(part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(error)),
            _ => fs::DirBuilder::new().mode(0o700).create(part).map_err(unusable)?,
        }
        super::give(part, account).map_err(unusable)?;
        let brought = bring(part.join("file")).await;
        let taken = brought.and_then(|()| {
            let is_file = fs::symlink_metadata(part.join("file")).is_ok_and(|there| there.is_file());
            if is_file {
                fs::rename(part.join("file"), path).map_err(unusable)
            } else {
                Err("it is no file".to_owned())
            }
        });
        fs::remove_dir_all(part).map_err(unusable)?;
        taken
    }

    /// Removes what was not used for the longest time, until no more is left than there may be.
    fn make_room(&self, newest: &str) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let (name, about) = (entry.file_name().to_string_lossy().into_owned(), entry.metadata()?);
            if about.is_file() {
                files.push((about.modified()?, name, about.len()));
            }
        }
        files.sort();
        let mut used: u64 = files.iter().map(|(_, _, length)| length).sum();
        for (_, name, length) in files.iter().filter(|(_, name, _)| name != newest) {
            if used <= self.most {
                break;
            }
            // Somebody reads it.
            let Ok(_held) = self.lock(name).try_lock_owned() else { continue };
            fs::remove_file(self.folder.join(name))?;
            used -= length;
        }
        Ok(())
    }

    /// A panic while the map is held leaves nothing half done.
    fn lock(&self, name: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        Arc::clone(locks.entry(name.to_owned()).or_default())
    }
}

/// What one user may read, another may not.
fn name(uri: &str, account: Option<&Account>) -> String {
    let who = account.map(|account| account.uid.to_string()).unwrap_or_default();
    Sha256::digest(format!("{who} {uri}")).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn now() -> SystemTime {
    use orch_core::clock::{Clock as _, SystemClock};
    SystemClock.now().into()
}
