//! Agents, frameworks, tasks, roles, weights and quotas, each by themselves.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::http::Query;
use crate::master::api::roles::{Amounts, RoleShown, roles as all_roles};
use crate::master::view::View;
use crate::v0::{self, quantities};
use crate::wire::operator::{Executor, Framework};
use crate::wire::{Resource, Task, ValueType};

/// How many tasks are shown unless another number is asked for.
const MOST_TASKS: i64 = 100;

/// `/slaves`
pub(super) fn agents(view: &View, query: &Query) -> Value {
    let wanted = query.get("slave_id").or(query.get("agent_id"));
    let is_wanted = |id: Option<&crate::wire::AgentId>| wanted.is_none() || id.map(|id| id.value.as_str()) == wanted;
    let agents = view.agents.iter().filter(|agent| is_wanted(agent.agent_info.id.as_ref()));
    let recovered = view.recovered_agents.iter().filter(|agent| is_wanted(agent.id.as_ref()));
    json!({
        "slaves": agents.map(v0::agent_with_all_resources).collect::<Vec<_>>(),
        "recovered_slaves": recovered.map(v0::agent_info).collect::<Vec<_>>(),
    })
}

/// `/frameworks`
pub(super) fn frameworks(view: &View, query: &Query) -> Value {
    let wanted = query.get("framework_id");
    let is_wanted = |framework: &&Framework| wanted.is_none() || Some(id_of(framework)) == wanted;
    let found = Found::of(view);
    let shown = |frameworks: &[Framework]| -> Vec<Value> {
        frameworks.iter().filter(is_wanted).map(|framework| found.framework(framework)).collect()
    };
    json!({
        "frameworks": shown(&view.frameworks),
        "completed_frameworks": shown(&view.completed_frameworks),
        "unregistered_frameworks": [],
    })
}

/// `/tasks`
///
/// # Errors
/// What is wrong with the query.
pub(super) fn tasks(view: &View, query: &Query) -> Result<Value, String> {
    // A limit below nothing is none.
    let limit = usize::try_from(query.number("limit")?.unwrap_or(MOST_TASKS)).unwrap_or(usize::MAX);
    let offset = usize::try_from(query.number("offset")?.unwrap_or(0)).unwrap_or(0);
    let is = |name: &str, value: &str| query.get(name).is_none_or(|wanted| wanted == value);
    let all = view.tasks.iter().chain(&view.unreachable_tasks).chain(&view.completed_tasks);
    let wanted = |task: &&Task| is("task_id", &task.task_id.value) && is("framework_id", &task.framework_id.value);
    let mut tasks: Vec<&Task> = all.filter(wanted).collect();
    // When a task was first heard of; one that never was is the oldest.
    let since = |task: &Task| task.statuses.first().map_or(f64::MIN, |status| status.timestamp.unwrap_or(0.0));
    tasks.sort_by(|a, b| since(a).total_cmp(&since(b)));
    if query.get("order") != Some("asc") {
        tasks.reverse();
    }
    let shown = tasks.into_iter().skip(offset).take(limit).map(v0::task);
    Ok(json!({ "tasks": shown.collect::<Vec<_>>() }))
}

/// `/roles`
pub(super) fn roles(view: &View) -> Value {
    json!({ "roles": all_roles(view).iter().map(role).collect::<Vec<_>>() })
}

/// `/weights`: those that are not one.
pub(super) fn weights(view: &View) -> Value {
    view.weights.iter().map(|(role, weight)| json!({"role": role, "weight": weight})).collect()
}

/// `/quota`: guarantees alone, as the older API has them.
pub(super) fn quota(view: &View) -> Value {
    let info = |(role, quota): (&String, &crate::wire::QuotaConfig)| {
        let guarantee = |(name, scalar): (&String, &crate::wire::Scalar)| {
            v0::message(&Resource {
                name: name.clone(),
                r#type: ValueType::Scalar.into(),
                scalar: Some(scalar.clone()),
                role: Some("*".to_owned()),
                ..Resource::default()
            })
        };
        json!({"role": role, "guarantee": quota.guarantees.iter().map(guarantee).collect::<Vec<_>>()})
    };
    json!({ "infos": view.quotas.iter().map(info).collect::<Vec<_>>() })
}

fn role(role: &RoleShown<'_>) -> Value {
    let both = |a: &Amounts, b: &Amounts| {
        let mut sum = a.clone();
        for (name, amount) in b {
            sum.entry(name.clone()).or_default().value += amount.value;
        }
        quantities(&sum)
    };
    let quota = role.quota.cloned().unwrap_or_default();
    json!({
        "name": role.name,
        "weight": role.weight,
        "frameworks": role.frameworks,
        "quota": {
            "role": role.name,
            "guarantee": quantities(&quota.guarantees),
            "limit": quantities(&quota.limits),
            "consumed": quantities(&role.consumed),
        },
        "resources": both(&role.allocated, &role.offered),
        "allocated": quantities(&role.allocated),
        "offered": quantities(&role.offered),
        "reserved": quantities(&role.reserved),
    })
}

fn id_of(framework: &Framework) -> &str {
    framework.framework_info.id.as_ref().map_or("", |id| &id.value)
}

/// Tasks and executors by their framework.
pub(super) struct Found<'a> {
    tasks: [(&'static str, HashMap<&'a str, Vec<&'a Task>>); 3],
    executors: HashMap<&'a str, Vec<&'a Executor>>,
}

impl<'a> Found<'a> {
    pub(super) fn of(view: &'a View) -> Self {
        let by_framework = |tasks: &'a [Task]| {
            let mut by_framework: HashMap<&str, Vec<&Task>> = HashMap::new();
            for task in tasks {
                by_framework.entry(&task.framework_id.value).or_default().push(task);
            }
            by_framework
        };
        let mut executors: HashMap<&str, Vec<&Executor>> = HashMap::new();
        for executor in &view.executors {
            let framework = executor.executor_info.framework_id.as_ref().map_or("", |id| &id.value);
            executors.entry(framework).or_default().push(executor);
        }
        let tasks = [
            ("tasks", by_framework(&view.tasks)),
            ("unreachable_tasks", by_framework(&view.unreachable_tasks)),
            ("completed_tasks", by_framework(&view.completed_tasks)),
        ];
        Self { tasks, executors }
    }

    /// A framework with all that is its own.
    pub(super) fn framework(&self, framework: &Framework) -> Value {
        let id = id_of(framework);
        let tasks = |tasks: &HashMap<&str, Vec<&Task>>| {
            tasks.get(id).into_iter().flatten().map(|task| v0::task(task)).collect::<Vec<_>>()
        };
        let mut found: Vec<_> = self.tasks.iter().map(|(name, all)| (*name, tasks(all))).collect();
        let executor = |executor: &&Executor| {
            let mut shown = v0::executor(&executor.executor_info);
            if let Some(fields) = shown.as_object_mut() {
                fields.insert("slave_id".to_owned(), executor.agent_id.value.clone().into());
            }
            shown
        };
        found.push(("executors", self.executors.get(id).into_iter().flatten().map(executor).collect()));
        v0::framework(framework, found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::TaskStatus;

    fn task(id: &str, timestamp: f64) -> Task {
        let status = TaskStatus { timestamp: Some(timestamp), ..TaskStatus::default() };
        Task { task_id: id.into(), framework_id: "f".into(), statuses: vec![status], ..Task::default() }
    }

    #[test]
    fn tasks_are_shown_from_the_latest_on_and_not_all_at_once() {
        let early: Vec<Task> = (0..150).map(|at| task(&format!("t{at}"), f64::from(at))).collect();
        let view = View { tasks: early, completed_tasks: vec![task("last", 1e9)], ..View::default() };
        let ids = |query: &str| -> Vec<String> {
            let shown = tasks(&view, &Query::of(query)).expect(query);
            let all = shown["tasks"].as_array().expect("tasks").clone();
            all.iter().map(|task| task["id"].as_str().unwrap_or_default().to_owned()).collect()
        };
        assert_eq!((ids("").len(), ids("limit=-1").len(), ids("limit=5000&offset=150").len()), (100, 151, 1));
        assert_eq!(ids("limit=2"), ["last", "t149"]);
        assert_eq!(ids("limit=2&order=asc&offset=1"), ["t1", "t2"]);
        assert_eq!(ids("task_id=t7"), ["t7"]);
        assert_eq!(ids("framework_id=g"), Vec::<String>::new());
        assert!(tasks(&view, &Query::of("limit=many")).is_err());
    }
}
