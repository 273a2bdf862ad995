//! [`ContainerPlan`], [`Launched`], [`Ended`] and [`LaunchError`]: what a container is to be, and what becomes of it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use orch_core::clock::Timestamp;

use crate::wire::{CommandInfo, ContainerInfo, Reason, Resource, Scalar};

/// What a container is to be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerPlan {
    /// Its id: a UUID. It is started once, however often that is asked for.
    pub id: String,
    /// What it is called for people who look at the machine: the task's or the executor's id.
    pub name: String,
    /// Its sandbox: made if it is not there. Its output is in the files `stdout` and `stderr` there.
    pub sandbox: PathBuf,
    /// The sandbox of its executor, for volumes that are in there.
    pub parent: Option<PathBuf>,
    /// Variables that it gets besides those of its command, which come later and so count.
    pub environment: Vec<(String, String)>,
    /// What it runs, after its URIs were fetched.
    pub command: CommandInfo,
    /// In what: none for a process of the machine.
    pub container: Option<ContainerInfo>,
    /// What it was given.
    pub resources: Vec<Resource>,
    /// The most that it may use, where that is more than it was given.
    pub limits: BTreeMap<String, Scalar>,
    /// The user that it runs as; by default, that of the agent. That of the command counts first.
    pub user: Option<String>,
}

/// A container runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launched {
    /// Its process, where that is known.
    pub pid: Option<u32>,
    /// Its own address; none where it has the machine's.
    pub ip: Option<IpAddr>,
    /// When it was started.
    pub started_at: Option<Timestamp>,
}

/// Why a container does not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LaunchError {
    /// What the framework is told.
    pub reason: Reason,
    /// The same in words.
    pub message: String,
}

impl LaunchError {
    /// The usual reason.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { reason: Reason::ContainerLaunchFailed, message: message.into() }
    }
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// As `wait` reports it; none if it is not known.
    pub status: Option<i32>,
    /// Why, if not by itself.
    pub reason: Option<Reason>,
    /// In words, as Mesos says it: `Command exited with status 1`.
    pub message: String,
}

impl Ended {
    /// Whether it ended by itself with status 0.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status == Some(0) && self.reason.is_none()
    }
}
