//! [`Cache`]: what was fetched before, so that it need not be fetched again.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use tokio::sync::OwnedMutexGuard;

use super::super::containers::Account;
use super::super::folder::{Folder, open_file};

/// What was fetched before, for each user by itself. A folder that only the agent can read.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    /// The most bytes that are kept.
    most: u64,
    /// Held by those who fetch or read a file.
    locks: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// What a file is called while it is fetched.
pub(super) const FILE: &str = "file";

/// A file of the cache, which stays while this is held.
#[derive(Debug)]
pub(super) struct Kept {
    file: fs::File,
    _held: OwnedMutexGuard<()>,
}

impl Kept {
    pub(super) fn copy_to(&mut self, file: &mut fs::File) -> io::Result<()> {
        io::copy(&mut self.file, file).map(drop)
    }
}

impl Cache {
    pub(super) fn new(folder: PathBuf, most: u64) -> Self {
        Self { folder, most, locks: Mutex::default() }
    }

    /// The file for a URI, which `bring` brings into a folder if it is not there.
    pub(super) async fn get(
        &self,
        uri: &str,
        account: Option<&Account>,
        bring: impl AsyncFnOnce(Folder) -> Result<(), String>,
    ) -> Result<Kept, String> {
        let unusable = |error: io::Error| format!("the cache {} cannot be used: {error}", self.folder.display());
        fs::DirBuilder::new().recursive(true).mode(0o711).create(&self.folder).map_err(unusable)?;
        let name = name(uri, account);
        let held = self.lock(&name).lock_owned().await;
        let path = self.folder.join(&name);
        if !path.exists() {
            self.fetch(&name, account, bring).await.map_err(|trouble| match trouble {
                Trouble::Fetch(why) => why,
                Trouble::Disk(error) => unusable(error),
            })?;
            self.make_room(&name).map_err(unusable)?;
        }
        // Its user could put anything there while it was fetched.
        let file = open_file(&path).map_err(unusable)?;
        // What was used lately is removed last.
        file.set_modified(now()).map_err(unusable)?;
        Ok(Kept { file, _held: held })
    }

    /// Fetched into a folder in which its user may write, and taken from there.
    async fn fetch(
        &self,
        name: &str,
        account: Option<&Account>,
        bring: impl AsyncFnOnce(Folder) -> Result<(), String>,
    ) -> Result<(), Trouble> {
        let part = PathBuf::from(format!("{name}.part"));
        let folder = self.folder.join(&part);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => fs::DirBuilder::new().mode(0o700).create(&folder)?,
        }
        Folder::open(&self.folder)?.give(&part, account)?;
        let brought = bring(Folder::open(&folder)?).await;
        let taken = match brought {
            Ok(()) => fs::rename(folder.join(FILE), self.folder.join(name)).map_err(Trouble::from),
            Err(why) => Err(Trouble::Fetch(why)),
        };
        fs::remove_dir_all(&folder)?;
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

/// Why a file is not in the cache.
enum Trouble {
    Fetch(String),
    Disk(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
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
