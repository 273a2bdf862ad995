//! [`ContainerStatus`]: what became of a container.

use serde::{Deserialize, Serialize};

use super::null::{is_default, null_as_default};
use super::time::Time;

/// What became of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerStatus {
    /// The container's name.
    pub name: String,
    /// What it does now.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub state: ContainerState,
    /// How its last run before this one ended.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub last_state: ContainerState,
    /// Whether it can be sent requests: it runs and its readiness probe, if any, succeeds.
    pub ready: bool,
    /// Whether it runs and its startup probe, if any, has succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<bool>,
    /// How often it was restarted.
    pub restart_count: i32,
    /// The image that it runs.
    pub image: String,
    /// The image by its content.
    #[serde(rename = "imageID")]
    pub image_id: String,
    /// The runtime's name for its present run, as `runtime://id`.
    #[serde(rename = "containerID", skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
}

/// What a container does; at most one of the three. With none it waits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerState {
    /// It does not run yet, or not again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<ContainerStateWaiting>,
    /// It runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<ContainerStateRunning>,
    /// Its run has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminated: Option<ContainerStateTerminated>,
}

impl ContainerState {
    /// The state of a container that waits for the reason given.
    #[must_use]
    pub fn waiting(reason: impl Into<String>, message: Option<String>) -> Self {
        let waiting = ContainerStateWaiting { reason: Some(reason.into()), message };
        Self { waiting: Some(waiting), ..Self::default() }
    }

    /// The state of a container that runs since the time given.
    #[must_use]
    pub fn running(started_at: Time) -> Self {
        Self { running: Some(ContainerStateRunning { started_at: Some(started_at) }), ..Self::default() }
    }

    /// The state of a container whose run has ended.
    #[must_use]
    pub fn terminated(terminated: ContainerStateTerminated) -> Self {
        Self { terminated: Some(terminated), ..Self::default() }
    }
}

/// A container that does not run yet, or not again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerStateWaiting {
    /// Why, in one word in CamelCase, for programs: `CrashLoopBackOff`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why, in words, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A container that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerStateRunning {
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
}

/// A run that has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerStateTerminated {
    /// With what exit code; 128 and the signal's number, when a signal ended it.
    pub exit_code: i32,
    /// By what signal, if one ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Why, in one word in CamelCase, for programs: `Completed`, `Error`, `OOMKilled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why, in words, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// The runtime's name for the run, as `runtime://id`.
    #[serde(rename = "containerID", skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
}
