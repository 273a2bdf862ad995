//! Health checks and checks: whether tasks work, and what is seen of them.

mod health;
mod probe;

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

pub(in crate::agent) use self::health::Verdict;
use self::health::{Health, seconds};
use self::probe::Probe;
pub(in crate::agent) use self::probe::Target;
use crate::wire::{CheckInfo, CheckStatusInfo, HealthCheck};

/// Looks whether a task works, and tells, until nobody listens.
pub(in crate::agent) async fn watch_health(check: HealthCheck, target: Target, tell: mpsc::Sender<Verdict>) {
    let started = Instant::now();
    let probe = Probe::of_health(&check);
    let mut health = Health::new(&check);
    sleep(seconds(check.delay_seconds())).await;
    loop {
        let result = match &probe {
            Ok(probe) => probe.judge(probe.look(&target, timeout(check.timeout_seconds())).await),
            Err(wrong) => Err(wrong.clone()),
        };
        if let Some(verdict) = health.saw(started.elapsed(), result)
            && tell.send(verdict).await.is_err()
        {
            return;
        }
        sleep(interval(check.interval_seconds())).await;
    }
}

/// Looks at a task, and tells whenever it sees something else, until nobody listens.
pub(in crate::agent) async fn watch(check: CheckInfo, target: Target, tell: mpsc::Sender<CheckStatusInfo>) {
    let probe = match Probe::of_check(&check) {
        Ok(probe) => probe,
        Err(wrong) => {
            tracing::warn!(container = target.container_id, "a check cannot be done: {wrong}");
            return;
        }
    };
    let mut last = None;
    sleep(seconds(check.delay_seconds())).await;
    loop {
        let seen = probe.look(&target, timeout(check.timeout_seconds())).await;
        if let Err(why) = &seen {
            tracing::debug!(container = target.container_id, "a check saw nothing: {why}");
        }
        let status = probe.status_after(&seen);
        if last.as_ref() != Some(&status) {
            last = Some(status.clone());
            if tell.send(status).await.is_err() {
                return;
            }
        }
        sleep(interval(check.interval_seconds())).await;
    }
}

/// What is told of a check before anything was seen.
pub(in crate::agent) fn nothing_seen(check: &CheckInfo) -> Option<CheckStatusInfo> {
    Probe::of_check(check).ok().map(|probe| probe.status(None))
}

/// However often it is asked for, there is some time in between.
fn interval(given: f64) -> Duration {
    seconds(given).max(Duration::from_millis(10))
}

/// Without a limit there is none that matters.
fn timeout(given: f64) -> Duration {
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
    let given = seconds(given);
    if given.is_zero() { LONGEST } else { given.min(LONGEST) }
}
