//! [`Claims`]: which objects live only as long as they are renewed.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use orch_core::key::Key;
use orch_core::revision::Revision;

/// After which time a deletion that was to end a claim is tried again, if the claim is still there.
const AGAIN: Duration = Duration::from_millis(100);

/// The claims that have not ended.
///
/// That an object is claimed is in the log, that a claim was renewed is not: a store that was opened again gives each
/// claim its whole time to live.
#[derive(Debug, Default)]
pub(super) struct Claims(Mutex<HashMap<Key, Living>>);

#[derive(Debug)]
struct Living {
    /// The revision that created the object, and so the fencing token.
    token: Revision,
    ttl: Duration,
    ends: Instant,
    /// Its end is being written: it cannot be renewed any more.
    ending: bool,
}

impl Claims {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Living>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A claim was made, or found when the store was opened.
    pub(super) fn begin(&self, key: Key, token: Revision, ttl: Duration) {
        self.lock().insert(key, Living { token, ttl, ends: after(ttl), ending: false });
    }

    /// An object was deleted, be it claimed or not.
    pub(super) fn end(&self, key: &Key) {
        self.lock().remove(key);
    }

    /// Whether the claim had not ended, and lives for its time to live from now on.
    pub(super) fn renew(&self, key: &Key, token: Revision) -> bool {
        let mut claims = self.lock();
        let Some(living) = claims.get_mut(key).filter(|living| living.token == token && !living.ending) else {
            return false;
        };
        living.ends = after(living.ttl);
        true
    }

    /// How long until the next claim ends; `None` if there are none.
    pub(super) fn next_end(&self) -> Option<Duration> {
        let end = self.lock().values().map(|living| living.ends).min()?;
        Some(end.saturating_duration_since(now()))
    }

    /// The claims that have outlived their time, with their tokens. They cannot be renewed any more.
    pub(super) fn take_due(&self) -> Vec<(Key, Revision)> {
        let now = now();
        let mut claims = self.lock();
        let due = claims.iter_mut().filter(|(_, living)| living.ends <= now);
        let mut due: Vec<(Key, Revision)> = due
            .map(|(key, living)| {
                (living.ending, living.ends) = (true, now + AGAIN);
                (key.clone(), living.token)
            })
            .collect();
        due.sort();
        due
    }

    /// All claims and for how long they live, in the order of their keys.
    pub(super) fn all(&self) -> Vec<(Key, Duration)> {
        let mut all: Vec<_> = self.lock().iter().map(|(key, living)| (key.clone(), living.ttl)).collect();
        all.sort();
        all
    }
}

/// That time from now on; about a century instead of a time that no clock reaches.
fn after(ttl: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);
    now() + ttl.min(CENTURY)
}

#[expect(clippy::disallowed_methods, reason = "claims are ended by a thread, which sleeps by the machine's clock")]
fn now() -> Instant {
    Instant::now()
}
