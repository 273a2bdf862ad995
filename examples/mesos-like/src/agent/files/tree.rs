//! [`Files`]: the files of sandboxes and logs that others may look at.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use nix::fcntl::OFlag;
use nix::unistd::{Gid, Group, Uid, User};

/// The most that is read at once: sixteen pages, as Mesos has it.
pub(super) const MOST: u64 = 16 * 4096;

/// The files of sandboxes and logs that others may look at: folders and files of the machine under paths that they are
/// known by. Nothing else can be seen, whatever links are in there.
#[derive(Debug, Default)]
pub struct Files {
    /// By the paths that they are known by.
    attached: RwLock<BTreeMap<PathBuf, PathBuf>>,
}

/// A file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// The path that it is known by.
    pub path: String,
    /// How often it is there.
    pub nlink: u64,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, in seconds since 1970.
    pub mtime: i64,
    /// What it is, and who may do what with it, as `stat` has it.
    pub mode: u32,
    /// Whose it is.
    pub uid: String,
    /// Of which group it is.
    pub gid: String,
}

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// How large the file is.
    pub size: u64,
    /// Where the part begins.
    pub offset: u64,
    /// What is in it.
    pub data: Vec<u8>,
}

/// Why something cannot be looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// There is nothing, or nothing that may be looked at.
    #[error("'{0}' is not there, or is not to be looked at")]
    NotFound(String),
    /// It is something else.
    #[error("'{path}' is {what}")]
    Unfit {
        /// What was asked for.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// The disk does not give it.
    #[error("'{path}' cannot be read: {source}")]
    Unreadable {
        /// What was asked for.
        path: String,
        /// What the operating system says.
        source: io::Error,
    },
}

impl Files {
    /// Lets others look at a file or folder of the machine, and all below it, under a path.
    pub fn attach(&self, path: impl Into<PathBuf>, real: impl Into<PathBuf>) {
        let mut attached = self.attached.write().unwrap_or_else(PoisonError::into_inner);
        attached.insert(path.into(), real.into());
    }

    /// No longer lets others look at what is attached under a path.
    pub fn detach(&self, path: &Path) {
        self.attached.write().unwrap_or_else(PoisonError::into_inner).remove(path);
    }

    /// What is attached, and where it is.
    #[must_use]
    pub fn attached(&self) -> BTreeMap<PathBuf, PathBuf> {
        self.attached.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is in a folder, by its path; of a file, the file itself.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn list(&self, path: &str) -> Result<Vec<FileInfo>, FilesError> {
        let unreadable = |source| FilesError::Unreadable { path: path.to_owned(), source };
        let (file, about) = self.open(path)?;
        if !about.is_dir() {
            return Ok(vec![info(path.to_owned(), &about)]);
        }
        let mut infos = Vec::new();
        // By what was opened, whatever has taken its place.
        for entry in fs::read_dir(own_path(&file)).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let path = format!("{}/{}", path.trim_end_matches('/'), entry.file_name().to_string_lossy());
            // It may have gone meanwhile.
            let Ok(mut about) = fs::symlink_metadata(entry.path()) else { continue };
            if about.is_symlink() {
                about = self.open(&path).map_or(about, |(_, inner)| inner);
            }
            infos.push(info(path, &about));
        }
        infos.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(infos)
    }

    /// A part of a file: at most so many bytes from an offset; without an offset, nothing but how large it is.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn read(&self, path: &str, offset: Option<u64>, length: Option<u64>) -> Result<Part, FilesError> {
        let unreadable = |source| FilesError::Unreadable { path: path.to_owned(), source };
        let (file, size) = self.file(path)?;
        let Some(offset) = offset.filter(|offset| *offset < size) else {
            return Ok(Part { size, offset: size, data: Vec::new() });
        };
        let length = length.unwrap_or(MOST).min(MOST).min(size - offset);
        let mut data = vec![0; usize::try_from(length).unwrap_or_default()];
        let mut filled = 0;
        while let Some(rest) = data.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset + filled as u64).map_err(unreadable)? {
                // It is shorter by now.
                0 => break,
                count => filled += count,
            }
        }
        data.truncate(filled);
        Ok(Part { size, offset, data })
    }

    /// A file, open for reading, and how large it is.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn file(&self, path: &str) -> Result<(File, u64), FilesError> {
        let unfit = |what| FilesError::Unfit { path: path.to_owned(), what };
        let (file, about) = self.open(path)?;
        match about.file_type() {
            kind if kind.is_dir() => Err(unfit("a directory")),
            kind if !kind.is_file() => Err(unfit("no plain file")),
            _ => Ok((file, about.len())),
        }
    }

    /// Opens what a path stands for, if it is within what is attached.
    fn open(&self, path: &str) -> Result<(File, Metadata), FilesError> {
        let not_found = || FilesError::NotFound(path.to_owned());
        let attached = self.attached();
        let (root, real) = resolve(&attached, Path::new(path)).ok_or_else(not_found)?;
        let real = real.canonicalize().map_err(|_| not_found())?;
        let within = |path: &Path, root: &Path| root.canonicalize().is_ok_and(|root| path.starts_with(root));
        // There may be many: the nearest is looked at first.
        let is_within = |path: &Path| within(path, &root) || attached.values().any(|root| within(path, root));
        if !is_within(&real) {
            return Err(not_found());
        }
        // It waits for no other end of a pipe.
        let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let opened = File::options().read(true).custom_flags(flags.bits()).open(&real);
        let unreadable = |source| FilesError::Unreadable { path: path.to_owned(), source };
        let file = opened.map_err(unreadable)?;
        // A link may have been put in its way after it was looked at: what counts is what was opened.
        let opened = fs::read_link(own_path(&file)).map_err(unreadable)?;
        if !is_within(&opened) {
            return Err(not_found());
        }
        let about = file.metadata().map_err(unreadable)?;
        Ok((file, about))
    }
}

/// What is attached there, and where the path is on the machine as far as names tell.
fn resolve(attached: &BTreeMap<PathBuf, PathBuf>, path: &Path) -> Option<(PathBuf, PathBuf)> {
    let plain =
        path.components().all(|part| matches!(part, Component::Normal(_) | Component::RootDir | Component::CurDir));
    if !plain || path.as_os_str().is_empty() {
        return None;
    }
    let attached_at = |path: &Path| attached.get(path).map(|real| (path.to_owned(), real.clone()));
    let (at, real) = path.ancestors().find_map(attached_at)?;
    let inner = path.strip_prefix(at).ok()?;
    let path = if inner.as_os_str().is_empty() { real.clone() } else { real.join(inner) };
    Some((real, path))
}

/// The path of what is open.
fn own_path(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

fn info(path: String, about: &Metadata) -> FileInfo {
    let user = User::from_uid(Uid::from_raw(about.uid())).ok().flatten().map(|user| user.name);
    let group = Group::from_gid(Gid::from_raw(about.gid())).ok().flatten().map(|group| group.name);
    FileInfo {
        path,
        nlink: about.nlink(),
        size: about.len(),
        mtime: about.mtime(),
        mode: about.mode(),
        uid: user.unwrap_or_else(|| about.uid().to_string()),
        gid: group.unwrap_or_else(|| about.gid().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::agent::scratch::Scratch;

    fn tree(scratch: &Scratch) -> Files {
        let root = scratch.path().join("slaves");
        fs::create_dir_all(root.join("S0/runs/uuid")).expect("folders");
        fs::write(root.join("S0/runs/uuid/stdout"), "hello world").expect("a file");
        symlink("uuid", root.join("S0/runs/latest")).expect("a link");
        fs::write(scratch.path().join("secret"), "secret").expect("a file");
        symlink(scratch.path().join("secret"), root.join("S0/runs/uuid/out")).expect("a link");
        symlink("../../../../secret", root.join("S0/runs/uuid/up")).expect("a link");
        let files = Files::default();
        files.attach("/var/slaves", &root);
        files.attach("/agent/log", root.join("S0/runs/uuid/stdout"));
        files
    }

    #[test]
    fn what_is_attached_can_be_listed_and_read_under_its_path() {
        let scratch = Scratch::new();
        let files = tree(&scratch);
        let listed = files.list("/var/slaves/S0/runs").expect("a folder");
        let paths: Vec<&str> = listed.iter().map(|info| info.path.as_str()).collect();
        assert_eq!(paths, ["/var/slaves/S0/runs/latest", "/var/slaves/S0/runs/uuid"]);
        assert_eq!(listed[0].mode & 0o170_000, 0o040_000, "the link is shown as the folder that it leads to");
        let stdout = "/var/slaves/S0/runs/latest/stdout";
        let part = files.read(stdout, Some(6), Some(3)).expect("a part");
        assert_eq!((part.size, part.offset, part.data.as_slice()), (11, 6, b"wor".as_slice()));
        let end = files.read(stdout, None, None).expect("its size");
        assert_eq!((end.offset, end.data.len()), (11, 0));
        assert_eq!(files.read(stdout, Some(100), None).expect("nothing").offset, 11);
        assert_eq!(files.read("/agent/log", Some(0), None).expect("all of it").data, b"hello world");
    }

    #[test]
    fn no_path_and_no_link_leads_to_anything_else() {
        let scratch = Scratch::new();
        let files = tree(&scratch);
        for path in [
            "/var/slaves/S0/runs/uuid/out",
            "/var/slaves/S0/runs/uuid/up",
            "/var/slaves/../secret",
            "/var/slaves/S0/../../secret",
            "/var",
            "/",
            "",
            "/etc/passwd",
            "/var/slavesX",
            "/agent/log/x",
        ] {
            let error = files.read(path, Some(0), None).expect_err(path);
            assert!(matches!(error, FilesError::NotFound(_)), "{path}: {error}");
            assert!(files.list(path).is_err(), "{path}");
        }
        let listed = files.list("/var/slaves/S0/runs/uuid").expect("a folder");
        assert!(listed.iter().any(|info| info.path.ends_with("/out") && info.mode & 0o170_000 == 0o120_000));
        files.detach(Path::new("/var/slaves"));
        assert!(files.list("/var/slaves").is_err());
    }

    #[test]
    fn a_pipe_keeps_nobody_waiting_and_a_folder_is_no_file() {
        let scratch = Scratch::new();
        let files = tree(&scratch);
        let pipe = scratch.path().join("slaves/S0/runs/uuid/pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).expect("a pipe");
        for path in ["/var/slaves/S0/runs/uuid/pipe", "/var/slaves/S0"] {
            let error = files.read(path, Some(0), None).expect_err(path);
            assert!(matches!(error, FilesError::Unfit { .. }), "{path}: {error}");
        }
    }
}
