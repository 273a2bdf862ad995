//! `POST /api/v1`: the operator API of an agent.

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;

use super::Api;
use crate::agent::actor::Actor;
use crate::agent::core::VERSION;
use crate::agent::files::FilesError;
use crate::http::{Answer, Refusal, accepted, read_call, refused, whole};
use crate::wire::agent_operator::{
    Agent, Call, CallType, Container, Containers, Executor, Executors, Framework, Frameworks, Response, ResponseType,
    State, Tasks,
};
use crate::wire::operator::{FileData, FileInfo, FileInfos, Flag, GetFlags, GetHealth, GetVersion, VersionInfo};
use crate::wire::{ContainerId, ContainerStatus, TimeInfo};

/// The answer to a request.
pub(super) async fn answer(api: &Api, request: Request<Incoming>) -> Answer {
    follow(api, request).await.unwrap_or_else(Answer::from)
}

async fn follow(api: &Api, request: Request<Incoming>) -> Result<Answer, Refusal> {
    if request.method() != Method::POST {
        return Ok(refused("POST"));
    }
    let wanted = accepted(request.headers())?;
    let response = respond(api, read_call(request, "Call").await?).await?;
    Ok(whole(wanted, wanted.encode(&response)))
}

async fn respond(api: &Api, call: Call) -> Result<Response, Refusal> {
    let missing =
        |name: &str| Refusal::bad_request(format!("Failed to validate agent::Call: Expecting '{name}' to be present"));
    let mut response = Response::default();
    match call.r#type() {
        _ if call.r#type.is_none() => return Err(missing("type")),
        CallType::Unknown => return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "Received 'UNKNOWN' call")),
        CallType::GetHealth => {
            response.set_type(ResponseType::GetHealth);
            response.get_health = Some(GetHealth { healthy: true });
        }
        CallType::GetVersion => {
            response.set_type(ResponseType::GetVersion);
            let version_info = VersionInfo { version: VERSION.to_owned(), ..VersionInfo::default() };
            response.get_version = Some(GetVersion { version_info });
        }
        CallType::GetFlags => {
            response.set_type(ResponseType::GetFlags);
            let flag = |(name, value): (&str, String)| Flag { name: name.to_owned(), value: Some(value) };
            response.get_flags = Some(GetFlags { flags: api.flags.shown().into_iter().map(flag).collect() });
        }
        CallType::ListFiles => {
            let list = call.list_files.ok_or_else(|| missing("list_files"))?;
            let listed = api.files.list(&list.path).map_err(of_files)?;
            response.set_type(ResponseType::ListFiles);
            response.list_files = Some(FileInfos { file_infos: listed.into_iter().map(file).collect() });
        }
        CallType::ReadFile => {
            let read = call.read_file.ok_or_else(|| missing("read_file"))?;
            let part = api.files.read(&read.path, Some(read.offset), read.length).map_err(of_files)?;
            response.set_type(ResponseType::ReadFile);
            response.read_file = Some(FileData { size: part.size, data: part.data });
        }
        kind => {
            let asked = api.agent.ask(move |actor| of_agent(actor, kind)).await;
            return asked.map_err(|error| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()));
        }
    }
    Ok(response)
}

fn of_files(error: FilesError) -> Refusal {
    error.into()
}

/// What the agent itself knows.
fn of_agent(actor: &Actor, kind: CallType) -> Response {
    let core = &actor.core;
    let mut response = Response::default();
    match kind {
        CallType::GetState => {
            response.set_type(ResponseType::GetState);
            response.get_state = Some(State {
                get_tasks: Some(tasks(actor)),
                get_executors: Some(executors(actor)),
                get_frameworks: Some(frameworks(actor)),
            });
        }
        CallType::GetContainers => {
            let alive = core.executors().iter().filter(|(_, executor)| executor.is_alive());
            let container = |id: &str| ContainerId { value: id.to_owned(), parent: None };
            let containers = alive.map(|(key, executor)| Container {
                framework_id: Some(key.framework.as_str().into()),
                executor_id: Some(key.executor.as_str().into()),
                executor_name: executor.info.name.clone(),
                container_id: container(&executor.container_id),
                container_status: Some(ContainerStatus {
                    container_id: Some(container(&executor.container_id)),
                    executor_pid: executor.pid,
                    ..ContainerStatus::default()
                }),
            });
            response.set_type(ResponseType::GetContainers);
            response.get_containers = Some(Containers { containers: containers.collect() });
        }
        CallType::GetFrameworks => {
            response.set_type(ResponseType::GetFrameworks);
            response.get_frameworks = Some(frameworks(actor));
        }
        CallType::GetExecutors => {
            response.set_type(ResponseType::GetExecutors);
            response.get_executors = Some(executors(actor));
        }
        CallType::GetTasks => {
            response.set_type(ResponseType::GetTasks);
            response.get_tasks = Some(tasks(actor));
        }
        _ => {
            response.set_type(ResponseType::GetAgent);
            response.get_agent = Some(Agent { agent_info: Some(core.info().clone()) });
        }
    }
    response
}

fn tasks(actor: &Actor) -> Tasks {
    let mut tasks = Tasks::default();
    let lives = actor.core.executors().values().flat_map(|executor| executor.tasks.values());
    lives.for_each(|life| tasks.put(life.told()));
    tasks
}

fn executors(actor: &Actor) -> Executors {
    let alive = actor.core.executors().values().filter(|executor| executor.is_alive());
    Executors { executors: alive.map(|executor| Executor { executor_info: executor.info.clone() }).collect() }
}

fn frameworks(actor: &Actor) -> Frameworks {
    let all = actor.core.frameworks().values();
    Frameworks { frameworks: all.map(|info| Framework { framework_info: info.clone() }).collect() }
}

fn file(info: crate::agent::files::FileInfo) -> FileInfo {
    FileInfo {
        path: info.path,
        nlink: i32::try_from(info.nlink).ok(),
        size: Some(info.size),
        mtime: Some(TimeInfo { nanoseconds: info.mtime.saturating_mul(1_000_000_000) }),
        mode: Some(info.mode),
        uid: Some(info.uid),
        gid: Some(info.gid),
    }
}
