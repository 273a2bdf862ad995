//! [`Delays`]: apps that fail are left alone for a while, longer each time.

use std::collections::BTreeMap;

use crate::marathon::model::{App, AppId, Version};

/// Until when apps that failed are left alone.
#[derive(Clone, Debug, Default)]
pub struct Delays {
    delays: BTreeMap<AppId, Delay>,
}

/// How long one is left alone. It belongs to a configuration: another one is tried at once.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Delay {
    config: Version,
    /// In seconds.
    length: f64,
    until: Version,
}

impl Delays {
    /// An instance of an app has failed.
    pub fn failed(&mut self, app: &App, now: Version) {
        let (config, backoff) = (app.version_info.last_config_change_at, app.backoff());
        let before = self.delays.get(&app.id).filter(|delay| delay.config == config);
        let length = before.map_or(backoff.seconds, |delay| delay.length * backoff.factor).min(backoff.most);
        #[expect(clippy::cast_possible_truncation, reason = "a cast of floats ends at the ends of the range")]
        let until = now.after_millis((length * 1_000.0) as i64);
        self.delays.insert(app.id.clone(), Delay { config, length, until });
    }

    /// Until when an app is left alone, if it is or was lately.
    #[must_use]
    pub fn until(&self, app: &App) -> Option<Version> {
        let delay = self.delays.get(&app.id)?;
        (delay.config == app.version_info.last_config_change_at).then_some(delay.until)
    }

    /// It is tried again at once. Returns whether it was left alone.
    pub fn reset(&mut self, app: &AppId) -> bool {
        self.delays.remove(app).is_some()
    }

    /// Forgets failures of apps that have not failed for so long since they were tried again.
    pub fn forget(&mut self, now: Version, seconds: u64) {
        self.delays.retain(|_, delay| delay.until.after(seconds) > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(seconds: f64, factor: f64, most: f64) -> App {
        let app: App = serde_json::from_value(serde_json::json!({ "id": "/web", "cmd": "x" })).expect("an app");
        App { backoff_seconds: seconds, backoff_factor: factor, max_launch_delay_seconds: most, ..app }
    }

    fn lengths(app: &App, count: usize) -> Vec<i64> {
        let mut delays = Delays::default();
        let length = |_| {
            delays.failed(app, Version(1_000));
            delays.until(app).expect("it failed").0 - 1_000
        };
        (0..count).map(length).collect()
    }

    #[test]
    fn each_failure_makes_it_longer_up_to_the_most() {
        assert_eq!(lengths(&app(1.0, 1.15, 300.0), 5), [1_000, 1_150, 1_322, 1_520, 1_749]);
        assert_eq!(lengths(&app(2.0, 3.0, 20.0), 4), [2_000, 6_000, 18_000, 20_000]);
        assert_eq!(lengths(&app(1.0, 1.15, 300.0), 60).last(), Some(&300_000));
        assert_eq!(lengths(&app(0.0, 2.0, 300.0), 2), [0, 0]);
    }

    #[test]
    fn another_configuration_is_tried_at_once_and_so_is_one_that_is_reset_or_did_well_for_long() {
        let mut delays = Delays::default();
        let first = app(10.0, 2.0, 300.0);
        delays.failed(&first, Version(0));
        let mut second = first.clone();
        second.version_info.last_config_change_at = Version(5);
        assert_eq!((delays.until(&first), delays.until(&second)), (Some(Version(10_000)), None));
        delays.forget(Version(69_999), 60);
        assert!(delays.until(&first).is_some());
        delays.forget(Version(70_000), 60);
        assert!(delays.until(&first).is_none());
        delays.failed(&first, Version(0));
        assert!(delays.reset(&first.id) && !delays.reset(&first.id));
    }
}
