//! [`Containers`]: runs executors and tasks, as processes of the machine or from images.

mod launch;
mod runtimes;

use std::time::Duration;

use orch_core::runtime::{ExecOutput, RuntimeError};

pub use launch::{ContainerPlan, Ended, LaunchError, Launched};
pub use runtimes::{ImageRuntime, RuntimeSetting};

/// What an agent's containers are run with.
#[derive(Debug)]
pub struct Containers {}

impl Containers {
    /// Opens the runtimes, with every container that an earlier agent left there.
    ///
    /// # Errors
    /// [`RuntimeError`] if one cannot be used.
    pub async fn open(setting: RuntimeSetting) -> Result<Self, RuntimeError> {
        drop(setting);
        Ok(Self {})
    }

    /// Gives the runtimes back, as if this process had ended: containers go on.
    pub async fn close(&self) {}

    /// Makes the sandbox, fetches what the command needs, and starts the container. One that was started before is not
    /// started again.
    ///
    /// # Errors
    /// [`LaunchError`]; nothing runs then.
    pub async fn launch(&self, plan: &ContainerPlan) -> Result<Launched, LaunchError> {
        Err(LaunchError::failed(format!("{}: not yet", plan.id)))
    }

    /// How it runs; none if it does not, or is not known.
    pub async fn find(&self, _id: &str) -> Option<Launched> {
        None
    }

    /// Waits for its end. One that is not known has ended.
    pub async fn ended(&self, id: &str) -> Ended {
        Ended { status: None, reason: None, message: format!("{id}: not yet") }
    }

    /// Asks it to end, and kills it after `grace`. Returns when it has ended.
    pub async fn kill(&self, _id: &str, _grace: Duration) {}

    /// Runs a command beside it.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub async fn exec(&self, id: &str, _command: &[String], _timeout: Duration) -> Result<ExecOutput, String> {
        Err(format!("{id}: not yet"))
    }

    /// Forgets it, killing what still runs. Its sandbox stays.
    pub async fn remove(&self, _id: &str) {}

    /// The ids of all that are known, running or ended, until they are removed: after a restart of the agent, what is
    /// left of before.
    pub async fn known(&self) -> Vec<String> {
        Vec::new()
    }

    /// The ids of those that run.
    pub async fn running(&self) -> Vec<String> {
        Vec::new()
    }
}
