//! [`Publisher`]: the thread that makes visible what is durable, and answers.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use orch_core::key::Key;
use orch_core::revision::Revision;
use orch_core::store::Write;

use super::checkpoint::{self, Contents};
use super::disk::Disk;
use super::files::{self, Files};
use super::format::header::{End, FileKind, Header};
use super::recovery;
use super::shared::{Mode, Shared, unavailable};
use super::staging::{Answer, Decided, What};
use crate::mvcc::{Aftermath, State};

/// What the log's thread passes on, in the order in which it happened.
#[derive(Debug)]
pub(super) enum Written {
    /// It is as durable as it is to be.
    Durable(Vec<Decided>),
    /// It is not, or nobody knows; what was decided since is not either, and was not even tried. `done` is told when
    /// the desk is as if none of it had been handed in.
    Failed { decided: Vec<Decided>, is_unknown: bool, built_on_it: Vec<Decided>, reason: String, done: Sender<()> },
    /// All before is in older logs than this one.
    Rotated { segment: u64 },
}

/// How many writes become visible at once: enough to make the lock cheap, not so many that readers wait long.
const AT_ONCE: usize = 128;

/// The thread that makes visible what is durable, and answers. It is apart from the thread that writes, so that the disk
/// is never idle while somebody waits for it.
#[derive(Debug)]
pub(super) struct Publisher {
    shared: Arc<Shared>,
    disk: Arc<dyn Disk>,
    /// The checkpoint that is being written.
    checkpoint: Option<JoinHandle<()>>,
}

impl Publisher {
    /// Starts the thread, which ends when the sender is dropped.
    pub(super) fn start(shared: Arc<Shared>, disk: Arc<dyn Disk>) -> io::Result<Sender<Written>> {
        let (sender, receiver) = channel();
        let publisher = Self { shared, disk, checkpoint: None };
        std::thread::Builder::new().name("orch-store-publish".to_owned()).spawn(move || publisher.run(&receiver))?;
        Ok(sender)
    }

    fn run(mut self, written: &Receiver<Written>) {
        let shared = Arc::clone(&self.shared);
        while let Ok(written) = written.recv() {
            match written {
                Written::Durable(decided) => self.shared.publish(decided),
                Written::Failed { decided, is_unknown, built_on_it, reason, done } => {
                    self.take_back(decided, is_unknown, built_on_it, &reason);
                    let _ = done.send(());
                }
                Written::Rotated { segment } => self.begin_checkpoint(segment),
            }
            self.shared.unpublished.fetch_sub(1, Ordering::Release);
        }
        self.wait_for_checkpoint();
        drop(self);
        shared.end();
    }

    /// Tells those who wait that what they wanted did not happen, and makes the desk as if it had not been handed in.
    fn take_back(&self, decided: Vec<Decided>, is_unknown: bool, built_on_it: Vec<Decided>, reason: &str) {
        let revision = self.shared.mvcc.read().revision();
        {
            let mut desk = self.shared.desk();
            desk.staging.reset(revision);
            if matches!(desk.mode, Mode::Resetting(_)) {
                desk.mode = Mode::Open;
            }
        }
        let answer = |decided: Vec<Decided>, was_tried: bool| {
            for Decided { what, answer } in decided {
                let is_write = matches!(what, What::Commit { .. } | What::Compact { .. });
                let Some(answer) = answer else { continue };
                let _ = answer.send(Err(unavailable(reason, was_tried && is_unknown && is_write)));
            }
        };
        answer(decided, true);
        answer(built_on_it, false);
    }

    /// Writes a checkpoint of all that is in older logs than this one, beside everything else.
    fn begin_checkpoint(&mut self, segment: u64) {
        self.wait_for_checkpoint();
        let contents = self.shared.contents();
        let (shared, disk) = (Arc::clone(&self.shared), Arc::clone(&self.disk));
        let thread = std::thread::Builder::new().name("orch-store-checkpoint".to_owned());
        let started = thread.spawn(move || {
            if let Err(error) = write_checkpoint(&shared, &*disk, segment, &contents) {
                tracing::warn!(%error, "cannot write a checkpoint, so the log goes on: make room on the disk");
            }
            shared.is_checkpointing.store(false, Ordering::Release);
        });
        match started {
            Ok(thread) => self.checkpoint = Some(thread),
            Err(error) => {
                tracing::warn!(%error, "cannot start a thread for a checkpoint, so the log goes on");
                self.shared.is_checkpointing.store(false, Ordering::Release);
            }
        }
    }

    fn wait_for_checkpoint(&mut self) {
        if self.checkpoint.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that wrote a checkpoint panicked, so the log goes on");
            self.shared.is_checkpointing.store(false, Ordering::Release);
        }
    }
}

impl Shared {
    /// Makes visible what is durable, and answers. One thread does so at a time.
    pub(super) fn publish(&self, mut decided: Vec<Decided>) {
        let mut rest = decided.drain(..).peekable();
        let mut answers = Vec::new();
        let mut keys: Vec<(Key, Revision)> = Vec::new();
        while rest.peek().is_some() {
            {
                let _publishing = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
                self.mvcc.change(|state, after| {
                    for Decided { what, answer } in rest.by_ref().take(AT_ONCE) {
                        let result = self.happen(what, state, after, &mut keys);
                        answers.extend(answer.map(|answer| (answer, result)));
                    }
                });
            }
            for (answer, result) in answers.drain(..) {
                // Who dropped the future does not want to know.
                let _ = answer.send(result);
            }
            let mut desk = self.desk();
            for (key, revision) in keys.drain(..) {
                desk.staging.is_durable(&key, revision);
            }
        }
    }

    /// Makes visible what was decided; notes in `keys` what was written.
    fn happen(&self, what: What, state: &mut State, after: &mut Aftermath, keys: &mut Vec<(Key, Revision)>) -> Answer {
        match what {
            What::Refusal(error) => Err(error),
            What::Nothing => Ok((None, state.revision())),
            What::Compact { oldest } => state.compact(oldest, after).map(|()| (None, state.revision())),
            What::Commit { writes, revision, ttl } => {
                for write in &writes {
                    keys.push((write.key().clone(), revision));
                    match (write, ttl) {
                        (Write::Put { key, .. }, Some(ttl)) => {
                            self.claims.begin(key.clone(), revision, ttl);
                            self.wake.notify_one();
                        }
                        (Write::Put { .. }, None) => {}
                        (Write::Delete { key, .. }, _) => self.claims.end(key),
                    }
                }
                let result = one_or_more(writes, state, after);
                debug_assert!(
                    matches!(result, Ok((_, happened)) if happened == revision),
                    "{result:?} came of what was decided as {revision}"
                );
                result
            }
        }
    }

    /// All that there is, at one revision.
    pub(super) fn contents(&self) -> Contents {
        let _publishing = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        Contents { snapshot: self.mvcc.read().snapshot(), claims: self.claims.all() }
    }
}

/// A single put tells what it left behind.
fn one_or_more(mut writes: Vec<Write>, state: &mut State, after: &mut Aftermath) -> Answer {
    match (writes.pop(), writes.is_empty()) {
        (Some(only), true) => state.write(only, after),
        (Some(last), false) => {
            writes.push(last);
            state.commit(&[], writes, after).map(|revision| (None, revision))
        }
        (None, _) => Ok((None, state.revision())),
    }
}

/// Writes a checkpoint, then removes what it takes the place of.
fn write_checkpoint(shared: &Shared, disk: &dyn Disk, segment: u64, contents: &Contents) -> io::Result<()> {
    let header = Header {
        kind: FileKind::Checkpoint,
        synced: true,
        store: shared.store,
        segment,
        after: contents.snapshot.base,
        previous: End::default(),
    };
    let name = files::checkpoint(segment);
    let Some(len) = checkpoint::write(disk, &name, header, contents, &|| shared.is_closing())? else { return Ok(()) };
    shared.checkpoint_len.store(len, Ordering::Relaxed);
    let mut files = Files::sort(disk.names()?);
    // The next log may be about to be begun.
    files.unfinished.clear();
    recovery::remove_outdated(disk, &files, segment);
    Ok(())
}
