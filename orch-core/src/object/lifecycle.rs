//! [`Lifecycle`]: what is done in a container after its start and before its end.

use serde::{Deserialize, Serialize};

use super::container::ContainerPort;
use super::probe::{ExecAction, HttpGetAction, TcpSocketAction, validate_actions};
use crate::validation::Problems;

/// The hooks of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lifecycle {
    /// Done right after the start. Until it is done, the container does not count as started; fails: the container is
    /// ended and restarted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_start: Option<LifecycleHandler>,
    /// Done before the container is asked to end, if somebody ends it. It takes its time from the grace period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre_stop: Option<LifecycleHandler>,
}

impl Lifecycle {
    /// Checks the hooks of a container that has these ports.
    pub(super) fn validate(&self, ports: &[ContainerPort], problems: &mut Problems) {
        for (name, hook) in [("postStart", &self.post_start), ("preStop", &self.pre_stop)] {
            let Some(hook) = hook else { continue };
            problems.field(name, |problems| hook.validate(ports, problems));
        }
    }
}

/// What a hook does: exactly one of `exec`, `http_get`, `tcp_socket` and `sleep`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LifecycleHandler {
    /// Runs a command in the container; it must exit with 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec: Option<ExecAction>,
    /// Sends an HTTP request; it must be answered with a status from 200 to 399.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_get: Option<HttpGetAction>,
    /// Opens a TCP connection, which must be accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_socket: Option<TcpSocketAction>,
    /// Waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sleep: Option<SleepAction>,
}

impl LifecycleHandler {
    fn validate(&self, ports: &[ContainerPort], problems: &mut Problems) {
        let given = [self.exec.is_some(), self.http_get.is_some(), self.tcp_socket.is_some(), self.sleep.is_some()];
        let given = given.into_iter().filter(|given| *given).count();
        if given != 1 {
            problems.report(format!("must have exactly one of exec, httpGet, tcpSocket and sleep, got {given}"));
        }
        validate_actions(self.exec.as_ref(), self.http_get.as_ref(), self.tcp_socket.as_ref(), ports, problems);
        if let Some(sleep) = &self.sleep {
            problems.field("sleep", |problems| problems.at_least("seconds", Some(sleep.seconds), 0));
        }
    }
}

/// A time to wait.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SleepAction {
    /// How many seconds.
    pub seconds: i64,
}
