//! [`Instance`]: one run of an app.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::marathon::launch::{LocalVolume, Spot};
use crate::marathon::model::{App, AppId, Unreachable, Version};

/// One run of an app, from the moment in which it was decided until it has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Instance {
    /// By what it is known: the app's names and something unique.
    pub id: String,
    /// Which app.
    pub app: AppId,
    /// The version of the app that it runs.
    pub version: Version,
    /// When the app that it runs was last changed, but for how often it runs: instances of one configuration are alike.
    pub config: Version,
    /// The id of its task.
    pub task_id: String,
    /// Where it runs.
    pub agent_id: String,
    /// The name of that.
    pub host: String,
    /// What its agent says of itself, as constraints look at it.
    pub attributes: BTreeMap<String, String>,
    /// The agent's ports, in the order of the app's.
    pub ports: Vec<u16>,
    /// The region of the agent.
    pub region: Option<String>,
    /// The zone of the agent.
    pub zone: Option<String>,
    /// In which role it was offered.
    pub role: String,
    /// How far it is.
    pub phase: Phase,
    /// When it was decided.
    pub staged_at: Version,
    /// When it was first known to run.
    pub started_at: Option<Version>,
    /// Whether it works, if somebody looked.
    pub healthy: Option<bool>,
    /// Whether it has said that it is ready, for apps that are asked.
    pub ready: bool,
    /// Since when it is being ended.
    pub killed_at: Option<Version>,
    /// Since when its agent cannot be reached.
    pub unreachable_since: Option<Version>,
    /// Its own addresses.
    pub ip_addresses: Vec<String>,
    /// How often it was started before.
    pub attempt: u32,
    /// Its disks, if it has such that outlive its tasks.
    pub volumes: Vec<LocalVolume>,
    /// Whether it gives its disks back when its task ends.
    pub is_wiped: bool,
    /// Since when it has no task, but keeps its disks.
    pub rests_since: Option<Version>,
}

/// How far an instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Its task was launched.
    Staging,
    /// Its executor has it.
    Starting,
    /// It runs.
    Running,
    /// It has no task, and keeps its disks until it is started again.
    Reserved,
    /// It has no task, and gives its disks back.
    Released,
}

impl Instance {
    /// Whether it has a task.
    #[must_use]
    pub fn has_task(&self) -> bool {
        !matches!(self.phase, Phase::Reserved | Phase::Released)
    }

    /// Whether it keeps its place when its task ends.
    #[must_use]
    pub fn keeps_its_place(&self) -> bool {
        !self.volumes.is_empty()
    }

    /// Whether it runs as far as is known, and nobody ends it.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.phase == Phase::Running && self.unreachable_since.is_none()
    }

    /// Whether it serves: it runs, works as far as its app has somebody look, and is ready.
    #[must_use]
    pub fn serves(&self, app: &App) -> bool {
        self.is_running()
            && (app.health_checks.is_empty() || self.healthy == Some(true))
            && (app.readiness_checks.is_empty() || self.ready)
    }

    /// When it is replaced, and when given up, if its agent cannot be reached and is not waited for.
    #[must_use]
    pub fn given_up_at(&self, app: &App) -> Option<(Version, Version)> {
        let since = self.unreachable_since?;
        match app.unreachable_strategy {
            Unreachable::Disabled(_) => None,
            Unreachable::Replaced { inactive_after_seconds, expunge_after_seconds } => {
                Some((since.after(inactive_after_seconds), since.after(expunge_after_seconds)))
            }
        }
    }

    /// Where it is, as constraints look at it.
    #[must_use]
    pub fn spot(&self) -> Spot {
        let (region, zone) = (self.region.clone(), self.zone.clone());
        Spot { host: self.host.clone(), attributes: self.attributes.clone(), region, zone }
    }

    /// The state of its task, as Mesos calls it.
    #[must_use]
    pub fn task_state(&self) -> &'static str {
        match (self.unreachable_since, self.killed_at, self.phase) {
            (Some(_), ..) => "TASK_UNREACHABLE",
            (None, Some(_), Phase::Running) => "TASK_KILLING",
            (None, _, Phase::Staging) => "TASK_STAGING",
            (None, _, Phase::Starting) => "TASK_STARTING",
            (None, None, Phase::Running) => "TASK_RUNNING",
            (None, _, Phase::Reserved | Phase::Released) => "TASK_FINISHED",
        }
    }
}
