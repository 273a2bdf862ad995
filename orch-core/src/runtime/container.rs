//! [`ContainerSpec`] and [`ContainerStatus`]: what is to run, and what has become of it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ContainerId, ImageName, Mount, Privileges};
use crate::clock::Timestamp;

/// What is to run, with every reference resolved: what is written here is what the process gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// The image, where the runtime uses images. It must be on the node.
    pub image: Option<ImageName>,
    /// The program and its first arguments. Empty: what the image says.
    pub command: Vec<String>,
    /// Further arguments.
    pub args: Vec<String>,
    /// The whole environment, in order; of one name given twice the last counts.
    pub env: Vec<(String, String)>,
    /// The folder in which the program starts; by default the runtime's choice.
    pub working_dir: Option<PathBuf>,
    /// What it may use.
    pub limits: ResourceLimits,
    /// What of the node's files it sees, besides its image.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// As whom it runs, and what it may do.
    #[serde(default)]
    pub privileges: Privileges,
    /// Whether its standard input can be written to, by attaching to it; otherwise it is empty.
    #[serde(default)]
    pub stdin: bool,
    /// Whether its standard input and output are a terminal. Its errors are then part of its output.
    #[serde(default)]
    pub tty: bool,
}

/// The most that a container may use. `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceLimits {
    /// Processor time, in thousandths of a core.
    pub cpu_millis: Option<u64>,
    /// Memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// Processes and threads.
    #[serde(default)]
    pub processes: Option<u64>,
    /// How much processor time it gets beside others when there is not enough for all, in thousandths of a core. Not a
    /// limit: what others leave it may use.
    #[serde(default)]
    pub cpu_share_millis: Option<u64>,
}

/// One attempt, and what has become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerStatus {
    /// Which attempt.
    pub id: ContainerId,
    /// What was asked to run.
    pub spec: ContainerSpec,
    /// Whether it runs.
    pub state: ContainerState,
    /// The process that was started, where the runtime knows it.
    pub process: Option<u32>,
    /// The image that it was started from, by its content: `sha256:…`.
    pub image_id: Option<String>,
}

/// Whether a container runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// It runs.
    Running {
        /// Since when.
        started_at: Timestamp,
    },
    /// It ended.
    Exited {
        /// How.
        reason: ExitReason,
        /// The exit code; 128 and the signal's number when a signal ended it, as shells count.
        code: i32,
        /// When it was started.
        started_at: Timestamp,
        /// When it ended, as near as is known.
        finished_at: Timestamp,
        /// More, for people; may be empty.
        message: String,
    },
}

impl ContainerState {
    /// Whether it runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. })
    }
}

/// How a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ExitReason {
    /// It returned an exit code, zero or not.
    Exited,
    /// A signal ended it.
    Signaled,
    /// It used more memory than it may.
    OutOfMemory,
    /// It could not be started. The code is 128.
    StartError,
    /// It ended while nobody watched, and how is not known. The code is 137.
    Unknown,
}

/// What became of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecOutput {
    /// The exit code; 128 and the signal's number when a signal ended it.
    pub code: i32,
    /// What it wrote, at most 1 MiB; more is dropped.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error, at most 1 MiB; more is dropped.
    pub stderr: Vec<u8>,
}
