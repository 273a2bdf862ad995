//! [`Replay`]: makes what the files tell happen again.

use bytes::Bytes;
use orch_core::key::Key;
use orch_core::revision::Revision;
use orch_core::store::{Entry, Expect, Value, Write};

use super::claims::Claims;
use super::format::record::{Change, Record};
use crate::mvcc::{Mvcc, State};

/// A store as far as its files have been read.
#[derive(Debug)]
pub(super) struct Replay<'a> {
    pub(super) mvcc: &'a Mvcc,
    pub(super) claims: &'a Claims,
}

impl Replay<'_> {
    /// Makes happen what a record of a log tells. An error says what is wrong with it.
    pub(super) fn log_record(&self, record: Record<'_>) -> Result<(), String> {
        match record {
            Record::Transaction { revision, changes } => self.transaction(revision, &changes),
            Record::Compaction { oldest } => {
                let compacted = self.mvcc.change(|state, after| state.compact(oldest, after));
                compacted.map_err(|error| error.to_string())
            }
            other => Err(format!("a log does not hold {other:?}")),
        }
    }

    /// Makes happen what a record of a checkpoint tells, that is not about the checkpoint itself. `base` is the revision
    /// before the first change.
    pub(super) fn checkpoint_record(&self, record: Record<'_>, base: Revision) -> Result<(), String> {
        match record {
            Record::Begin { oldest } => {
                self.mvcc.change(|state, _| state.resume(base, oldest));
                Ok(())
            }
            Record::Object { created, revision, key, json } => {
                let value = Value::from_json(Bytes::copy_from_slice(json));
                let entry = Entry::new(parse(key)?, revision, created, value);
                let is_new = self.mvcc.change(|state, _| state.load(entry));
                if is_new { Ok(()) } else { Err(format!("{key} comes twice")) }
            }
            Record::Transaction { revision, changes } => self.transaction(revision, &changes),
            Record::Claim { ttl, key } => {
                let key = parse(key)?;
                let token = self.mvcc.read().get(&key).map(|entry| entry.created);
                let token = token.ok_or_else(|| format!("{key} is claimed and not there"))?;
                self.claims.begin(key, token, ttl);
                Ok(())
            }
            other => Err(format!("a checkpoint does not hold {other:?} here")),
        }
    }

    fn transaction(&self, revision: Revision, changes: &[Change<'_>]) -> Result<(), String> {
        let reached = self.mvcc.read().revision();
        if revision != reached.next() {
            return Err(format!("revision {revision} comes after {reached}"));
        }
        self.mvcc.change(|state, after| {
            let writes = changes.iter().map(|change| write_of(state, *change)).collect::<Result<Vec<_>, _>>()?;
            let committed = state.commit(&[], writes, after).map_err(|error| error.to_string())?;
            if committed == revision { Ok(()) } else { Err(format!("revision {revision} changes nothing")) }
        })?;
        for change in changes {
            match change {
                Change::Put { key, ttl: Some(ttl), .. } => self.claims.begin(parse(key)?, revision, *ttl),
                Change::Put { ttl: None, .. } => {}
                Change::Delete { key } => self.claims.end(&parse(key)?),
            }
        }
        Ok(())
    }
}

/// The write that makes a change, which expects what is there: that was checked before the change was written down.
fn write_of(state: &State, change: Change<'_>) -> Result<Write, String> {
    match change {
        Change::Put { key, json, .. } => {
            let key = parse(key)?;
            let expect = state.get(&key).map_or(Expect::Absent, |entry| Expect::Revision(entry.revision));
            Ok(Write::Put { key, value: Value::from_json(Bytes::copy_from_slice(json)), expect })
        }
        Change::Delete { key } => {
            let key = parse(key)?;
            let expect = state.get(&key).map(|entry| entry.revision);
            let expect = expect.ok_or_else(|| format!("{key} is deleted and not there"))?;
            Ok(Write::Delete { key, expect })
        }
    }
}

fn parse(key: &str) -> Result<Key, String> {
    key.parse().map_err(|error| format!("{error}"))
}
