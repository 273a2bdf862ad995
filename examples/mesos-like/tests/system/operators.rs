//! What operators see and decide, on a real master with real agents and tasks.

use http::{HeaderMap, StatusCode};
use mesos_like::http::{Client, ClientError, Stream};
use mesos_like::wire::operator::{
    AgentVolumes, Call, CallType, DrainAgent, Event, EventType, OneAgent, ProtobufDuration, ReserveResources, Response,
    UpdateQuota,
};
use mesos_like::wire::{
    DrainState, MediaType, QuotaConfig, ReservationInfo, ReservationType, Resource, Scalar, TaskState, ValueType,
};
use serde_json::{Value, json};

use crate::cluster::{Cluster, PATIENCE, eventually};
use crate::framework::{Framework, info, task};

fn call(kind: CallType) -> Call {
    Call { r#type: Some(kind.into()), ..Call::default() }
}

async fn post(cluster: &Cluster, media: MediaType, call: &Call) -> Result<bytes::Bytes, (StatusCode, String)> {
    let answer = Client::default().post(&cluster.master(1), "/api/v1", media, &HeaderMap::new(), call).await;
    match answer {
        Ok((_, response)) => {
            let body = http_body_util::BodyExt::collect(response.into_body()).await.expect("a body");
            Ok(body.to_bytes())
        }
        Err(ClientError::Refused { status, message, .. }) => Err((status, message)),
        Err(error) => panic!("{error}"),
    }
}

/// What a master answers, which is the same in both forms.
async fn asked(cluster: &Cluster, kind: CallType) -> Response {
    let answer = async |media: MediaType| {
        let body = post(cluster, media, &call(kind)).await.expect("an answer");
        media.decode::<Response>(&body, "Response").expect("a response")
    };
    let (json, protobuf) = (answer(MediaType::Json).await, answer(MediaType::Protobuf).await);
    assert_eq!(json.r#type(), protobuf.r#type());
    json
}

/// Posts to an older endpoint.
async fn posted(cluster: &Cluster, path: &str, body: &str) -> u16 {
    use hyper_util::client::legacy::Client;
    let client =
        Client::builder(hyper_util::rt::TokioExecutor::new()).build_http::<http_body_util::Full<bytes::Bytes>>();
    let request = http::Request::post(format!("http://{}{path}", cluster.master(1)));
    let request = request.body(http_body_util::Full::from(body.to_owned())).expect("a request");
    client.request(request).await.expect("an answer").status().as_u16()
}

fn agent_of(state: &Value) -> String {
    state["slaves"][0]["id"].as_str().expect("an agent").to_owned()
}

fn reserved(name: &str, value: f64) -> Resource {
    let mut reservation = ReservationInfo { role: Some("web".to_owned()), ..ReservationInfo::default() };
    reservation.set_type(ReservationType::Dynamic);
    Resource {
        name: name.to_owned(),
        r#type: ValueType::Scalar.into(),
        scalar: Some(Scalar { value }),
        reservations: vec![reservation],
        ..Resource::default()
    }
}

#[tokio::test]
async fn whoever_subscribes_is_told_how_all_is_and_of_each_agent_framework_and_task() {
    let mut cluster = Cluster::of("operators-stream", 1).await;
    let (media, none) = (MediaType::Json, HeaderMap::new());
    let subscribe = call(CallType::Subscribe);
    let answer = Client::default().post(&cluster.master(1), "/api/v1/operator", media, &none, &subscribe).await;
    let mut stream = Stream::of(answer.expect("a stream").1, media);
    let mut framework = Framework::subscribe(&[cluster.master(1)], info("seen")).await;
    framework.launch([task("t", "true")]);
    framework.until_state("t", TaskState::Finished).await;
    cluster.start_agent(2, &[]);
    framework.call(mesos_like::wire::scheduler::CallType::Teardown, Default::default()).await;
    let mut seen: Vec<Event> = Vec::new();
    let all = [
        EventType::Subscribed,
        EventType::Heartbeat,
        EventType::FrameworkAdded,
        EventType::TaskAdded,
        EventType::TaskUpdated,
        EventType::FrameworkRemoved,
        EventType::AgentAdded,
    ];
    while !all.iter().all(|kind| seen.iter().any(|event| event.r#type() == *kind)) {
        let event = tokio::time::timeout(PATIENCE, stream.next()).await;
        let event = event.unwrap_or_else(|_| panic!("only {:?}", seen.iter().map(Event::r#type).collect::<Vec<_>>()));
        seen.push(event.expect("a record").expect("the stream goes on"));
    }
    let first = seen[0].subscribed.clone().expect("it begins with all").get_state.expect("a state");
    assert_eq!(first.get_agents.expect("agents").agents.len(), 1);
    let states: Vec<_> = seen.iter().filter_map(|event| Some(event.task_updated.as_ref()?.status.state())).collect();
    assert_eq!(states, [TaskState::Starting, TaskState::Running, TaskState::Finished]);
}

#[tokio::test]
async fn what_runs_is_shown_in_both_apis_and_counted() {
    let cluster = Cluster::of("operators-reads", 1).await;
    let mut framework = Framework::subscribe(&[cluster.master(1)], info("shown")).await;
    framework.launch([task("t", "sleep 1000"), task("bad", "exit 3")]);
    framework.until_state("t", TaskState::Running).await;
    framework.until_state("bad", TaskState::Failed).await;
    let state = cluster.get(&cluster.master(1), "/master/state.json").await;
    let shown = &state["frameworks"][0];
    assert_eq!((&shown["name"], &shown["tasks"][0]["state"]), (&json!("shown"), &json!("TASK_RUNNING")));
    assert_eq!(shown["used_resources"]["cpus"], json!(0.1));
    assert_eq!(state["slaves"][0]["attributes"]["rack"], json!("r1"));
    let container = &shown["tasks"][0]["statuses"][0]["container_status"]["container_id"]["value"];
    assert!(container.is_string(), "{shown}");
    let tasks = cluster.get(&cluster.master(1), "/tasks?task_id=bad").await;
    assert_eq!(
        (&tasks["tasks"][0]["state"], tasks["tasks"].as_array().map(Vec::len)),
        (&json!("TASK_FAILED"), Some(1))
    );
    let summary = cluster.get(&cluster.master(1), "/state-summary").await;
    assert_eq!((&summary["slaves"][0]["TASK_RUNNING"], &summary["slaves"][0]["TASK_FAILED"]), (&json!(1), &json!(1)));
    let get_tasks = asked(&cluster, CallType::GetTasks).await.get_tasks.expect("tasks");
    assert_eq!((get_tasks.tasks.len(), get_tasks.completed_tasks.len()), (1, 1));
    let agents = asked(&cluster, CallType::GetAgents).await.get_agents.expect("agents").agents;
    assert!(agents[0].active && agents[0].allocated_resources.iter().any(|resource| resource.name == "cpus"));
    for kind in
        [CallType::GetState, CallType::GetFrameworks, CallType::GetExecutors, CallType::GetRoles, CallType::GetMetrics]
    {
        assert!(asked(&cluster, kind).await.r#type.is_some(), "{kind:?}");
    }
    let metrics = cluster.get(&cluster.master(1), "/metrics/snapshot").await;
    let counts = ["tasks_running", "tasks_failed", "slaves_active", "frameworks_active", "cpus_total", "elected"];
    let counts = counts.map(|name| metrics[format!("master/{name}")].as_f64());
    assert_eq!(counts, [1.0, 1.0, 1.0, 1.0, 4.0, 1.0].map(Some));
    let teardown = format!("frameworkId={}", framework.id());
    assert_eq!(posted(&cluster, "/master/teardown", &teardown).await, 200);
    eventually("no framework", async || {
        let state = cluster.get(&cluster.master(1), "/frameworks").await;
        (state["frameworks"] == json!([]) && state["completed_frameworks"][0]["active"] == false).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_agent_that_is_drained_ends_its_tasks_and_gets_none_until_it_is_activated_again() {
    let cluster = Cluster::of("operators-drain", 1).await;
    let mut framework = Framework::subscribe(&[cluster.master(1)], info("drained")).await;
    framework.launch([task("t", "sleep 1000")]);
    framework.until_state("t", TaskState::Running).await;
    let agent = agent_of(&cluster.get(&cluster.master(1), "/slaves").await);
    let max_grace_period = Some(ProtobufDuration { seconds: Some(2), nanos: None });
    let drain = DrainAgent { agent_id: agent.as_str().into(), max_grace_period, mark_gone: None };
    let drain = Call { drain_agent: Some(drain), ..call(CallType::DrainAgent) };
    post(&cluster, MediaType::Json, &drain).await.expect("drained");
    framework.until_state("t", TaskState::Killed).await;
    eventually("the agent to be empty", async || {
        let slaves = cluster.get(&cluster.master(1), "/slaves").await;
        (slaves["slaves"][0]["drain_info"]["state"] == json!(DrainState::Drained.text())).then_some(())
    })
    .await;
    framework.launch([task("late", "true")]);
    let reactivate = Some(OneAgent { agent_id: agent.as_str().into() });
    let reactivate = Call { reactivate_agent: reactivate, ..call(CallType::ReactivateAgent) };
    post(&cluster, MediaType::Protobuf, &reactivate).await.expect("reactivated");
    framework.until_state("late", TaskState::Finished).await;
    let gone = Some(OneAgent { agent_id: agent.as_str().into() });
    let gone = Call { mark_agent_gone: gone, ..call(CallType::MarkAgentGone) };
    post(&cluster, MediaType::Json, &gone).await.expect("gone");
    eventually("no agent", async || {
        let slaves = cluster.get(&cluster.master(1), "/slaves").await;
        (slaves["slaves"] == json!([])).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_reserved_is_kept_by_the_agent_and_what_is_decided_by_the_next_master() {
    let mut cluster = Cluster::new("operators-keeps");
    let store = format!("--store=embedded:{}", cluster.folder().join("store").display());
    cluster.start_master(1, &[&store]);
    cluster.start_agent(1, &[]);
    cluster.wait_for_agents(1).await;
    let agent = agent_of(&cluster.get(&cluster.master(1), "/slaves").await);
    let resources = vec![reserved("cpus", 1.5), reserved("disk", 100.0)];
    let reserve = ReserveResources { agent_id: agent.as_str().into(), source: Vec::new(), resources };
    let reserve = Call { reserve_resources: Some(reserve), ..call(CallType::ReserveResources) };
    post(&cluster, MediaType::Json, &reserve).await.expect("reserved");
    let mut volume = reserved("disk", 40.0);
    volume.disk = disk_of_a_volume();
    let create = AgentVolumes { agent_id: agent.as_str().into(), volumes: vec![volume] };
    let create = Call { create_volumes: Some(create), ..call(CallType::CreateVolumes) };
    post(&cluster, MediaType::Json, &create).await.expect("a volume");
    let limits = [("cpus".to_owned(), Scalar { value: 3.0 })].into();
    let quota_configs = vec![QuotaConfig { role: "web".to_owned(), limits, ..QuotaConfig::default() }];
    let quota = Some(UpdateQuota { force: None, quota_configs });
    let quota = Call { update_quota: quota, ..call(CallType::UpdateQuota) };
    post(&cluster, MediaType::Json, &quota).await.expect("a quota");
    cluster.signal("master-1", nix::sys::signal::Signal::SIGKILL);
    cluster.start_master(1, &[&store]);
    cluster.wait_for_agents(1).await;
    let slaves = cluster.get(&cluster.master(1), "/slaves").await;
    let kept = &slaves["slaves"][0]["reserved_resources"]["web"];
    assert_eq!((agent_of(&slaves), &kept["cpus"], &kept["disk"]), (agent, &json!(1.5), &json!(100.0)));
    let full = slaves["slaves"][0]["reserved_resources_full"]["web"].to_string();
    assert!(full.contains(r#""container_path":"data""#), "{full}");
    let status = asked(&cluster, CallType::GetQuota).await.get_quota.expect("quotas").status;
    assert_eq!(status.configs[0].limits["cpus"].value, 3.0);
}

fn disk_of_a_volume() -> Option<mesos_like::wire::DiskInfo> {
    let text = r#"{"persistence":{"id":"v1"},"volume":{"container_path":"data","mode":"RW"}}"#;
    Some(MediaType::Json.decode(text.as_bytes(), "DiskInfo").expect("a disk"))
}

#[tokio::test]
async fn a_machine_is_taken_down_for_maintenance_and_comes_back() {
    let cluster = Cluster::of("operators-machine", 1).await;
    let mut framework = Framework::subscribe(&[cluster.master(1)], info("maintained")).await;
    framework.launch([task("t", "sleep 1000")]);
    framework.until_state("t", TaskState::Running).await;
    let start = r#"{"start":{"nanoseconds":1000000000}}"#;
    let window = format!(r#"{{"machine_ids":[{{"hostname":"agent-1"}}],"unavailability":{start}}}"#);
    let schedule = format!(r#"{{"windows":[{window}]}}"#);
    let machine = r#"[{"hostname":"agent-1"}]"#;
    assert_eq!(posted(&cluster, "/machine/down", machine).await, 400);
    assert_eq!(posted(&cluster, "/maintenance/schedule", &schedule).await, 200);
    assert_eq!(posted(&cluster, "/machine/down", machine).await, 200);
    framework.until_state("t", TaskState::Gone).await;
    let status = cluster.get(&cluster.master(1), "/maintenance/status").await;
    assert_eq!(status["down_machines"][0]["hostname"], json!("agent-1"));
    assert_eq!(posted(&cluster, "/machine/up", machine).await, 200);
    assert_eq!(cluster.get(&cluster.master(1), "/maintenance/schedule").await, json!({}));
}

#[tokio::test]
async fn what_is_no_call_is_refused_with_the_status_that_mesos_has_for_it() {
    let cluster = Cluster::of("operators-refuses", 1).await;
    let ask = async |method: &str, content: Option<&str>, accept: Option<&str>, body: &str| {
        use hyper_util::client::legacy::Client;
        let client =
            Client::builder(hyper_util::rt::TokioExecutor::new()).build_http::<http_body_util::Full<bytes::Bytes>>();
        let mut request = http::Request::builder().method(method).uri(format!("http://{}/api/v1", cluster.master(1)));
        for (name, value) in [("content-type", content), ("accept", accept)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let request = request.body(http_body_util::Full::from(body.to_owned())).expect("a request");
        client.request(request).await.expect("an answer").status().as_u16()
    };
    let json = Some("application/json");
    let health = r#"{"type":"GET_HEALTH"}"#;
    assert_eq!(ask("POST", json, None, health).await, 200);
    assert_eq!(ask("POST", json, Some("text/html"), health).await, 406);
    assert_eq!(ask("GET", None, None, "").await, 405);
    assert_eq!(ask("POST", None, None, health).await, 400);
    assert_eq!(ask("POST", Some("text/plain"), None, health).await, 415);
    for wrong in ["", "{", "{}", r#"{"type":"TEARDOWN"}"#, r#"{"type":"GROW_VOLUME"}"#] {
        assert_eq!(ask("POST", json, None, wrong).await, 400, "{wrong}");
    }
    assert_eq!(ask("POST", json, None, r#"{"type":"UNKNOWN"}"#).await, 501);
}
