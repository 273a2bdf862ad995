//! [`Output`]: from the container's standard output and error to its log.

use std::io::{self, PipeWriter, Read};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use orch_core::clock::SystemClock;

use super::super::record::AttemptFolder;
use crate::log_file::{LogWriter, Origin, copy};

/// How long output may still come when everything of the container has ended: someone else holds its pipe then.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A thread that copies.
pub(super) struct Output(Receiver<()>);

impl Output {
    /// Begins to copy what is written into the pipe that is returned. It is one for standard output and error: their order
    /// could not be told from two. Of what is written at least the last `log_bytes` are kept.
    pub(super) fn start(folder: &AttemptFolder, log_bytes: u64) -> io::Result<(Self, PipeWriter)> {
        let (reader, pipe) = io::pipe()?;
        Ok((Self::copy(folder, log_bytes, reader)?, pipe))
    }

    /// Begins to copy what is read.
    pub(super) fn copy(folder: &AttemptFolder, log_bytes: u64, reader: impl Read + Send + 'static) -> io::Result<Self> {
        let log = Mutex::new(LogWriter::open(&folder.0, log_bytes)?);
        let (done, finished) = mpsc::channel();
        thread::spawn(move || {
            copy(reader, Origin::Stdout, &log, &SystemClock);
            // Nobody listens any more when the output came too late.
            let _ = done.send(());
        });
        Ok(Self(finished))
    }

    /// Waits until everything is copied.
    pub(super) fn finish(self) {
        // An error means that the thread took too long or is gone: there is nothing left to wait for.
        let _ = self.0.recv_timeout(LAST_WORDS);
    }
}
