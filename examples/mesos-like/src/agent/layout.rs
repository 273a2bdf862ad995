//! Where an agent keeps what it keeps.

use std::path::{Path, PathBuf};

use super::core::Key;

/// The sandbox of an executor's container.
#[must_use]
pub fn sandbox(work_dir: &Path, agent: &str, key: &Key, container: &str) -> PathBuf {
    runs(work_dir, agent, key).join(container)
}

/// The folder of all containers that an executor had; `latest` in there leads to the last one.
#[must_use]
pub fn runs(work_dir: &Path, agent: &str, key: &Key) -> PathBuf {
    let agent = work_dir.join("slaves").join(agent);
    agent.join("frameworks").join(&key.framework).join("executors").join(&key.executor).join("runs")
}

/// The folder below which all sandboxes are.
#[must_use]
pub fn sandboxes(work_dir: &Path) -> PathBuf {
    work_dir.join("slaves")
}
