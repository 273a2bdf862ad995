//! [`TokioClock`]: the time of day under tokio's time.

use std::sync::Arc;

use orch_core::clock::{Clock, Timestamp};

/// Shows what tokio's time says, so that pausing the one pauses the other.
#[derive(Debug)]
pub(crate) struct TokioClock {
    start: tokio::time::Instant,
}

impl TokioClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { start: tokio::time::Instant::now() })
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        let start = Timestamp::from_second(1_800_000_000).expect("a time");
        start.saturating_add(self.start.elapsed()).expect("a time")
    }
}
