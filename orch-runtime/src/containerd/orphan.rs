//! [`reap`]: removes a task that has no record.
//!
//! When this process is killed while a task is made, containerd may go on with it for a moment. By then the next runtime may
//! have found nothing but the record, and removed that.

use std::collections::BTreeMap;

use super::Shared;
use super::error::{Failure, Unless as _};
use super::record::blank;
use super::remove::remove_task;
use super::wire::{Container, CreateContainer, DeleteContainer};

/// What marks the record that an orphan is given, since containerd removes no task without one.
const ORPHAN: &str = "orch/orphan";

/// Removes a task that has no record, killing what runs.
pub(super) async fn reap(shared: &Shared, task: &str) -> Result<(), Failure> {
    match shared.container(task).await? {
        Some(container) if !container.labels.contains_key(ORPHAN) => return Ok(()),
        Some(_) => {}
        None => {
            let labels = BTreeMap::from([(ORPHAN.to_owned(), String::new())]);
            let container = Container { labels, ..blank(task) };
            let made = shared.client.call(CreateContainer { container: Some(container) }).await.unless_exists()?;
            if made.is_none() {
                // It has a record after all: somebody is starting it.
                return Ok(());
            }
        }
    }
    tracing::info!(%task, "a task that was begun and interrupted is removed");
    remove_task(shared, task).await?;
    shared.client.call(DeleteContainer { id: task.to_owned() }).await.unless_missing().map(drop)
}
