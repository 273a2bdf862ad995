//! What is on disk, and where:
//!
//! ```text
//! ROOT/pods/UID/NAME/              a volume; nobody but the agent can look into these folders
//!     record.json                  what kind of volume it is, its limit: written first, deleted last
//!     content/                     what containers see; a tmpfs if it is to be in memory
//!     content/..version-N/         of a volume of files: the files
//!     content/..data               a link to the version that is valid
//!     content/FILE                 a link to ..data/FILE
//!     parts/KEY                    a part of the volume that a container sees, mounted here
//! ```

use std::ffi::OsStr;
use std::io::{self, Write as _};

use serde::{Deserialize, Serialize};

use super::folder::Folder;

const RECORD: &str = "record.json";
const NEW: &str = "record.new";
/// No record that was written here comes near it.
const LARGEST: u64 = 4096;

/// `record.json`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) kind: Kind,
    pub(super) limit_bytes: Option<u64>,
}

/// What kind of volume it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// A folder that containers write into, on the disk.
    Disk,
    /// The same in memory.
    Memory,
    /// Files.
    Files,
}

/// Writes the record of a volume, in full or not at all.
pub(super) fn write(volume: &Folder, record: Record) -> io::Result<()> {
    volume.remove_file(OsStr::new(NEW))?;
    volume.create(OsStr::new(NEW), 0o600)?.write_all(&serde_json::to_vec(&record)?)?;
    volume.rename(OsStr::new(NEW), volume, OsStr::new(RECORD))
}

/// Reads the record of a volume. One that is damaged, as a loss of power may leave it, is written anew by whoever makes
/// the volume.
pub(super) fn read(volume: &Folder) -> io::Result<Option<Record>> {
    match volume.read(OsStr::new(RECORD), LARGEST) {
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
