//! How a task is shown.

use super::html::Html;
use super::{Tone, badge, id, muted};
use crate::wire::{Task, TaskState};

/// The state of a task, its health if somebody looks after it, and what was last said of it if it went wrong.
#[must_use]
pub fn state(task: &Task) -> Html {
    let state = task.state();
    let tone = match state {
        TaskState::Running => Tone::Good,
        TaskState::Staging | TaskState::Starting | TaskState::Killing => Tone::Busy,
        TaskState::Finished | TaskState::Killed => Tone::Quiet,
        _ => Tone::Bad,
    };
    let word = state.text().trim_start_matches("TASK_").to_ascii_lowercase().replace('_', " ");
    let mut shown = badge(tone, &word);
    let Some(last) = task.statuses.last() else { return shown };
    shown = match last.healthy.filter(|_| !state.is_terminal()) {
        Some(true) => shown.and(" ").and(badge(Tone::Good, "healthy")),
        Some(false) => shown.and(" ").and(badge(Tone::Bad, "unhealthy")),
        None => shown,
    };
    match &last.message {
        Some(message) if tone == Tone::Bad && !message.is_empty() => shown.and(" ").and(muted(message)),
        _ => shown,
    }
}

/// A task's id, and its name if that says more.
#[must_use]
pub fn task_name(task: &Task) -> Html {
    let name = id(&task.task_id.value);
    if task.name.is_empty() || task.name == task.task_id.value { name } else { name.and(" ").and(muted(&task.name)) }
}
