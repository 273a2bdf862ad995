//! The older read endpoints of an agent.

use std::sync::Arc;

use orch_core::clock::{Clock as _, SystemClock};
use orch_core::runtime::{ContainerStats, PodStats};
use serde_json::{Value, json};

use super::Api;
use crate::agent::actor::{Actor, Gone};
use crate::agent::core::{Executor, Key, TaskLife, VERSION};
use crate::agent::layout;
use crate::http::{Answer, Refusal, json as answered};
use crate::v0;
use crate::wire::Resource;

/// The answer to a request for one of them.
pub(super) async fn answer(api: &Api, name: &str) -> Answer {
    let flags = api.flags.shown();
    let shown = match name {
        "state" => api.agent.ask(move |actor| state(actor, &json!(flags))).await,
        "containers" => api.agent.ask(|actor| containers(actor)).await,
        _ => statistics(api).await,
    };
    match shown {
        Ok(shown) => answered(&shown),
        Err(error) => Refusal::new(http::StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into(),
    }
}

fn state(actor: &Actor, flags: &Value) -> Value {
    let (core, parts) = (&actor.core, actor.parts());
    let agent = core.info().id.clone().unwrap_or_default().value;
    let framework = |(id, info): (&String, &crate::wire::FrameworkInfo)| {
        let executors = core.executors().iter().filter(|(key, _)| key.framework == *id);
        let executors: Vec<Value> = executors.map(|(key, one)| executor(actor, &agent, key, one)).collect();
        json!({
            "id": id,
            "name": info.name,
            "user": info.user,
            "failover_timeout": info.failover_timeout(),
            "checkpoint": info.checkpoint(),
            "hostname": info.hostname.clone().unwrap_or_default(),
            "executors": executors,
            "completed_executors": [],
        })
    };
    json!({
        "version": VERSION,
        "id": agent,
        "pid": format!("slave(1)@{}", parts.address),
        "hostname": core.info().hostname,
        "resources": v0::resources(core.resources()),
        "attributes": v0::attributes(&core.info().attributes),
        "flags": flags,
        "frameworks": core.frameworks().iter().map(framework).collect::<Vec<_>>(),
        "completed_frameworks": [],
    })
}

fn executor(actor: &Actor, agent: &str, key: &Key, executor: &Executor) -> Value {
    let mut shown = v0::executor(&executor.info);
    let of = |has_ended: bool| {
        let lives = executor.tasks.values().filter(move |life| life.has_ended() == has_ended);
        lives.map(|life: &TaskLife| v0::task(&life.told())).collect::<Vec<_>>()
    };
    if let Some(fields) = shown.as_object_mut() {
        let sandbox = layout::sandbox(&actor.parts().work_dir, agent, key, &executor.container_id);
        fields.insert("id".to_owned(), json!(key.executor));
        fields.insert("container".to_owned(), json!(executor.container_id));
        fields.insert("directory".to_owned(), json!(sandbox));
        fields.insert("tasks".to_owned(), json!(of(false)));
        fields.insert("queued_tasks".to_owned(), json!([]));
        fields.insert("completed_tasks".to_owned(), json!(of(true)));
    }
    shown
}

fn containers(actor: &Actor) -> Value {
    let shown = |(key, executor): (&Key, &Executor)| {
        json!({
            "container_id": executor.container_id,
            "executor_id": key.executor,
            "executor_name": executor.info.name.clone().unwrap_or_default(),
            "framework_id": key.framework,
            "source": executor.info.source.clone().unwrap_or_default(),
            "status": {
                "container_id": { "value": executor.container_id },
                "executor_pid": executor.pid,
                "network_infos": [],
            },
        })
    };
    actor.core.executors().iter().filter(|(_, executor)| executor.is_alive()).map(shown).collect()
}

/// What each executor uses, as far as its runtime can measure it.
async fn statistics(api: &Api) -> Result<Value, Gone> {
    let (containers, known) = api
        .agent
        .ask(|actor| {
            let alive = actor.core.executors().iter().filter(|(_, executor)| executor.is_alive());
            let known: Vec<_> = alive
                .map(|(key, executor)| {
                    let of_tasks = executor.tasks.values().flat_map(|life| life.info.resources.clone());
                    let resources: Vec<Resource> = executor.info.resources.iter().cloned().chain(of_tasks).collect();
                    (key.clone(), executor.info.clone(), executor.container_id.clone(), resources)
                })
                .collect();
            (Arc::clone(&actor.parts().containers), known)
        })
        .await?;
    let mut all = Vec::new();
    for (key, info, container_id, resources) in known {
        let stats = containers.stats(&container_id).await;
        all.push(json!({
            "executor_id": key.executor,
            "executor_name": info.name.unwrap_or_default(),
            "framework_id": key.framework,
            "source": info.source.unwrap_or_default(),
            "statistics": measured(stats.as_ref(), &resources),
        }));
    }
    Ok(Value::Array(all))
}

fn measured(stats: Option<&PodStats>, resources: &[Resource]) -> Value {
    let limit = |name: &str| {
        let scalars = resources.iter().filter(|resource| resource.name == name);
        scalars.filter_map(|resource| resource.scalar.as_ref()).fold(0.0, |sum, scalar| sum + scalar.value)
    };
    let at = stats.map_or_else(|| SystemClock.now(), |stats| stats.at);
    let mut fields = v0::Fields::default();
    fields.put("timestamp", at.as_nanosecond() as f64 / 1e9);
    fields.put("cpus_limit", limit("cpus"));
    fields.put("mem_limit_bytes", (limit("mem") * 1024.0 * 1024.0) as u64);
    let containers = || stats.into_iter().flat_map(|stats| &stats.containers);
    let sum = |one: fn(&ContainerStats) -> Option<u64>| containers().filter_map(one).reduce(|all, one| all + one);
    fields.put_some("cpus_user_time_secs", sum(|one| one.cpu_nanos).map(|nanos| nanos as f64 / 1e9));
    fields.put_some("mem_rss_bytes", sum(|one| one.rss_bytes.or(one.memory_bytes)));
    fields.put_some("mem_total_bytes", sum(|one| one.memory_bytes));
    fields.put_some("processes", sum(|one| one.processes));
    fields.into()
}
