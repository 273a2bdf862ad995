//! [`Writer`]: the thread that appends to the log.

use std::io;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;

use orch_core::revision::Revision;

use super::format::frame::HEAD;
use super::log::{Failure, Log};
use super::publisher::Written;
use super::shared::{Mode, Shared};
use super::staging::{Decided, Request, What};

/// The thread that appends to the log. It takes what has gathered, writes it as one frame, waits for the disk, and passes
/// it on to be published; so the disk need not wait for that.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    log: Log,
    written: Sender<Written>,
    /// A frame that was written, for the next one to be made in.
    spare: Vec<u8>,
    /// How long the log was when it was last too long, and nothing could be done about it.
    too_long_at: u64,
    /// Of the last change in the log.
    revision: Revision,
}

/// A frame to be written, and what was decided with it.
#[derive(Debug)]
struct Batch {
    frame: Vec<u8>,
    decided: Vec<Decided>,
}

impl Writer {
    /// Starts the thread. What it wrote goes through `written`.
    pub(super) fn start(shared: Arc<Shared>, log: Log, written: Sender<Written>) -> io::Result<()> {
        let revision = shared.mvcc.read().revision();
        let writer = Self { shared, log, written, spare: Vec::new(), too_long_at: 0, revision };
        std::thread::Builder::new().name("orch-store-log".to_owned()).spawn(move || writer.run()).map(drop)
    }

    fn run(mut self) {
        let _end = End(Arc::clone(&self.shared));
        while let Some(batch) = self.next() {
            self.write(batch);
            self.rotate_if_long();
        }
        // A buffered log too: who closes a store may be about to switch off the machine.
        if let Err(error) = self.log.sync() {
            tracing::warn!(%error, "cannot sync the log while closing it");
        }
    }

    /// Waits for what is to be written; `None` when nothing comes any more.
    fn next(&mut self) -> Option<Batch> {
        let shared = Arc::clone(&self.shared);
        let mut desk = shared.desk();
        loop {
            if !desk.staging.decided.is_empty() {
                let mut frame = std::mem::take(&mut self.spare);
                frame.clear();
                frame.resize(HEAD, 0);
                std::mem::swap(&mut frame, &mut desk.staging.frame);
                return Some(Batch { frame, decided: std::mem::take(&mut desk.staging.decided) });
            }
            let is_broken = match &desk.mode {
                Mode::Closed => return None,
                mode => matches!(mode, Mode::Broken(_)),
            };
            desk = match shared.claims.next_end().filter(|_| !is_broken) {
                Some(pause) if pause.is_zero() => {
                    drop(desk);
                    self.end_claims();
                    shared.desk()
                }
                Some(pause) => shared.wake.wait_timeout(desk, pause).unwrap_or_else(PoisonError::into_inner).0,
                None => shared.wake.wait(desk).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn end_claims(&self) {
        for (key, token) in self.shared.claims.take_due() {
            self.shared.decide_unasked(Request::Release { key, token });
        }
    }

    fn write(&mut self, Batch { mut frame, decided }: Batch) {
        let result = if frame.len() > HEAD { self.log.append(&mut frame) } else { Ok(()) };
        self.spare = frame;
        match result {
            Ok(()) => {
                let mut revisions = decided.iter().rev().filter_map(|decided| match decided.what {
                    What::Commit { revision, .. } => Some(revision),
                    _ => None,
                });
                self.revision = revisions.next().unwrap_or(self.revision);
                if self.can_publish() {
                    self.shared.publish(decided);
                } else {
                    self.pass_on(Written::Durable(decided));
                }
            }
            Err(failure) => self.fail(failure, decided),
        }
    }

    /// Takes back what was to be written, and what was decided since in the belief that it would be.
    fn fail(&mut self, failure: Failure, decided: Vec<Decided>) {
        let (reason, is_unknown) = match failure {
            Failure::NotWritten(error) => (format!("the log cannot be written: {error}; make room on the disk"), false),
            Failure::Unknown(error) => (
                format!(
                    "the log could not be written ({error}), and nobody knows how much of it the disk has: reads go on, \
                     to write again close the store, look after the disk, and open it"
                ),
                true,
            ),
        };
        tracing::error!(folder = %self.shared.config.folder.display(), reason, "a write failed");
        let (done, wait) = std::sync::mpsc::channel();
        let built_on_it = {
            let mut desk = self.shared.desk();
            if desk.mode != Mode::Closed {
                desk.mode = if is_unknown { Mode::Broken(reason.clone()) } else { Mode::Resetting(reason.clone()) };
            }
            desk.staging.frame.truncate(HEAD);
            std::mem::take(&mut desk.staging.decided)
        };
        self.pass_on(Written::Failed { decided, is_unknown, built_on_it, reason, done });
        // The publisher ends after this thread, so it answers; if it panicked, nothing is left to wait for.
        let _ = wait.recv();
    }

    /// Begins a new log when this one is long, so that a checkpoint can take its place.
    fn rotate_if_long(&mut self) {
        let most = self.shared.config.checkpoint_after.max(self.shared.checkpoint_len.load(Ordering::Relaxed));
        let is_long = self.log.end().len.saturating_sub(self.too_long_at) >= most;
        if !is_long || self.shared.is_closing() || self.shared.is_checkpointing.load(Ordering::Acquire) {
            return;
        }
        match self.log.rotate(self.revision) {
            Ok(()) => {
                self.too_long_at = 0;
                self.shared.is_checkpointing.store(true, Ordering::Release);
                self.pass_on(Written::Rotated { segment: self.log.segment() });
            }
            Err(Failure::NotWritten(error)) => {
                tracing::warn!(%error, "cannot begin a new log, so this one goes on");
                self.too_long_at = self.log.end().len;
            }
            Err(failure) => self.fail(failure, Vec::new()),
        }
    }

    /// Whether this thread may as well make visible what it wrote: the publisher has nothing to do that comes before, and
    /// the disk would not be idle for that. It saves waking another thread.
    fn can_publish(&self) -> bool {
        let is_first = self.shared.unpublished.load(Ordering::Acquire) == 0;
        is_first && (!self.log.waits_for_disk() || self.shared.desk().staging.decided.is_empty())
    }

    fn pass_on(&self, written: Written) {
        self.shared.unpublished.fetch_add(1, Ordering::Relaxed);
        // Only a publisher that panicked is not there to take it: then everyone who waits is told by the channel's end.
        let _ = self.written.send(written);
    }
}

/// Sees to it that nobody waits for a thread that has ended.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        let mut desk = self.0.desk();
        if std::thread::panicking() && desk.mode != Mode::Closed {
            desk.mode = Mode::Broken("the thread that writes panicked: open the store again".to_owned());
        }
        desk.staging.decided.clear();
    }
}
