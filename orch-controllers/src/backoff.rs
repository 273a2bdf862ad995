//! [`Backoff`]: how long to wait before trying again.

use std::time::Duration;

use orch_core::entropy::Entropy;

/// How long to wait before trying again: twice as long after each failure, up to a limit.
///
/// With chance, a pause lies anywhere in the upper half of what it would be without, so that many who failed at the
/// same time do not come back at the same time ("equal jitter" of Brooker: "Exponential Backoff And Jitter", AWS
/// Architecture Blog, 2015).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The pause after the first failure.
    pub base: Duration,
    /// The longest pause.
    pub max: Duration,
}

impl Backoff {
    /// The pause after so many failures in a row, without chance. None after no failure.
    #[must_use]
    pub fn pause(&self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.max)
    }

    /// The pause after so many failures in a row, with chance.
    #[must_use]
    pub fn jittered(&self, failures: u32, entropy: &dyn Entropy) -> Duration {
        let half = self.pause(failures) / 2;
        let spread = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX).saturating_add(1);
        half + Duration::from_nanos(entropy.next_u64() % spread)
    }
}

#[cfg(test)]
mod tests {
    use orch_core::entropy::SeededEntropy;

    use super::*;

    const BACKOFF: Backoff = Backoff { base: Duration::from_millis(10), max: Duration::from_secs(1) };

    #[test]
    fn pauses_double_up_to_the_limit() {
        let pauses: Vec<u128> = (0..10).map(|failures| BACKOFF.pause(failures).as_millis()).collect();
        assert_eq!(pauses, [0, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        assert_eq!(BACKOFF.pause(u32::MAX), BACKOFF.max);
    }

    #[test]
    fn chance_takes_away_at_most_half() {
        let entropy = SeededEntropy::new(1);
        for failures in 0..100 {
            let (pause, jittered) = (BACKOFF.pause(failures), BACKOFF.jittered(failures, &entropy));
            assert!(pause / 2 <= jittered && jittered <= pause, "{jittered:?} of {pause:?}");
        }
    }
}
