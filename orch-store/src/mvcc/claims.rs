//! [`Claims`]: which objects end by themselves, and when.

use std::collections::{BTreeSet, HashMap};

use orch_core::key::Key;
use orch_core::revision::Revision;
use tokio::time::Instant;

/// The claims that have not ended. What is claimed stands among the objects like any other; only its end is noted here.
#[derive(Debug, Default)]
pub(super) struct Claims {
    by_key: HashMap<Key, Term>,
    in_order: BTreeSet<(Instant, Key)>,
}

#[derive(Debug)]
struct Term {
    token: Revision,
    end: Instant,
}

impl Claims {
    /// The object at `key`, which was created at `token`, ends at `end`.
    pub(super) fn insert(&mut self, key: Key, token: Revision, end: Instant) {
        self.remove(&key);
        self.in_order.insert((end, key.clone()));
        self.by_key.insert(key, Term { token, end });
    }

    /// Nothing is claimed at `key` any more, if anything was.
    pub(super) fn remove(&mut self, key: &Key) {
        if let Some((key, term)) = self.by_key.remove_entry(key) {
            self.in_order.remove(&(term.end, key));
        }
    }

    /// Whether the claim of `key` with that token has not ended.
    pub(super) fn lives(&self, key: &Key, token: Revision) -> bool {
        self.by_key.get(key).is_some_and(|term| term.token == token)
    }

    /// When the next claim ends.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.in_order.first().map(|(end, _)| *end)
    }

    /// What has come to its end by `now`, the first to end first.
    pub(super) fn due(&self, now: Instant) -> impl Iterator<Item = &Key> {
        self.in_order.iter().take_while(move |(end, _)| *end <= now).map(|(_, key)| key)
    }
}
