//! [`ManualClock`]: time that moves when it is told to.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use orch_core::clock::{Clock, Timestamp};

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock that shows `time`.
    #[must_use]
    pub fn new(time: Timestamp) -> Self {
        Self(Mutex::new(time))
    }

    /// Shows another time, be it later or earlier.
    pub fn set(&self, time: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = time;
    }

    /// Moves on.
    pub fn advance(&self, time: Duration) {
        self.set(self.now().saturating_add(time).unwrap_or(Timestamp::MAX));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
