//! [`Output`]: from the container's standard output and error to files of a limited size.

use std::fs::{self, File};
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use super::super::logs::segment;
use super::super::record::AttemptFolder;

/// How long output may still come when everything of the container has ended: someone else holds its pipe then.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A thread that copies.
pub(super) struct Output(Receiver<()>);

impl Output {
    /// Begins to copy what is written into the pipe that is returned. Of what is written at least the last
    /// `log_bytes` are kept.
    pub(super) fn start(folder: &AttemptFolder, log_bytes: u64) -> io::Result<(Self, PipeWriter)> {
        let (reader, writer) = io::pipe()?;
        let mut segments = Segments { folder: folder.clone(), log_bytes, number: 0, written: 0, file: None };
        segments.next()?;
        let (done, finished) = mpsc::channel();
        thread::spawn(move || {
            copy(reader, segments);
            // Nobody listens any more when the output came too late.
            let _ = done.send(());
        });
        Ok((Self(finished), writer))
    }

    /// Waits until everything is copied.
    pub(super) fn finish(self) {
        // An error means that the thread took too long or is gone: there is nothing left to wait for.
        let _ = self.0.recv_timeout(LAST_WORDS);
    }
}

/// Reads to the end, also when nothing can be written: a full disk must not stop the container.
fn copy(mut reader: PipeReader, mut segments: Segments) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => {
                if let Err(error) = segments.write(&buffer[..length]) {
                    eprintln!("shim: output is lost: {error}");
                    segments.file = None;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Files `log.0`, `log.1`, …, of which the last two are kept.
struct Segments {
    folder: AttemptFolder,
    log_bytes: u64,
    number: u64,
    written: u64,
    file: Option<File>,
}

impl Segments {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.written >= self.log_bytes {
            self.number += 1;
            self.file = None;
        }
        if self.file.is_none() {
            self.next()?;
        }
        self.written += bytes.len() as u64;
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }

    /// Opens the segment of which it is the turn, and deletes the last but one before it.
    fn next(&mut self) -> io::Result<()> {
        let file = File::options().create(true).append(true).open(segment(&self.folder, self.number))?;
        self.written = file.metadata()?.len();
        self.file = Some(file);
        match self.number.checked_sub(2).map(|old| fs::remove_file(segment(&self.folder, old))) {
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
