//! [`Folder`]: an open folder. Whatever is done in it is done by one name, and follows no link: those who write into a
//! volume can replace anything in there at any moment.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{self, Read as _};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2, readlinkat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, mkdirat};
use nix::unistd::{Gid, UnlinkatFlags, fchown, symlinkat, unlinkat};

/// An open folder.
#[derive(Debug)]
pub(super) struct Folder(OwnedFd);

/// Tells a file from any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    #[allow(clippy::useless_conversion, reason = "the width of both numbers depends on the architecture")]
    pub(super) fn of(stat: &FileStat) -> Self {
        Self { device: stat.st_dev.into(), inode: stat.st_ino.into() }
    }
}

/// Where a path may lead: down, through folders only.
const DOWN: ResolveFlag = ResolveFlag::RESOLVE_BENEATH.union(ResolveFlag::RESOLVE_NO_SYMLINKS);

const FOLDER: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

impl Folder {
    /// Opens a folder of the node's own. Links in the path are followed.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(nix::fcntl::open(path, FOLDER, Mode::empty())?))
    }

    /// A folder that was found.
    pub(super) fn of(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// A folder in this one, also one that something else is mounted on.
    pub(super) fn folder(&self, name: &OsStr) -> io::Result<Self> {
        Ok(Self(self.open_at(name, FOLDER, DOWN)?))
    }

    /// A folder in this one, unless something is mounted on it.
    pub(super) fn folder_of_same_mount(&self, name: &OsStr) -> io::Result<Self> {
        Ok(Self(self.open_at(name, FOLDER, DOWN | ResolveFlag::RESOLVE_NO_XDEV)?))
    }

    /// The folder that this one is in, wherever it was moved to.
    pub(super) fn parent(&self) -> io::Result<Self> {
        Ok(Self(self.open_at(OsStr::new(".."), FOLDER, ResolveFlag::RESOLVE_NO_SYMLINKS)?))
    }

    /// What a path leads to, by links as well, as long as they stay below this folder. It is not opened for reading.
    pub(super) fn beneath(&self, path: &Path) -> io::Result<OwnedFd> {
        let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        // The kernel says so when anything was renamed meanwhile, by anybody.
        for _ in 0..64 {
            match self.open_at(path.as_os_str(), OFlag::O_PATH | OFlag::O_CLOEXEC, resolve) {
                Err(error) if error.raw_os_error() == Some(Errno::EAGAIN as i32) => {}
                result => return result,
            }
        }
        Err(Errno::EAGAIN.into())
    }

    /// A file in this folder, to be read.
    pub(super) fn file(&self, name: &OsStr) -> io::Result<File> {
        // A pipe that nobody writes into must not hold anybody up.
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        Ok(self.open_at(name, flags, DOWN)?.into())
    }

    /// The content of a file in this folder; of one that is longer than `most` bytes, the beginning.
    pub(super) fn read(&self, name: &OsStr, most: u64) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        self.file(name)?.take(most).read_to_end(&mut content)?;
        Ok(content)
    }

    /// Makes a file that is not there yet.
    pub(super) fn create(&self, name: &OsStr, mode: u32) -> io::Result<File> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let how = OpenHow::new().flags(flags).mode(Mode::from_bits_truncate(mode)).resolve(DOWN);
        Ok(openat2(&self.0, name, how)?.into())
    }

    fn open_at(&self, path: &OsStr, flags: OFlag, resolve: ResolveFlag) -> io::Result<OwnedFd> {
        Ok(openat2(&self.0, path, OpenHow::new().flags(flags).resolve(resolve))?)
    }

    /// Makes a folder that is not there yet.
    pub(super) fn make_folder(&self, name: &OsStr, mode: u32) -> io::Result<()> {
        Ok(mkdirat(&self.0, name, Mode::from_bits_truncate(mode))?)
    }

    /// Makes a folder for the owner only, if it is not there yet, and opens it.
    pub(super) fn own_folder(&self, name: &OsStr) -> io::Result<Self> {
        match self.make_folder(name, 0o700) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => self.folder(name),
        }
    }

    /// Makes a link that is not there yet.
    pub(super) fn make_link(&self, name: &OsStr, target: &OsStr) -> io::Result<()> {
        Ok(symlinkat(target, &self.0, name)?)
    }

    /// Where a link points to; `None` if there is none, or something else.
    pub(super) fn link(&self, name: &OsStr) -> io::Result<Option<OsString>> {
        match readlinkat(&self.0, name) {
            Ok(target) => Ok(Some(target)),
            Err(Errno::EINVAL | Errno::ENOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Renames something, over what is there if that is possible.
    pub(super) fn rename(&self, from: &OsStr, into: &Self, to: &OsStr) -> io::Result<()> {
        Ok(renameat(&self.0, from, &into.0, to)?)
    }

    /// Removes what is not a folder. What is not there is removed.
    pub(super) fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        gone(unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir))
    }

    /// Removes an empty folder. What is not there is removed.
    pub(super) fn remove_folder(&self, name: &OsStr) -> io::Result<()> {
        gone(unlinkat(&self.0, name, UnlinkatFlags::RemoveDir))
    }

    /// What is told of something in this folder; `None` if it is not there.
    pub(super) fn entry(&self, name: &OsStr) -> io::Result<Option<FileStat>> {
        match fstatat(&self.0, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::ENOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What is told of this folder.
    pub(super) fn stat(&self) -> io::Result<FileStat> {
        Ok(fstat(&self.0)?)
    }

    /// The names of what is in it; so many at most, as a container can make more than memory holds.
    pub(super) fn names(&self, most: usize) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        self.each(|name| {
            names.push(name.to_owned());
            Ok(names.len() < most)
        })?;
        Ok(names)
    }

    /// Shows each name of what is in it, until `go_on` says no.
    pub(super) fn each(&self, mut go_on: impl FnMut(&OsStr) -> io::Result<bool>) -> io::Result<()> {
        let again = self.open_at(OsStr::new("."), FOLDER, DOWN)?;
        for entry in Dir::from_fd(again)?.iter() {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." && !go_on(name)? {
                break;
            }
        }
        Ok(())
    }

    /// Gives it a mode, whatever the process's umask, and a group.
    pub(super) fn hand_over(&self, mode: u32, group: Option<u32>) -> io::Result<()> {
        hand_over(&self.0, mode, group)
    }

    /// Makes a folder in this one accessible to its owner, who took his own rights away.
    pub(super) fn open_up(&self, name: &OsStr) -> io::Result<()> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let fd = self.open_at(name, flags, DOWN | ResolveFlag::RESOLVE_NO_XDEV)?;
        std::fs::set_permissions(path_of(&fd), Permissions::from_mode(0o700))
    }
}

impl From<Folder> for OwnedFd {
    fn from(folder: Folder) -> Self {
        folder.0
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Gives a file a group, and then a mode: that order, since a change of the group takes bits away.
pub(super) fn hand_over(file: impl AsFd, mode: u32, group: Option<u32>) -> io::Result<()> {
    if let Some(group) = group {
        fchown(&file, None, Some(Gid::from_raw(group)))?;
    }
    Ok(fchmod(&file, Mode::from_bits_truncate(mode))?)
}

/// A path that leads to an open file, whatever it is called now.
pub(super) fn path_of(fd: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", fd.as_raw_fd()).into()
}

pub(super) fn is_folder(stat: &FileStat) -> bool {
    kind(stat) == SFlag::S_IFDIR
}

/// What kind of file it is.
pub(super) fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

fn gone(result: nix::Result<()>) -> io::Result<()> {
    match result {
        Err(Errno::ENOENT) => Ok(()),
        result => Ok(result?),
    }
}
