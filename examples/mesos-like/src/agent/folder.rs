//! [`Folder`]: a folder that is worked in by a handle, so that no link can be put in the way.

use std::fs::{self, File};
use std::io;
use std::marker::PhantomData;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{OpenOptionsExt as _, fchown, lchown};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::Uid;

use super::containers::Account;

/// A folder that is worked in by a handle: whoever may write above or within can put another folder or a link in its
/// place, and what is done here is done in this one all the same.
#[derive(Debug)]
pub(super) struct Folder {
    handle: File,
    path: PathBuf,
}

impl Folder {
    /// A folder that is there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        Ok(Self { handle: open(&path)?, path })
    }

    /// A folder below, made for a user as far as it is not there. What is there may be no link.
    pub(super) fn within(&self, inner: &Path, account: Option<&Account>) -> io::Result<Self> {
        let mut folder = Self { handle: self.handle.try_clone()?, path: self.path.clone() };
        for part in inner.components() {
            let place = folder.own(part.as_os_str());
            let is_new = match fs::create_dir(&place) {
                Ok(()) => true,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
                Err(error) => return Err(error),
            };
            let path = folder.path.join(part);
            let opened = open(&place).map_err(|error| {
                io::Error::other(format!("{} is no folder, or a link is in its place: {error}", path.display()))
            });
            folder = Self { handle: opened?, path };
            if let Some(account) = account.filter(|_| is_new && Uid::effective().is_root()) {
                fchown(&folder.handle, Some(account.uid), Some(account.gid))?;
            }
        }
        Ok(folder)
    }

    /// The path of something directly within. What is opened there must not follow links.
    pub(super) fn own(&self, name: impl AsRef<Path>) -> Place<'_> {
        let path = PathBuf::from(format!("/proc/self/fd/{}", self.handle.as_raw_fd())).join(name);
        Place { path, _folder: PhantomData }
    }

    /// The path that it had when it was opened.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives something within to a user, if it is to run as another one.
    pub(super) fn give(&self, name: &Path, account: Option<&Account>) -> io::Result<()> {
        match account.filter(|_| Uid::effective().is_root()) {
            Some(account) => lchown(self.own(name), Some(account.uid), Some(account.gid)),
            None => Ok(()),
        }
    }
}

/// The path of something within a folder, for this process and as long as the folder is held.
#[derive(Debug)]
pub(super) struct Place<'a> {
    path: PathBuf,
    _folder: PhantomData<&'a Folder>,
}

impl AsRef<Path> for Place<'_> {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

/// Opens a plain file for reading. A link is none.
pub(super) fn open_file(path: impl AsRef<Path>) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = File::options().read(true).custom_flags(flags.bits()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no plain file")) }
}

fn open(path: impl AsRef<Path>) -> io::Result<File> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    File::options().read(true).custom_flags(flags.bits()).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::agent::scratch::Scratch;

    #[test]
    fn no_link_is_followed_and_what_is_moved_away_is_still_the_same() {
        let scratch = Scratch::new();
        let root = Folder::open(scratch.path()).expect("it is there");
        let inner = root.within(Path::new("a/b"), None).expect("it is made");
        fs::rename(scratch.path().join("a"), scratch.path().join("moved")).expect("it is moved");
        fs::create_dir_all(scratch.path().join("victim/b")).expect("a folder");
        symlink("victim", scratch.path().join("a")).expect("a link in its place");
        fs::write(inner.own("file"), "x").expect("a file");
        assert!(scratch.path().join("moved/b/file").exists() && !scratch.path().join("victim/b/file").exists());
        let error = root.within(Path::new("a/b"), None).expect_err("a link");
        assert!(error.to_string().contains("a link is in its place"), "{error}");
        symlink("moved/b/file", scratch.path().join("link")).expect("a link");
        assert!(open_file(scratch.path().join("link")).is_err());
        assert!(open_file(scratch.path().join("moved/b/file")).is_ok());
    }
}
