//! A file or folder of the node, checked to be what the pod expects.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{SFlag, fstat, lstat};
use orch_core::runtime::{HostPathType, VolumeError};

use super::folder::{Identity, kind, path_of};
use super::trouble::unavailable;
use crate::volumes::checked::{HostPath, refused};

/// The real path of what is there. Links of the node are followed, as they are the node's own: what is returned is free
/// of them, and is what was checked.
pub(super) fn make(path: &HostPath, expects: HostPathType) -> Result<PathBuf, VolumeError> {
    let path = path.0.as_path();
    let file = match open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(path, expects)?;
            open(path)
        }
        result => result,
    };
    let file = file.map_err(|error| explained(path, expects, error))?;
    let stat = fstat(&file).map_err(|error| unavailable("cannot look at", path, error.into()))?;
    if let Some(wanted) = wanted(expects).filter(|wanted| *wanted != kind(&stat)) {
        let (wanted, found) = (word(wanted), word(kind(&stat)));
        return Err(refused(format!("host path {} is {found}, and {wanted} is expected", path.display())));
    }
    let real = std::fs::read_link(path_of(&file)).map_err(|error| unavailable("cannot look at", path, error))?;
    match lstat(&real) {
        Ok(again) if Identity::of(&again) == Identity::of(&stat) => Ok(real),
        _ => {
            let message = format!("host path {} was replaced while it was looked at", path.display());
            Err(VolumeError::Unavailable { message, transient: true, source: None })
        }
    }
}

/// Opens something without reading it, which may have effects on a device, or wait on a pipe.
fn open(path: &Path) -> io::Result<OwnedFd> {
    OpenOptions::new().read(true).custom_flags(OFlag::O_PATH.bits()).open(path).map(Into::into)
}

/// Makes what is missing, if it is to be made. A link that leads nowhere is not followed.
fn create(path: &Path, expects: HostPathType) -> Result<(), VolumeError> {
    let created = match expects {
        HostPathType::DirectoryOrCreate => DirBuilder::new().recursive(true).mode(0o755).create(path),
        HostPathType::FileOrCreate => {
            let mut options = File::options();
            options.write(true).create_new(true).mode(0o644).open(path).map(|_| ())
        }
        _ => Err(Errno::ENOENT.into()),
    };
    created.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            refused(format!("host path {} is a link that leads nowhere: remove or mend it", path.display()))
        }
        _ => explained(path, expects, error),
    })
}

/// Why there is nothing to be had at a path.
fn explained(path: &Path, expects: HostPathType, error: io::Error) -> VolumeError {
    match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
        Errno::ENOENT => {
            let wanted = wanted(expects).map_or("something", word);
            let what = match (path.ancestors().skip(1).find(|above| above.exists()), std::fs::read_link(path)) {
                (_, Ok(target)) => format!("there is a link to {}, where nothing is", target.display()),
                (Some(above), _) => format!("there is nothing: the path ends at {}", above.display()),
                (None, _) => "there is nothing".to_owned(),
            };
            refused(format!("host path {}: {wanted} is expected, and {what}; make it on the node", path.display()))
        }
        Errno::ENOTDIR => refused(format!("host path {} leads through what is not a folder", path.display())),
        Errno::ELOOP => refused(format!("host path {} leads through links in a circle", path.display())),
        Errno::ENAMETOOLONG => refused(format!("host path {} is too long", path.display())),
        _ => unavailable("cannot use the host path", path, error),
    }
}

fn wanted(expects: HostPathType) -> Option<SFlag> {
    match expects {
        HostPathType::Directory | HostPathType::DirectoryOrCreate => Some(SFlag::S_IFDIR),
        HostPathType::File | HostPathType::FileOrCreate => Some(SFlag::S_IFREG),
        HostPathType::Socket => Some(SFlag::S_IFSOCK),
        HostPathType::CharDevice => Some(SFlag::S_IFCHR),
        HostPathType::BlockDevice => Some(SFlag::S_IFBLK),
        _ => None,
    }
}

fn word(kind: SFlag) -> &'static str {
    match kind {
        SFlag::S_IFDIR => "a folder",
        SFlag::S_IFREG => "a file",
        SFlag::S_IFSOCK => "a socket",
        SFlag::S_IFCHR => "a character device",
        SFlag::S_IFBLK => "a block device",
        SFlag::S_IFIFO => "a pipe",
        _ => "something else",
    }
}
