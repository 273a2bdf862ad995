//! [`EmbeddedStoreError`].

use std::io;
use std::path::{Path, PathBuf};

/// Why a store in files could not be opened, copied or restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedStoreError {
    /// Another store, of this process or another one, has the folder open.
    #[error(
        "{} is in use by {}: close that store, or choose another folder",
        folder.display(),
        if holder.is_empty() { "another process".to_owned() } else { format!("process {holder}") }
    )]
    Locked {
        /// The folder.
        folder: PathBuf,
        /// The process that holds it, if it is known.
        holder: String,
    },
    /// What a file holds is not what was written to it.
    #[error(
        "{} is damaged at byte {offset}: {problem}; nothing of it is served: restore a backup into another folder, \
         and check the disk",
        file.display()
    )]
    Damaged {
        /// Which file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        problem: String,
    },
    /// A file is missing that must have been there.
    #[error("{} is missing: bring it back, or restore a backup into another folder", file.display())]
    Missing {
        /// Which file.
        file: PathBuf,
    },
    /// A newer version of this program wrote the file.
    #[error(
        "{} has format version {found}, this program reads versions up to {supported}: use the newer program",
        file.display()
    )]
    NewerVersion {
        /// Which file.
        file: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version that this program reads.
        supported: u32,
    },
    /// A backup or a restored store would take the place of something that is there.
    #[error("{} is there already: choose another place, or remove it", path.display())]
    Occupied {
        /// What is there.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl EmbeddedStoreError {
    pub(super) fn io(action: &'static str, path: impl AsRef<Path>, source: io::Error) -> Self {
        Self::Io { action, path: path.as_ref().to_owned(), source }
    }
}
