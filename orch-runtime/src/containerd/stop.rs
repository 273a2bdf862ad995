//! [`stop`]: asks a container to end, and kills it.

use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use orch_core::runtime::{ContainerId, RuntimeError};

use super::Shared;
use super::error::{Failure, Meaning, Unless as _};
use super::settle::{Life, look};
use super::wire::{KillTask, WaitTask};

/// How long the kernel may take to end what was killed.
const KILL_TAKES: Duration = Duration::from_secs(10);
/// Between two questions when containerd does not answer.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// Asks a container to end, and kills it after `grace`.
pub(super) async fn stop(shared: &Arc<Shared>, id: &ContainerId, grace: Duration) -> Result<(), RuntimeError> {
    let unknown = || RuntimeError::NoSuchContainer { id: id.clone() };
    let attempt = shared.attempt(id).await?.ok_or_else(unknown)?;
    let record = attempt.record.clone();
    let (attempt, life) = look(shared, attempt).await?;
    match life {
        Life::NotStarted => return Err(unknown()),
        Life::Ended => return Ok(()),
        Life::Running(_) => {}
    }
    if !grace.is_zero() {
        signal(shared, &record, Signal::SIGTERM).await?;
    }
    if tokio::time::timeout(grace, ended(shared, &record)).await.is_err() {
        kill(shared, &record).await?;
    }
    // Its end is written down before this returns.
    look(shared, attempt).await?;
    Ok(())
}

/// Kills everything of a container, and waits for its end. One that has ended is no error.
pub(super) async fn kill(shared: &Shared, record: &str) -> Result<(), Failure> {
    signal(shared, record, Signal::SIGKILL).await?;
    if tokio::time::timeout(KILL_TAKES, ended(shared, record)).await.is_ok() {
        return Ok(());
    }
    let message = format!("container {record} was killed and has not ended: a process of it may wait for a device");
    Err(Failure::new(Meaning::Transient, message))
}

async fn signal(shared: &Shared, record: &str, signal: Signal) -> Result<(), Failure> {
    let (container_id, exec_id, all) = (record.to_owned(), String::new(), signal == Signal::SIGKILL);
    let request = KillTask { container_id, exec_id, signal: signal as u32, all };
    match shared.client.call(request).await.unless_missing() {
        // It was made and never started, or has just ended.
        Err(failure) if failure.meaning == Meaning::WrongState => Ok(()),
        result => result.map(drop),
    }
}

/// Returns when it has ended, also if containerd is restarted meanwhile.
async fn ended(shared: &Shared, record: &str) {
    loop {
        let request = WaitTask { container_id: record.to_owned(), exec_id: String::new() };
        match shared.client.wait_for(request).await.unless_missing() {
            Ok(_) => return,
            Err(failure) => tracing::debug!(%record, error = %failure.message, "cannot wait for its end; asking again"),
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}
