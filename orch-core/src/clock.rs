//! [`Clock`]: where timestamps come from.

use std::fmt::Debug;

pub use jiff::Timestamp;

/// Tells the time of day. Everything that writes a timestamp or judges an age takes one, so that a test can set
/// it and a seed can replay it. Waiting is a different matter: that is `tokio::time`'s.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time now. Two calls may return the same time, and a later call may return an earlier one: wall clocks
    /// jump, so an age must be taken as zero when it would be negative.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one door by which the machine's time comes in")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
