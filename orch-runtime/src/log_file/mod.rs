//! The log of one attempt, in a folder: files `log.N`, of which the last two are kept.
//!
//! Each file holds records, a line each, as the container runtime interface of Kubernetes has them:
//!
//! ```text
//! 2026-03-01T12:00:00.123456789Z stdout F a whole line, or the end of one
//! 2026-03-01T12:00:00.123456789Z stderr P a part of a line: what follows belongs to it
//! ```
//!
//! So bytes of any kind come out as they went in, and a line of any length is read in pieces. Whoever watches over the
//! container opens a [`LogWriter`] and lets one thread for each pipe [`copy`] into it:
//!
//! ```text
//! let writer = Mutex::new(LogWriter::open(folder, log_bytes)?);
//! thread::scope(|scope| {
//!     scope.spawn(|| copy(stdout, Origin::Stdout, &writer, &SystemClock));
//!     scope.spawn(|| copy(stderr, Origin::Stderr, &writer, &SystemClock));
//! });
//! ```
//!
//! Any other process [`read`]s it meanwhile and later. Writer and readers share nothing but the files: a writer that was
//! killed leaves at most a torn last record, which readers do not show and the next writer cuts off. Nothing is
//! synchronised to the disk: of what a container wrote a loss of power may take the end.

mod reader;
mod record;
mod writer;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

pub(crate) use self::reader::{read, read_from_now};
pub(crate) use self::record::Origin;
pub(crate) use self::writer::{LogWriter, copy};

/// What the log takes, in bytes on the disk.
pub(crate) fn disk_bytes(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for number in files(folder)? {
        match fs::metadata(file(folder, number)) {
            Ok(metadata) => bytes += metadata.blocks() * 512,
            // It was its turn to be deleted.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

fn file(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("log.{number}"))
}

/// The numbers of the files that are there, ascending.
fn files(folder: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let number = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.strip_prefix("log.")?.parse().ok();
    let mut numbers: Vec<u64> = entries.filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
mod tests;
