//! [`look`]: what has become of an attempt; and an end, once seen, is written down.

use std::sync::Arc;

use orch_core::clock::{Clock as _, SystemClock, Timestamp};
use orch_core::runtime::ExitReason;

use super::error::{Failure, Unless as _};
use super::record::{AttemptRecord, ExitRecord};
use super::wire::{CREATED, DeleteTask, GetTask, STOPPED, Task, Timestamp as WireTimestamp};
use super::{Shared, cgroup, logger};

/// What has become of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// Its start was begun and interrupted. Nobody was told that it is there.
    NotStarted,
    /// It runs as this process.
    Running(u32),
    /// It ended, and its record says how.
    Ended,
}

/// Looks at an attempt. The record that is returned says how it ended, if it has.
pub(super) async fn look(shared: &Arc<Shared>, attempt: AttemptRecord) -> Result<(AttemptRecord, Life), Failure> {
    if attempt.exit.is_some() && shared.is_settled(&attempt.record) {
        return Ok((attempt, Life::Ended));
    }
    let task = task(shared, &attempt.record).await?;
    look_at(shared, attempt, task).await
}

/// The same, of a task that was asked for already.
pub(super) async fn look_at(
    shared: &Arc<Shared>,
    attempt: AttemptRecord,
    task: Option<Task>,
) -> Result<(AttemptRecord, Life), Failure> {
    if attempt.exit.is_some() && shared.is_settled(&attempt.record) {
        return Ok((attempt, Life::Ended));
    }
    if attempt.exit.is_none() {
        match &task {
            _ if attempt.started_at.is_none() => return Ok((attempt, Life::NotStarted)),
            Some(task) if task.status == CREATED => return Ok((attempt, Life::NotStarted)),
            Some(task) if task.status != STOPPED => return Ok((attempt, Life::Running(task.pid))),
            _ => {}
        }
    }
    settle(shared, attempt).await.map(|attempt| (attempt, Life::Ended))
}

/// The task of a record; `None` if there is none.
pub(super) async fn task(shared: &Shared, record: &str) -> Result<Option<Task>, Failure> {
    let request = GetTask { container_id: record.to_owned(), exec_id: String::new() };
    Ok(shared.client.call(request).await.unless_missing()?.and_then(|found| found.process))
}

/// Writes down how an attempt ended, and removes its task: then all of its output is in the log. One at a time may do so:
/// else one could find the task removed that the other has not written down yet.
async fn settle(shared: &Arc<Shared>, attempt: AttemptRecord) -> Result<AttemptRecord, Failure> {
    let gate = shared.gate(&attempt.record);
    let mut settled = gate.lock().await;
    // Another process may have come first, too. The order tells: it writes before it removes.
    let task = task(shared, &attempt.record).await?;
    let Some(mut attempt) = shared.attempt_record(&attempt.record).await? else { return Ok(attempt) };
    if *settled && attempt.exit.is_some() {
        return Ok(attempt);
    }
    if attempt.exit.is_none() {
        let exit = match &task {
            Some(task) => exit_of(shared, &attempt, task),
            None => unknown(),
        };
        shared.set_labels(&attempt.record, [exit.label()]).await.unless_missing()?;
        attempt.exit = Some(exit);
    }
    if task.is_some() {
        delete_task(shared, &attempt.record).await?;
    }
    logger::finished(&shared.root.attempt(&attempt.id)).await;
    *settled = true;
    Ok(attempt)
}

/// Removes a task that has ended, and waits for its logger. One that is gone is no error.
pub(super) async fn delete_task(shared: &Shared, record: &str) -> Result<(), Failure> {
    let request = DeleteTask { container_id: record.to_owned() };
    let deleted = shared.client.call_within(shared.config.start_timeout, request, None).await;
    match deleted.unless_missing() {
        // Its shim ends with it, and another one may have asked for that a moment before.
        Err(failure) if task(shared, record).await?.is_some() => Err(failure),
        _ => Ok(()),
    }
}

fn exit_of(shared: &Shared, attempt: &AttemptRecord, task: &Task) -> ExitRecord {
    let code = i32::try_from(task.exit_status).unwrap_or(137);
    let was_killed = code != 0 && cgroup::out_of_memory(&shared.cgroup(&attempt.record));
    let (reason, message) = match code {
        _ if was_killed => (ExitReason::OutOfMemory, out_of_memory(attempt)),
        129..=192 => (ExitReason::Signaled, String::new()),
        _ => (ExitReason::Exited, String::new()),
    };
    let finished_at = task.exited_at.as_ref().and_then(timestamp).unwrap_or_else(|| SystemClock.now());
    ExitRecord { reason, code, finished_at, message }
}

fn out_of_memory(attempt: &AttemptRecord) -> String {
    let limit = attempt.spec.limits.memory_bytes;
    let limit = limit.map(|bytes| format!(" than its limit of {bytes} bytes")).unwrap_or_default();
    format!("it used more memory{limit}, and the kernel killed it: raise the limit, or let it use less")
}

fn unknown() -> ExitRecord {
    let message = "its supervisor was killed, or the machine went down; nothing of it is left".to_owned();
    ExitRecord { reason: ExitReason::Unknown, code: 137, finished_at: SystemClock.now(), message }
}

fn timestamp(time: &WireTimestamp) -> Option<Timestamp> {
    // containerd writes the year 1 for "not yet".
    Timestamp::new(time.seconds, time.nanos).ok().filter(|time| *time > Timestamp::UNIX_EPOCH)
}
