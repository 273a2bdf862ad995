//! [`Pull`] and [`PullState`]: the fetching of an image before the start of a container.

use std::time::Duration;

use orch_core::runtime::{ContainerId, ImageName, PullProgress};

/// An image that must be fetched before an attempt can be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pull {
    /// The attempt that is to be started.
    pub(super) id: ContainerId,
    pub(super) image: ImageName,
    /// How often it was tried in vain before. What failed as often as that is tried again.
    pub(super) failures: u32,
}

/// How far the fetching of an image has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PullState {
    /// It goes on.
    Pulling { failures: u32, progress: PullProgress },
    /// The image is there.
    Pulled {
        /// How long the fetching took.
        took: Duration,
        /// How long the fetching and the waiting for its turn took.
        waited: Duration,
        size_bytes: u64,
    },
    /// It was tried in vain.
    Failed {
        message: String,
        /// How often in a row.
        failures: u32,
        /// How long ago the last time was.
        ago: Duration,
    },
}

/// How long to wait after so many tries in vain: as in Kubernetes 10 s, doubling up to 5 minutes.
pub(super) fn pause(failures: u32) -> Duration {
    const FIRST: Duration = Duration::from_secs(10);
    const LONGEST: Duration = Duration::from_secs(300);
    let doublings = failures.saturating_sub(1);
    FIRST.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_the_longest() {
        let pauses = [0, 1, 2, 3, 5, 6, 7, 100].map(|failures| pause(failures).as_secs());
        assert_eq!(pauses, [10, 10, 20, 40, 160, 300, 300, 300]);
    }
}
