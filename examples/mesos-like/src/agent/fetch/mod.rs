//! [`Fetcher`]: brings what commands need into their sandboxes.

mod archive;
mod cache;
mod download;
mod source;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::Uid;
use tokio::process::Command;

use self::cache::Cache;
use self::download::Downloads;
use self::source::{Source, Wanted};
use super::containers::Account;
use super::folder::{Folder, open_file};
use crate::wire::Uri;

/// Brings what commands need into their sandboxes, as the user that the command runs as.
#[derive(Debug)]
pub(in crate::agent) struct Fetcher {
    cache: Cache,
    downloads: Downloads,
    /// Where relative paths begin.
    home: Option<PathBuf>,
}

/// Something that a command needs is not to be had.
#[derive(Debug, thiserror::Error)]
#[error("Failed to fetch all URIs for the container: '{uri}': {why}")]
pub(in crate::agent) struct FetchError {
    uri: String,
    why: String,
}

impl Fetcher {
    /// With a folder for what is to be kept, of which there are at most so many bytes.
    pub(in crate::agent) fn new(cache: PathBuf, cache_bytes: u64, home: Option<PathBuf>) -> Self {
        Self { cache: Cache::new(cache, cache_bytes), downloads: Downloads::default(), home }
    }

    /// Fetches all of these, one after the other, into a sandbox that is there.
    pub(in crate::agent) async fn fetch(
        &self,
        uris: &[Uri],
        sandbox: &Path,
        account: Option<&Account>,
    ) -> Result<(), FetchError> {
        for uri in uris {
            let fetched = self.fetch_one(uri, sandbox, account).await;
            fetched.map_err(|why| FetchError { uri: uri.value.clone(), why })?;
        }
        Ok(())
    }

    async fn fetch_one(&self, uri: &Uri, sandbox: &Path, account: Option<&Account>) -> Result<(), String> {
        let wanted = source::wanted(uri, self.home.as_deref())?;
        let (folder, name) = place(sandbox, &wanted, account).map_err(|error| error.to_string())?;
        if uri.cache() {
            let kept = self.cache.get(&uri.value, account, async |part| {
                self.bring(&wanted.source, &part, Path::new(cache::FILE), account).await
            });
            let mut kept = kept.await?;
            let copied = fs::File::create_new(folder.own(&name)).and_then(|mut file| kept.copy_to(&mut file));
            let copied = copied.and_then(|()| folder.give(&name, account));
            copied.map_err(|error| format!("it cannot be copied from the cache: {error}"))?;
        } else {
            self.bring(&wanted.source, &folder, &name, account).await?;
        }
        if uri.executable() {
            let mode = fs::Permissions::from_mode(0o755);
            let made = open_file(folder.own(&name)).and_then(|file| file.set_permissions(mode));
            return made.map_err(|error| format!("it cannot be made executable: {error}"));
        }
        if uri.extract() { archive::extract(folder.path(), &name, account).await } else { Ok(()) }
    }

    /// Brings it to a place where there is nothing.
    async fn bring(
        &self,
        source: &Source,
        folder: &Folder,
        name: &Path,
        account: Option<&Account>,
    ) -> Result<(), String> {
        match source {
            Source::Http(address) => {
                self.downloads.download(address, folder.own(name).as_ref()).await?;
                folder.give(name, account).map_err(|error| error.to_string())
            }
            // As the user, who is not to get by this what it cannot read by itself.
            Source::File(path) => {
                if !fs::metadata(path).is_ok_and(|there| there.is_file()) {
                    return Err(format!("No such file, or no plain file: {}", path.display()));
                }
                let mut copy = Command::new("cp");
                copy.arg("--").arg(path).arg(folder.path().join(name));
                run(copy, account).await
            }
        }
    }
}

/// Where it is to be in the sandbox; what is there is removed.
fn place(sandbox: &Path, wanted: &Wanted, account: Option<&Account>) -> io::Result<(Folder, PathBuf)> {
    let folder = Folder::open(sandbox)?.within(wanted.name.parent().unwrap_or(Path::new("")), account)?;
    let name = PathBuf::from(wanted.name.file_name().unwrap_or_default());
    match fs::remove_file(folder.own(&name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok((folder, name)),
    }
}

/// Runs a program as a user, to its end.
async fn run(mut command: Command, account: Option<&Account>) -> Result<(), String> {
    if let Some(account) = account.filter(|_| Uid::effective().is_root()) {
        command.uid(account.uid).gid(account.gid);
    }
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    let output = command.env("LC_ALL", "C").stdin(std::process::Stdio::null()).kill_on_drop(true).output().await;
    let output = output.map_err(|error| format!("the program '{name}' cannot be run: {error}: install it"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.trim().chars().take(1000).collect())
}

#[cfg(test)]
mod tests;
