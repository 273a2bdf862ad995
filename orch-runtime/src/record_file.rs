//! Records on the disk. Each is [written](write) beside its place and renamed, so it is there in full or not at all.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// No record that was written here comes near it.
const LARGEST: u64 = 64 << 20;

/// Whether a record outlives a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It does not: it has no meaning after that.
    Boot,
    /// It does.
    Power,
}

/// Writes a record, for its owner only.
pub(crate) fn write(path: &Path, record: &impl Serialize, durability: Durability) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&beside)?;
    file.write_all(&serde_json::to_vec(record)?)?;
    if durability == Durability::Power {
        file.sync_all()?;
    }
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(folder) if durability == Durability::Power => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

/// Reads a record; `None` if there is none.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result?,
    };
    let mut text = Vec::new();
    file.take(LARGEST).read_to_end(&mut text)?;
    let damaged = |error| io::Error::new(io::ErrorKind::InvalidData, format!("it is damaged, move it away: {error}"));
    serde_json::from_slice(&text).map(Some).map_err(damaged)
}
