//! How instances of an app are replaced, and what becomes of those that cannot be reached or that fail.

use serde::{Deserialize, Serialize};

/// How much may be missing, and how much too much, while instances are replaced: parts of the app's instances.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpgradeStrategy {
    /// How much must be healthy at any time.
    #[serde(default = "one")]
    pub minimum_health_capacity: f64,
    /// How much more than the app's instances may run.
    #[serde(default = "one")]
    pub maximum_over_capacity: f64,
}

/// How long an app that fails is left alone, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// After the first failure.
    pub seconds: f64,
    /// How much longer after each one that follows.
    pub factor: f64,
    /// At most.
    pub most: f64,
}

/// Which instance goes first when there are too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum KillSelection {
    /// The one that was started last.
    #[default]
    YoungestFirst,
    /// The one that was started first.
    OldestFirst,
}

/// What becomes of an instance whose agent cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Unreachable {
    /// It is waited for: `"disabled"`.
    Disabled(Disabled),
    /// It is replaced, and given up, after so many seconds.
    #[serde(rename_all = "camelCase")]
    Replaced {
        /// When another one is started beside it.
        #[serde(default)]
        inactive_after_seconds: u64,
        /// When it is given up: killed if it comes back.
        #[serde(default)]
        expunge_after_seconds: u64,
    },
}

/// The word `disabled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Disabled {
    /// It.
    Disabled,
}

/// What becomes of instances with volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Residency {
    /// What becomes of one that is lost.
    #[serde(default)]
    pub task_lost_behavior: TaskLost,
    /// After how many seconds an instance that cannot be started on its volumes again is started elsewhere.
    #[serde(default = "an_hour")]
    pub relaunch_escalation_timeout_seconds: u64,
}

/// What becomes of an instance with volumes that is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskLost {
    /// Its agent is waited for.
    #[default]
    WaitForever,
    /// It is started elsewhere after the time that [`Residency`] has for it.
    RelaunchAfterTimeout,
}

impl Default for UpgradeStrategy {
    fn default() -> Self {
        Self { minimum_health_capacity: 1.0, maximum_over_capacity: 1.0 }
    }
}

impl Default for Unreachable {
    fn default() -> Self {
        Self::Replaced { inactive_after_seconds: 0, expunge_after_seconds: 0 }
    }
}

fn one() -> f64 {
    1.0
}

fn an_hour() -> u64 {
    3600
}
