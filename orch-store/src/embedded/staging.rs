//! [`Staging`]: the writes that are decided and not yet durable.
//!
//! Whoever writes decides here, under a lock that is never held while anything waits: a write is checked against the
//! objects as they will be when all that was decided before it has happened, gets its revision, and its record is added
//! to the next frame. The thread that writes takes the frame as it is whenever the disk has taken the one before it. So
//! all that is written while the disk is busy becomes durable at once: that is the group commit.
//!
//! Nobody reads from here. A refusal because of a write that is not durable yet is answered when that write is, and not
//! at all as a refusal if it fails.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use orch_core::key::Key;
use orch_core::revision::Revision;
use orch_core::store::{Check, Entry, Expect, StoreError, Write};
use tokio::sync::oneshot;

use super::format::frame::HEAD;
use super::format::record::{self, Change, Record};
use crate::mvcc::State;

/// A write and, for a put, its JSON, made before any lock is taken.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) write: Write,
    pub(super) json: Option<Bytes>,
}

/// What a write leads to: what is there now, if it was a single put, and the revision.
pub(super) type Answer = Result<(Option<Entry>, Revision), StoreError>;

/// What somebody asks for.
#[derive(Debug)]
pub(super) enum Request {
    /// Writes that happen together if all of the checks hold.
    Commit { checks: Vec<Check>, writes: Vec<Prepared> },
    /// One put, of an object that lives only as long as it is renewed.
    Claim { write: Prepared, ttl: Duration },
    /// The deletion of the object that this revision created, whatever was written to it since.
    Release { key: Key, token: Revision },
    /// The end of all history before a revision.
    Compact { oldest: Revision },
}

/// Something that was decided, and is to happen or be answered when all before it is durable.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) what: What,
    /// `None` if nobody waits.
    pub(super) answer: Option<oneshot::Sender<Answer>>,
}

/// What was decided.
#[derive(Debug)]
pub(super) enum What {
    /// The writes happen at this revision; a claim begins if there is a time to live.
    Commit {
        writes: Vec<Write>,
        revision: Revision,
        ttl: Option<Duration>,
    },
    Compact {
        oldest: Revision,
    },
    /// The checks hold, and nothing is to be written.
    Nothing,
    Refusal(StoreError),
}

/// What to do about a request.
#[derive(Debug)]
pub(super) enum Decision {
    /// The answer, which depends on nothing that is not durable.
    Now(Answer),
    /// The answer comes later.
    Later(oneshot::Receiver<Answer>),
}

/// An object as it will be: which write is its last, and which created it.
type Found = Option<(Revision, Revision)>;

/// What is decided about a key, and not durable yet.
#[derive(Debug)]
struct Undurable {
    /// The last write of it, be it a put or a deletion.
    last: Revision,
    found: Found,
}

/// The next frame, and what is known of the frames before it that are not durable yet.
#[derive(Debug)]
pub(super) struct Staging {
    /// Its records, behind the space for its head.
    pub(super) frame: Vec<u8>,
    pub(super) decided: Vec<Decided>,
    /// The objects that are written by what is not durable yet.
    overlay: HashMap<Key, Undurable>,
    /// Of the last write that was decided.
    pub(super) revision: Revision,
}

impl Staging {
    /// Nothing is to be written after `revision`.
    pub(super) fn new(revision: Revision) -> Self {
        Self { frame: vec![0; HEAD], decided: Vec::new(), overlay: HashMap::new(), revision }
    }

    /// Decides about a request, given what is durable.
    pub(super) fn decide(&mut self, request: Request, state: &State, with_answer: bool) -> Decision {
        let mut look = Look { overlay: &self.overlay, state, saw_undurable: false };
        let verdict = match request {
            Request::Commit { checks, writes } => look.commit(&checks, &writes).map(|()| (writes, None)),
            Request::Claim { write, ttl } => {
                let writes = vec![write];
                look.commit(&[], &writes).map(|()| (writes, Some(ttl)))
            }
            Request::Release { key, token } => look.release(key, token).map(|write| (vec![write], None)),
            Request::Compact { oldest } => return self.compact(oldest, state, with_answer),
        };
        let saw_undurable = look.saw_undurable;
        let what = match verdict {
            Err(refusal) if saw_undurable => What::Refusal(refusal),
            Err(refusal) => return Decision::Now(Err(refusal)),
            Ok((writes, _)) if writes.is_empty() && saw_undurable => What::Nothing,
            Ok((writes, _)) if writes.is_empty() => return Decision::Now(Ok((None, state.revision()))),
            Ok((writes, ttl)) => self.commit(writes, ttl, state),
        };
        self.add(what, with_answer)
    }

    fn add(&mut self, what: What, with_answer: bool) -> Decision {
        if !with_answer {
            self.decided.push(Decided { what, answer: None });
            return Decision::Now(Ok((None, self.revision)));
        }
        let (sender, receiver) = oneshot::channel();
        self.decided.push(Decided { what, answer: Some(sender) });
        Decision::Later(receiver)
    }

    /// Adds the record of writes that were checked.
    fn commit(&mut self, writes: Vec<Prepared>, ttl: Option<Duration>, state: &State) -> What {
        let revision = self.revision.next();
        self.revision = revision;
        let changes = writes.iter().map(|prepared| match &prepared.json {
            Some(json) => Change::Put { key: prepared.write.key().as_str(), json, ttl },
            None => Change::Delete { key: prepared.write.key().as_str() },
        });
        record::put_transaction(&mut self.frame, revision, changes);
        for Prepared { write, .. } in &writes {
            let created = match write {
                Write::Put { key, expect: Expect::Revision(_), .. } => found(&self.overlay, state, key).map(|it| it.1),
                _ => None,
            };
            let found = matches!(write, Write::Put { .. }).then(|| (revision, created.unwrap_or(revision)));
            self.overlay.insert(write.key().clone(), Undurable { last: revision, found });
        }
        What::Commit { writes: writes.into_iter().map(|prepared| prepared.write).collect(), revision, ttl }
    }

    fn compact(&mut self, oldest: Revision, state: &State, with_answer: bool) -> Decision {
        let current = state.revision();
        if oldest > current {
            return Decision::Now(Err(StoreError::FutureRevision { requested: oldest, current }));
        }
        Record::Compaction { oldest }.put(&mut self.frame);
        self.add(What::Compact { oldest }, with_answer)
    }

    /// What was decided at `revision` about `key` is durable, and can be read. A later write of it may wait already.
    pub(super) fn is_durable(&mut self, key: &Key, revision: Revision) {
        if self.overlay.get(key).is_some_and(|undurable| undurable.last == revision) {
            self.overlay.remove(key);
        }
    }

    /// Forgets all that was decided and did not become durable: `revision` is the last that did.
    pub(super) fn reset(&mut self, revision: Revision) {
        *self = Self::new(revision);
    }
}

/// The object at a key as it will be.
fn found(overlay: &HashMap<Key, Undurable>, state: &State, key: &Key) -> Found {
    match overlay.get(key) {
        Some(undurable) => undurable.found,
        None => state.get(key).map(|entry| (entry.revision, entry.created)),
    }
}

/// A look at the objects as they will be.
struct Look<'a> {
    overlay: &'a HashMap<Key, Undurable>,
    state: &'a State,
    /// Whether anything that was seen is not durable yet.
    saw_undurable: bool,
}

impl Look<'_> {
    fn commit(&mut self, checks: &[Check], writes: &[Prepared]) -> Result<(), StoreError> {
        for check in checks {
            self.expect(&check.key, check.expect)?;
        }
        writes.iter().try_for_each(|prepared| self.expect(prepared.write.key(), prepared.write.expect()))
    }

    fn expect(&mut self, key: &Key, expect: Expect) -> Result<(), StoreError> {
        let found = self.find(key).map(|(revision, _)| revision);
        let holds = match expect {
            Expect::Absent => found.is_none(),
            Expect::Revision(revision) => found == Some(revision),
        };
        if holds { Ok(()) } else { Err(StoreError::Conflict { key: key.clone(), found }) }
    }

    fn release(&mut self, key: Key, token: Revision) -> Result<Prepared, StoreError> {
        match self.find(&key) {
            Some((expect, created)) if created == token => {
                Ok(Prepared { write: Write::Delete { key, expect }, json: None })
            }
            _ => Err(StoreError::ClaimLost { key }),
        }
    }

    fn find(&mut self, key: &Key) -> Found {
        self.saw_undurable |= self.overlay.contains_key(key);
        found(self.overlay, self.state, key)
    }
}
