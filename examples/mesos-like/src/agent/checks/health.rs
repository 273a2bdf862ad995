//! [`Health`]: what the results of health checks mean.

use std::time::Duration;

use crate::wire::HealthCheck;

/// What the results of a task's health checks mean, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Health {
    /// For how long failures do not count before the first success.
    grace: Duration,
    /// After so many failures in a row the task is to end.
    most_failures: u32,
    was_healthy: bool,
    failures: u32,
}

/// What is to be told of a task's health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::agent) struct Verdict {
    /// Whether it works.
    pub(in crate::agent) healthy: bool,
    /// Whether it is to end.
    pub(in crate::agent) kill: bool,
    /// What was seen, if it does not work.
    pub(in crate::agent) message: Option<String>,
}

impl Health {
    pub(super) fn new(check: &HealthCheck) -> Self {
        Self {
            grace: seconds(check.grace_period_seconds()),
            most_failures: check.consecutive_failures(),
            was_healthy: false,
            failures: 0,
        }
    }

    /// A result, so long after the task was started; none if there is nothing to tell.
    pub(super) fn saw(&mut self, after: Duration, result: Result<(), String>) -> Option<Verdict> {
        match result {
            Ok(()) => {
                let is_news = !self.was_healthy || self.failures > 0;
                (self.was_healthy, self.failures) = (true, 0);
                is_news.then_some(Verdict { healthy: true, kill: false, message: None })
            }
            Err(_) if !self.was_healthy && after <= self.grace && !self.grace.is_zero() => None,
            Err(why) => {
                self.failures = self.failures.saturating_add(1);
                let kill = self.failures >= self.most_failures;
                let message = Some(format!("Health check failed, {} in a row: {why}", self.failures));
                Some(Verdict { healthy: false, kill, message })
            }
        }
    }
}

/// A length of time; nothing for what is none.
pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(grace: f64, most: u32) -> Health {
        Health::new(&HealthCheck {
            grace_period_seconds: Some(grace),
            consecutive_failures: Some(most),
            ..HealthCheck::default()
        })
    }

    fn told(health: &mut Health, after: u64, works: bool) -> Option<(bool, bool)> {
        let result = if works { Ok(()) } else { Err("refused".to_owned()) };
        health.saw(Duration::from_secs(after), result).map(|verdict| (verdict.healthy, verdict.kill))
    }

    #[test]
    fn a_task_that_works_is_told_of_once_until_it_does_not() {
        let mut health = health(0.0, 3);
        assert_eq!(told(&mut health, 0, true), Some((true, false)));
        assert_eq!(told(&mut health, 1, true), None);
        assert_eq!(told(&mut health, 2, false), Some((false, false)));
        assert_eq!(told(&mut health, 3, true), Some((true, false)));
        assert_eq!(told(&mut health, 4, true), None);
    }

    #[test]
    fn as_many_failures_in_a_row_as_there_may_be_end_a_task() {
        let mut health = health(0.0, 2);
        for (works, expected) in [
            (false, Some((false, false))),
            (true, Some((true, false))),
            (false, Some((false, false))),
            (false, Some((false, true))),
        ] {
            assert_eq!(told(&mut health, 100, works), expected);
        }
    }

    #[test]
    fn failures_count_for_nothing_while_a_task_that_never_worked_has_its_grace() {
        let mut health = health(10.0, 1);
        assert_eq!(told(&mut health, 1, false), None);
        assert_eq!(told(&mut health, 10, false), None);
        assert_eq!(told(&mut health.clone(), 11, false), Some((false, true)));
        assert_eq!(told(&mut health, 2, true), Some((true, false)));
        assert_eq!(told(&mut health, 3, false), Some((false, true)), "the grace is over with the first success");
    }
}
