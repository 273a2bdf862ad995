//! The variables by which executors are told of their agent.

use std::net::SocketAddr;
use std::path::Path;

use super::core::{Key, Settings};
use crate::duration::written_duration;
use crate::wire::FrameworkInfo;

/// How long an executor waits for its agent, which may be started again.
const RECOVERY_TIMEOUT: &str = "15mins";

/// The variables of an executor.
#[must_use]
pub fn environment(
    key: &Key,
    framework: &FrameworkInfo,
    agent_id: &str,
    address: SocketAddr,
    sandbox: &Path,
    settings: &Settings,
) -> Vec<(String, String)> {
    let sandbox = sandbox.display().to_string();
    let mut all = vec![
        ("MESOS_FRAMEWORK_ID", key.framework.clone()),
        ("MESOS_EXECUTOR_ID", key.executor.clone()),
        ("MESOS_DIRECTORY", sandbox.clone()),
        ("MESOS_SANDBOX", sandbox),
        ("MESOS_SLAVE_ID", agent_id.to_owned()),
        ("MESOS_SLAVE_PID", format!("slave(1)@{address}")),
        ("MESOS_AGENT_ENDPOINT", address.to_string()),
        ("MESOS_CHECKPOINT", if framework.checkpoint() { "1" } else { "0" }.to_owned()),
        ("MESOS_HTTP_COMMAND_EXECUTOR", "1".to_owned()),
        ("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", written_duration(settings.shutdown_grace)),
        ("LIBPROCESS_PORT", "0".to_owned()),
    ];
    if framework.checkpoint() {
        all.push(("MESOS_RECOVERY_TIMEOUT", RECOVERY_TIMEOUT.to_owned()));
        all.push(("MESOS_SUBSCRIPTION_BACKOFF_MAX", written_duration(settings.reregistration)));
    }
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
