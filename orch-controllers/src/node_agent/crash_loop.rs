//! [`CrashLoopBackoff`]: how long a container that ends again and again waits before it is started again.

use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::runtime::{ContainerState, ContainerStatus};

/// How long a container that ends again and again waits before it is started again.
///
/// The first restart is immediate, the next waits `initial`, and each further one twice as long, up to `max`. A run of
/// at least `reset_after` counts as a success: after it all starts anew. As in Kubernetes, but with no memory: the wait
/// follows from the attempts that the runtime knows, so an agent that was restarted decides as the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashLoopBackoff {
    /// The wait before the second restart.
    pub initial: Duration,
    /// The longest wait.
    pub max: Duration,
    /// A run this long is no part of a crash loop.
    pub reset_after: Duration,
}

/// As Kubernetes has it: 10 s, 5 minutes, 10 minutes.
impl Default for CrashLoopBackoff {
    fn default() -> Self {
        Self { initial: Duration::from_secs(10), max: Duration::from_secs(300), reset_after: Duration::from_secs(600) }
    }
}

impl CrashLoopBackoff {
    /// How long to wait after the end of `latest` before the next attempt.
    ///
    /// The number of the attempt bounds the wait. Where the attempt before is still known, the pause between the two
    /// tells how long that wait was, and so whether there was a success in between.
    pub(super) fn wait(&self, latest: &ContainerStatus, previous: Option<&ContainerStatus>) -> Duration {
        let Some(end) = Run::of(latest) else { return Duration::ZERO };
        if latest.id.attempt == 0 || end.length() >= self.reset_after {
            return Duration::ZERO;
        }
        let by_number = self.step(latest.id.attempt - 1);
        let before = previous.filter(|previous| previous.id.attempt + 1 == latest.id.attempt).and_then(Run::of);
        let Some(before) = before else { return by_number };
        if before.length() >= self.reset_after {
            return self.initial.min(by_number);
        }
        by_number.min(self.after_pause(span(before.finished_at, end.started_at)))
    }

    /// The wait of this number, from 0.
    fn step(&self, number: u32) -> Duration {
        self.initial.saturating_mul(1_u32.checked_shl(number).unwrap_or(u32::MAX)).min(self.max)
    }

    /// The wait after one that, with what it took to notice and to start, took `pause`.
    fn after_pause(&self, pause: Duration) -> Duration {
        // A tenth less, since a runtime may tell times less exactly than they were measured.
        let waited = |number: &u32| self.step(*number).mul_f64(0.9) <= pause;
        (0..u32::BITS).take_while(waited).last().map_or(self.initial, |number| self.step(number + 1))
    }
}

/// When an attempt ran.
struct Run {
    started_at: Timestamp,
    finished_at: Timestamp,
}

impl Run {
    fn of(attempt: &ContainerStatus) -> Option<Self> {
        match attempt.state {
            ContainerState::Exited { started_at, finished_at, .. } => Some(Self { started_at, finished_at }),
            ContainerState::Running { .. } => None,
        }
    }

    fn length(&self) -> Duration {
        span(self.started_at, self.finished_at)
    }
}

/// The time from one moment to a later one; none if it is earlier, which happens when clocks are set.
pub(super) fn span(from: Timestamp, to: Timestamp) -> Duration {
    to.duration_since(from).try_into().unwrap_or_default()
}

/// A duration as Kubernetes' messages word it: `10s`, `1m20s`, `5m0s`, `500ms`.
pub(super) fn in_words(duration: Duration) -> String {
    let (seconds, millis) = (duration.as_secs(), duration.subsec_millis());
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0) if millis > 0 => format!("{millis}ms"),
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds}s"),
        (hours, minutes, seconds) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use orch_core::runtime::{ContainerId, ExitReason};

    use super::*;

    /// An attempt that ran from one second to another.
    fn attempt(number: u32, from: i64, to: i64) -> ContainerStatus {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let id =
            ContainerId { pod: "uid".parse().expect("a uid"), name: "web".parse().expect("a name"), attempt: number };
        let state = ContainerState::Exited {
            reason: ExitReason::Exited,
            code: 1,
            started_at: at(from),
            finished_at: at(to),
            message: String::new(),
        };
        ContainerStatus { id, spec: Default::default(), state, process: None, image_id: None }
    }

    fn wait(latest: &ContainerStatus, previous: Option<&ContainerStatus>) -> u64 {
        CrashLoopBackoff::default().wait(latest, previous).as_secs()
    }

    #[test]
    fn the_wait_doubles_with_every_attempt_up_to_the_longest() {
        let waits: Vec<u64> = (0..8).map(|number| wait(&attempt(number, 0, 1), None)).collect();
        assert_eq!(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(wait(&attempt(u32::MAX, 0, 1), None), 300);
    }

    #[test]
    fn the_wait_grows_the_same_whether_earlier_attempts_are_known_or_not() {
        let mut previous = attempt(0, 0, 1);
        let mut waits = Vec::new();
        for number in 1..8 {
            let Some(run) = Run::of(&previous) else { panic!("it ended") };
            let paused = CrashLoopBackoff::default().wait(&previous, None);
            // It takes a second to be noticed and started.
            let start = run.finished_at.as_second() + i64::try_from(paused.as_secs()).expect("short") + 1;
            let latest = attempt(number, start, start + 1);
            waits.push(wait(&latest, Some(&previous)));
            previous = latest;
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn a_long_run_ends_a_crash_loop() {
        let long = attempt(7, 1_000, 1_600);
        assert_eq!(wait(&long, Some(&attempt(6, 0, 700))), 0);
        let next = attempt(8, 1_600, 1_601);
        assert_eq!(wait(&next, Some(&long)), 10);
        let after_next = attempt(9, 1_611, 1_612);
        assert_eq!(wait(&after_next, Some(&next)), 20, "the pause tells that it had started anew");
    }

    #[test]
    fn clocks_that_were_set_back_do_not_make_ages_negative() {
        assert_eq!(wait(&attempt(2, 100, 50), Some(&attempt(1, 900, 1_000))), 10);
    }

    #[test]
    fn durations_are_worded_as_go_words_them() {
        let words = [10, 80, 300, 3_725].map(|seconds| in_words(Duration::from_secs(seconds)));
        assert_eq!(words, ["10s", "1m20s", "5m0s", "1h2m5s"]);
        assert_eq!(in_words(Duration::from_millis(500)), "500ms");
    }
}
