//! Tasks, in a table wherever they are shown.

use super::Looked;
use crate::pages::{Address, Column, Html, Table, in_words, muted, paged, section, state, task_name, time_of};
use crate::wire::Task;

/// All tasks.
pub(super) fn all(looked: Looked<'_>, here: &Address) -> Html {
    sections(looked, here, |_| true)
}

/// The tasks of which something is so: those that have not ended, and those that have, the last first.
pub(super) fn sections(looked: Looked<'_>, here: &Address, is_wanted: impl Fn(&Task) -> bool) -> Html {
    let active = looked.view.tasks.iter().chain(&looked.view.unreachable_tasks);
    let active: Vec<&Task> = active.filter(|task| is_wanted(task)).collect();
    let mut completed: Vec<&Task> = looked.view.completed_tasks.iter().filter(|task| is_wanted(task)).collect();
    completed.sort_by(|one, other| since(other).total_cmp(&since(one)));
    let headings = [("Active", active.len()), ("Completed", completed.len())];
    let [active_heading, completed_heading] = headings.map(|(kind, count)| format!("{kind} tasks ({count})"));
    let (shown, more) = paged(&active, "active", here, looked.query);
    let active = table(looked, shown, "No task runs.").and(more);
    let (shown, more) = paged(&completed, "completed", here, looked.query);
    let completed = table(looked, shown, "No task has ended yet.").and(more);
    section(&active_heading, active).and(section(&completed_heading, completed))
}

pub(super) fn table(looked: Looked<'_>, tasks: &[&Task], none: &str) -> Html {
    let mut table = Table::new([
        Column::text("Task"),
        Column::text("State"),
        Column::text("Framework"),
        Column::text("Agent"),
        Column::text("Resources"),
        Column::text("Since"),
        Column::text("Files"),
    ]);
    for task in tasks {
        table.row([
            task_name(task),
            state(task),
            looked.names.framework(&task.framework_id.value),
            looked.names.agent(&task.agent_id.value),
            muted(in_words(&task.resources)),
            time_of(since(task), looked.now),
            looked.names.sandbox(task),
        ]);
    }
    table.or(none)
}

/// Since when a task is in its state.
fn since(task: &Task) -> f64 {
    task.statuses.last().and_then(|status| status.timestamp).unwrap_or(0.0)
}
