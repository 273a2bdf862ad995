//! [`Watched`]: what one watch told, and when.

use std::fmt;

use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{Entry, WatchEvent};

use super::fingerprint::Fingerprints;
use super::operation::{ClientId, Refusal, Seen, Tick};

/// What one watch told, and when.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Who watches.
    pub client: ClientId,
    /// When it was asked for.
    pub invoked: Tick,
    /// Under what.
    pub prefix: Prefix,
    /// After which revision.
    pub after: Revision,
    /// What it told.
    pub told: Vec<(Tick, Told)>,
    /// How it ended.
    pub end: WatchEnd,
}

/// One item of a watch.
#[derive(Clone, Debug)]
pub enum Told {
    /// An object was created or changed.
    Put {
        /// The object as it is since.
        seen: Seen,
        /// The object as it was.
        previous: Option<Seen>,
    },
    /// An object was deleted.
    Delete {
        /// Which.
        key: Key,
        /// The revision of the deletion.
        revision: Revision,
        /// The object as it was.
        previous: Option<Seen>,
    },
    /// All up to here was told.
    Progress(Revision),
}

impl Told {
    /// An event, with its objects by fingerprint.
    pub(super) fn of(event: &WatchEvent, fingerprints: &Fingerprints) -> Self {
        let one = |entry: &Entry| Seen::of(entry, fingerprints);
        let seen = |entry: &Option<Entry>| entry.as_ref().map(one);
        match event {
            WatchEvent::Put { entry, previous } => Self::Put { seen: one(entry), previous: seen(previous) },
            WatchEvent::Delete { key, revision, previous } => {
                Self::Delete { key: key.clone(), revision: *revision, previous: seen(previous) }
            }
            WatchEvent::Progress(revision) => Self::Progress(*revision),
        }
    }

    /// Where in the order of writes it stands.
    #[must_use]
    pub fn revision(&self) -> Revision {
        match self {
            Self::Put { seen, .. } => seen.revision,
            Self::Delete { revision, .. } | Self::Progress(revision) => *revision,
        }
    }
}

/// How a watch ended.
#[derive(Clone, Debug)]
pub enum WatchEnd {
    /// Its reader still waits for more.
    Open,
    /// Its reader dropped it.
    Dropped,
    /// It could not be opened, or said that it cannot go on.
    Refused(Tick, Refusal),
    /// It ended without a word.
    WithoutAWord(Tick),
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (event, previous) = match self {
            Self::Put { seen, previous } => (format!("put {seen}"), previous),
            Self::Delete { key, revision, previous } => (format!("delete {key} at revision {revision}"), previous),
            Self::Progress(revision) => return write!(f, "progress to {revision}"),
        };
        match previous {
            Some(previous) => write!(f, "{event}, before: {previous}"),
            None => write!(f, "{event}, nothing before"),
        }
    }
}

impl fmt::Display for Watched {
    /// Without what it told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, invoked, prefix, after, .. } = self;
        write!(f, "[{invoked}, …) {client}: watch {prefix} after {after}")
    }
}
