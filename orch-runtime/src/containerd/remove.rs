//! [`remove`] and [`remove_container`]: nothing is left behind.

use std::io;
use std::sync::Arc;

use orch_core::runtime::{ContainerId, PodUid, RuntimeError};

use super::error::{Failure, Unless as _};
use super::folder::remove_folder;
use super::lock::Lock;
use super::orphan::reap;
use super::pod::name_of;
use super::record::{AttemptRecord, Record, latest_label};
use super::settle::{Life, delete_task, task};
use super::stop::kill;
use super::wire::{DeleteContainer, ListTasks, RemoveSnapshot, STOPPED};
use super::{Shared, logger, names, sandbox};

/// Removes everything of a pod. The record of the sandbox goes last: as long as there is anything, it can be found.
pub(super) async fn remove(shared: &Arc<Shared>, pod: PodUid) -> Result<(), RuntimeError> {
    let (folder, lock) = (shared.root.pod(&pod), shared.root.lock(&pod));
    if shared.records(Some(&pod)).await?.is_empty() && !folder.exists() && !lock.exists() {
        return Ok(());
    }
    let lock = Lock::take(lock).await?;
    let attempts = shared.records(Some(&pod)).await?.into_iter().filter_map(|record| match record {
        Record::Attempt(attempt) => Some(attempt),
        Record::Sandbox(_) => None,
    });
    let attempts: Vec<AttemptRecord> = attempts.collect();
    let discarded = futures::future::join_all(attempts.iter().map(|attempt| discard(shared, attempt))).await;
    discarded.into_iter().collect::<Result<Vec<()>, Failure>>()?;
    sandbox::demolish(shared, &pod).await?;
    sandbox::forget(shared, &pod).await?;
    let tasks = shared.client.call(ListTasks {}).await?.tasks;
    for task in tasks.iter().map(name_of).filter(|task| task.starts_with(&format!("{pod}."))) {
        reap(shared, &task).await?;
    }
    lock.remove();
    Ok(())
}

/// Forgets an attempt that has ended.
pub(super) async fn remove_container(shared: &Arc<Shared>, id: ContainerId) -> Result<(), RuntimeError> {
    // Only pods that are there have a lock.
    if shared.container(&names::sandbox_record(&id.pod)).await?.is_none() {
        return Ok(());
    }
    let _lock = Lock::take(shared.root.lock(&id.pod)).await?;
    let Some(pod) = shared.pod(&id.pod).await? else { return Ok(()) };
    let found = pod.attempts.iter().find(|(attempt, _)| attempt.id == id);
    let Some((attempt, life)) = found else { return Ok(()) };
    if let Life::Running(_) = life {
        return Err(RuntimeError::StillRunning { id });
    }
    // Its number is not used again, so the record of it outlives it.
    if let Some(latest) = pod.latest(&id.name).filter(|_| pod.sandbox.is_some()) {
        let label = (latest_label(&id.name), latest.to_string());
        shared.set_labels(&names::sandbox_record(&id.pod), [label]).await?;
    }
    Ok(discard(shared, attempt).await?)
}

/// Removes everything of an attempt, killing what runs. The record goes last.
pub(super) async fn discard(shared: &Arc<Shared>, attempt: &AttemptRecord) -> Result<(), Failure> {
    remove_task(shared, &attempt.record).await?;
    let folder = shared.root.attempt(&attempt.id);
    logger::finished(&folder).await;
    let removed = folder.clone();
    let removed = tokio::task::spawn_blocking(move || remove_folder(&removed)).await;
    let removed = removed.unwrap_or_else(|error| Err(io::Error::other(error)));
    removed.map_err(|error| Failure::io("cannot remove", &folder, error))?;
    let snapshotter = shared.config.snapshotter.as_str().to_owned();
    shared.client.call(RemoveSnapshot { snapshotter, key: attempt.record.clone() }).await.unless_missing()?;
    shared.client.call(DeleteContainer { id: attempt.record.clone() }).await.unless_missing()?;
    shared.forget(&attempt.record);
    Ok(())
}

/// Removes the task of an attempt, killing what runs.
pub(super) async fn remove_task(shared: &Shared, record: &str) -> Result<(), Failure> {
    match task(shared, record).await? {
        None => return Ok(()),
        Some(task) if task.status == STOPPED => {}
        Some(_) => kill(shared, record).await?,
    }
    delete_task(shared, record).await
}
