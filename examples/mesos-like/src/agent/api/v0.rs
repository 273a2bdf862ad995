//! The older read endpoints of an agent.

use orch_core::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::Api;
use crate::agent::actor::Actor;
use crate::agent::core::{Executor, Key, TaskLife, VERSION};
use crate::agent::layout;
use crate::http::{Answer, Refusal, json as answered};
use crate::v0;

/// The answer to a request for one of them.
pub(super) async fn answer(api: &Api, name: &str) -> Answer {
    let flags = api.flags.shown();
    let shown = match name {
        "state" => api.agent.ask(move |actor| state(actor, &json!(flags))).await,
        "containers" => api.agent.ask(|actor| containers(actor)).await,
        _ => api.agent.ask(|actor| statistics(actor)).await,
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

fn statistics(actor: &Actor) -> Value {
    let now = SystemClock.now().as_nanosecond() as f64 / 1e9;
    let shown = |(key, executor): (&Key, &Executor)| {
        json!({
            "executor_id": key.executor,
            "executor_name": executor.info.name.clone().unwrap_or_default(),
            "framework_id": key.framework,
            "source": executor.info.source.clone().unwrap_or_default(),
            "statistics": { "timestamp": now },
        })
    };
    actor.core.executors().iter().filter(|(_, executor)| executor.is_alive()).map(shown).collect()
}
