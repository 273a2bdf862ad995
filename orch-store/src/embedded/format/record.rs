//! [`Record`]: what happened, or what is.
//!
//! A record is a byte that says which, and then:
//!
//! | byte | record | what follows |
//! |---|---|---|
//! | 1 | transaction | its revision (8), how many changes (4), the changes |
//! | 2 | compaction | the oldest revision that is kept (8) |
//! | 3 | beginning of a checkpoint | the oldest revision that can be asked for (8) |
//! | 4 | object of a checkpoint | created (8), revision (8), key, value |
//! | 5 | claim of a checkpoint | milliseconds that it lives (8), key |
//! | 6 | end of a checkpoint | how many records come before it (8) |
//!
//! A change is a byte, and then: 1, a put: key, value; 2, a deletion: key; 3, a claim: milliseconds that it lives (8),
//! key, value. A key is its length (2) and its text; a value its length (4) and its JSON.
//!
//! JSON has no zero bytes, and the store takes none that has. So a sector that holds part of a frame is never zero but for
//! one bit, and [`judge`](super::frame) cannot take damage for a sector that was never written.

use std::time::Duration;

use orch_core::revision::Revision;

use super::take;

/// What happened, or what is.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::embedded) enum Record<'a> {
    Transaction { revision: Revision, changes: Vec<Change<'a>> },
    Compaction { oldest: Revision },
    Begin { oldest: Revision },
    Object { created: Revision, revision: Revision, key: &'a str, json: &'a [u8] },
    Claim { ttl: Duration, key: &'a str },
    End { records: u64 },
}

/// One change of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) enum Change<'a> {
    /// `ttl` if the object was claimed by this put.
    Put {
        key: &'a str,
        json: &'a [u8],
        ttl: Option<Duration>,
    },
    Delete {
        key: &'a str,
    },
}

impl<'a> Record<'a> {
    /// Takes the first record off; `None` if there is none.
    pub(in crate::embedded) fn take(bytes: &mut &'a [u8]) -> Option<Self> {
        let [which] = take(bytes)?;
        Some(match which {
            1 => {
                let revision = take_revision(bytes)?;
                let count = u32::from_le_bytes(take(bytes)?);
                let changes = (0..count).map(|_| Change::take(bytes)).collect::<Option<_>>()?;
                Self::Transaction { revision, changes }
            }
            2 => Self::Compaction { oldest: take_revision(bytes)? },
            3 => Self::Begin { oldest: take_revision(bytes)? },
            4 => Self::Object {
                created: take_revision(bytes)?,
                revision: take_revision(bytes)?,
                key: take_key(bytes)?,
                json: take_json(bytes)?,
            },
            5 => Self::Claim { ttl: take_ttl(bytes)?, key: take_key(bytes)? },
            6 => Self::End { records: u64::from_le_bytes(take(bytes)?) },
            _ => return None,
        })
    }

    pub(in crate::embedded) fn put(&self, into: &mut Vec<u8>) {
        match self {
            Self::Transaction { revision, changes } => {
                put_transaction(into, *revision, changes.iter().copied());
            }
            Self::Compaction { oldest } => {
                into.push(2);
                into.extend(oldest.0.to_le_bytes());
            }
            Self::Begin { oldest } => {
                into.push(3);
                into.extend(oldest.0.to_le_bytes());
            }
            Self::Object { created, revision, key, json } => {
                into.push(4);
                into.extend(created.0.to_le_bytes());
                into.extend(revision.0.to_le_bytes());
                put_key(into, key);
                put_json(into, json);
            }
            Self::Claim { ttl, key } => {
                into.push(5);
                put_ttl(into, *ttl);
                put_key(into, key);
            }
            Self::End { records } => {
                into.push(6);
                into.extend(records.to_le_bytes());
            }
        }
    }
}

/// Adds a transaction, without a list of its changes.
pub(in crate::embedded) fn put_transaction<'a>(
    into: &mut Vec<u8>,
    revision: Revision,
    changes: impl ExactSizeIterator<Item = Change<'a>>,
) {
    into.push(1);
    into.extend(revision.0.to_le_bytes());
    let count = u32::try_from(changes.len()).expect("a transaction of four thousand million changes fits in no memory");
    into.extend(count.to_le_bytes());
    changes.for_each(|change| change.put(into));
}

impl<'a> Change<'a> {
    fn take(bytes: &mut &'a [u8]) -> Option<Self> {
        let [which] = take(bytes)?;
        Some(match which {
            1 => Self::Put { key: take_key(bytes)?, json: take_json(bytes)?, ttl: None },
            2 => Self::Delete { key: take_key(bytes)? },
            3 => {
                let ttl = Some(take_ttl(bytes)?);
                Self::Put { key: take_key(bytes)?, json: take_json(bytes)?, ttl }
            }
            _ => return None,
        })
    }

    fn put(self, into: &mut Vec<u8>) {
        match self {
            Self::Put { key, json, ttl } => {
                into.push(if ttl.is_some() { 3 } else { 1 });
                if let Some(ttl) = ttl {
                    put_ttl(into, ttl);
                }
                put_key(into, key);
                put_json(into, json);
            }
            Self::Delete { key } => {
                into.push(2);
                put_key(into, key);
            }
        }
    }
}

fn take_revision(bytes: &mut &[u8]) -> Option<Revision> {
    take(bytes).map(u64::from_le_bytes).map(Revision)
}

fn take_ttl(bytes: &mut &[u8]) -> Option<Duration> {
    take(bytes).map(u64::from_le_bytes).map(Duration::from_millis)
}

fn take_key<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let len = u16::from_le_bytes(take(bytes)?);
    std::str::from_utf8(take_slice(bytes, usize::from(len))?).ok()
}

fn take_json<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = u32::from_le_bytes(take(bytes)?);
    take_slice(bytes, usize::try_from(len).ok()?)
}

fn take_slice<'a>(bytes: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (first, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(first)
}

/// Rounded up: a claim lives longer rather than shorter.
fn put_ttl(into: &mut Vec<u8>, ttl: Duration) {
    let millis = u64::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    into.extend(millis.to_le_bytes());
}

fn put_key(into: &mut Vec<u8>, key: &str) {
    let len = u16::try_from(key.len()).expect("three names of 253 characters are the most that a key has");
    into.extend(len.to_le_bytes());
    into.extend(key.as_bytes());
}

fn put_json(into: &mut Vec<u8>, json: &[u8]) {
    let len = u32::try_from(json.len()).expect("the store takes no object of four thousand million bytes");
    into.extend(len.to_le_bytes());
    into.extend(json);
}
