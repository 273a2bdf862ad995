//! [`LogWriter`]: from a container's output to files of a limited size.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use orch_core::clock::{Clock, Timestamp};

use super::record::{self, LONGEST_CONTENT, Origin};
use super::{file, files};

/// What is read from a pipe at once: all that a pipe holds.
const BATCH: usize = 64 << 10;

/// Lines that are shorter are turned into records so many bytes at a time, so that a file is full to the point: of an
/// empty line the record is many times as long.
const PIECE: usize = 1 << 10;

/// How much of the end of a file is looked through at once for the end of a record.
const STEP: u64 = 64 << 10;

/// Writes the log of one attempt. One writer at a time may have a folder.
#[derive(Debug)]
pub(crate) struct LogWriter {
    folder: PathBuf,
    limit: u64,
    number: u64,
    /// The length of the file up to its last whole record.
    written: u64,
    file: Option<File>,
    records: Vec<u8>,
}

impl LogWriter {
    /// Goes on with the log in a folder, which may be empty. Of what is written at least the last `limit` bytes are kept,
    /// the times before the lines included, and at most little more than twice as many.
    pub(crate) fn open(folder: &Path, limit: u64) -> io::Result<Self> {
        let number = files(folder)?.last().copied().unwrap_or_default();
        let (folder, limit) = (folder.to_owned(), limit.max(1));
        let mut writer = Self { folder, limit, number, written: 0, file: None, records: Vec::new() };
        writer.file()?;
        Ok(writer)
    }

    /// Writes what came from the container at this time. After an error what was given is lost or written in part; the
    /// next call tries again.
    pub(crate) fn write(&mut self, origin: Origin, time: Timestamp, bytes: &[u8]) -> io::Result<()> {
        let stamp = record::stamp(time);
        let mut records = std::mem::take(&mut self.records);
        let mut rest = bytes;
        let result = loop {
            if rest.is_empty() {
                break self.append(&records);
            }
            let length = piece_length(rest);
            record::append(&mut records, &stamp, origin, &rest[..length]);
            rest = &rest[length..];
            if records.len() >= BATCH * 4 || self.written + records.len() as u64 >= self.limit {
                if let Err(error) = self.append(&records) {
                    break Err(error);
                }
                records.clear();
            }
        };
        records.clear();
        self.records = records;
        result
    }

    /// Appends whole records, and turns to the next file if this one is full.
    fn append(&mut self, records: &[u8]) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file()?.write_all(records) {
            // What is there of them is cut off when the file is opened again.
            self.file = None;
            return Err(error);
        }
        self.written += records.len() as u64;
        if self.written >= self.limit {
            self.number += 1;
            self.file = None;
            self.file()?;
        }
        Ok(())
    }

    /// The file of which it is the turn. When it is opened, what is torn of its end is cut off, and the last but one
    /// before it is deleted.
    fn file(&mut self) -> io::Result<&mut File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let path = file(&self.folder, self.number);
                let file = File::options().create(true).read(true).append(true).open(path)?;
                self.written = end_of_records(&file)?;
                file.set_len(self.written)?;
                for old in files(&self.folder)?.into_iter().filter(|old| old + 1 < self.number) {
                    fs::remove_file(super::file(&self.folder, old))?;
                }
                file
            }
        };
        Ok(self.file.insert(file))
    }
}

/// The length of the first lines, or of the beginning of a long one.
fn piece_length(bytes: &[u8]) -> usize {
    let first = record::line_length(&bytes[..bytes.len().min(LONGEST_CONTENT)]);
    if first >= PIECE || bytes.len() <= PIECE {
        return first.max(bytes.len().min(PIECE));
    }
    bytes[..PIECE].iter().rposition(|byte| *byte == b'\n').map_or(first, |end| end + 1)
}

/// Where the last whole record ends.
fn end_of_records(file: &File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut buffer = vec![0; STEP as usize];
    while end > 0 {
        let start = end.saturating_sub(STEP);
        let step = &mut buffer[..(end - start) as usize];
        file.read_exact_at(step, start)?;
        if let Some(index) = step.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + index as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Copies a pipe to its end, also when nothing can be written: a full disk must not stop the container.
pub(crate) fn copy(mut source: impl Read, origin: Origin, writer: &Mutex<LogWriter>, clock: &dyn Clock) {
    let mut buffer = vec![0; BATCH];
    let mut loses = false;
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => {
                let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
                let result = writer.write(origin, clock.now(), &buffer[..length]);
                if let (Err(error), false) = (&result, loses) {
                    eprintln!("output is lost: {}: {error}", writer.folder.display());
                }
                loses = result.is_err();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
