//! An agent's first page: what it is and what it runs.

use crate::agent::actor::Actor;
use crate::agent::core::{Executor, Key, VERSION};
use crate::pages::{
    Address, Amounts, Column, Html, Table, Tone, amounts, badge, bars, facts, id, in_words, link, muted, section,
    state, task_name,
};
use crate::resources::attribute_text;
use crate::wire::{Resource, Task};

/// Its title, and what it runs.
pub(super) fn page(actor: &Actor) -> (String, Html) {
    let core = &actor.core;
    let info = core.info();
    let registered = match core.is_registered() {
        true => badge(Tone::Good, "registered"),
        false => badge(Tone::Bad, "not registered with a master"),
    };
    let mut said = vec![
        ("State", registered),
        ("Id", id(info.id.as_ref().map_or("", |id| &id.value))),
        ("Address", actor.parts().address.to_string().into()),
        ("Version", VERSION.into()),
        ("All resources", in_words(core.resources()).into()),
    ];
    said.extend(info.attributes.iter().map(|one| (one.name.as_str(), attribute_text(one).into())));
    let used = core.executors().values().filter(|executor| executor.is_alive()).flat_map(resources);
    let bars = bars(&amounts(core.resources()), &amounts(used), &Amounts::new());
    let (active, ended) = (tasks(actor, false), tasks(actor, true));
    let page = facts(said).and(section("Resources", bars)).and(section("Executors", executors(actor)));
    let page = page.and(section("Active tasks", active.or("No task runs here.")));
    let ended = ended.or("None: what ended is known until its framework acknowledges it. Its files are kept longer.");
    (format!("Agent {}", info.hostname), page.and(section("Tasks that have just ended", ended)))
}

/// What an executor has, with its tasks.
fn resources(executor: &Executor) -> impl Iterator<Item = &Resource> {
    let tasks = executor.tasks.values().filter(|life| !life.has_ended()).flat_map(|life| &life.info.resources);
    executor.info.resources.iter().chain(tasks)
}

fn executors(actor: &Actor) -> Html {
    let mut table = Table::new([
        Column::text("Executor"),
        Column::text("Framework"),
        Column::number("Tasks"),
        Column::text("Resources"),
        Column::text("Container"),
        Column::text("Files"),
    ]);
    for (key, executor) in actor.core.executors().iter().filter(|(_, executor)| executor.is_alive()) {
        let count = executor.tasks.values().filter(|life| !life.has_ended()).count();
        let resources: Vec<Resource> = resources(executor).cloned().collect();
        table.row([
            id(&key.executor),
            framework(actor, key),
            count.to_string().into(),
            muted(in_words(&resources)),
            id(&executor.container_id),
            link(&sandbox(key), "sandbox"),
        ]);
    }
    table.or("No executor runs here.")
}

fn tasks(actor: &Actor, has_ended: bool) -> Table<5> {
    let mut table = Table::new([
        Column::text("Task"),
        Column::text("State"),
        Column::text("Framework"),
        Column::text("Resources"),
        Column::text("Files"),
    ]);
    for (key, executor) in actor.core.executors() {
        for life in executor.tasks.values().filter(|life| life.has_ended() == has_ended) {
            let task: Task = life.told();
            table.row([
                task_name(&task),
                state(&task),
                framework(actor, key),
                muted(in_words(&task.resources)),
                link(&sandbox(key).with("task", &task.task_id.value), "sandbox"),
            ]);
        }
    }
    table
}

fn framework(actor: &Actor, key: &Key) -> Html {
    let name = actor.core.frameworks().get(&key.framework).map(|info| info.name.as_str());
    match name.filter(|name| !name.is_empty()) {
        Some(name) => name.into(),
        None => id(&key.framework),
    }
}

fn sandbox(key: &Key) -> Address {
    Address::here("/pages/sandbox").with("framework", &key.framework).with("executor", &key.executor)
}
