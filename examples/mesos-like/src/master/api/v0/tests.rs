//! What is shown of a cluster with one of everything.

use serde_json::json;

use super::*;
use crate::master::flags::tests::flags;
use crate::wire::operator::{Agent, Executor, Framework};
use crate::wire::{AgentInfo, ExecutorInfo, FrameworkInfo, Resource, Scalar, Task, TaskState, TimeInfo};
use orch_core::entropy::SeededEntropy;

fn cpus(value: f64) -> Resource {
    Resource { name: "cpus".to_owned(), scalar: Some(Scalar { value }), ..Resource::default() }
}

/// A cluster with one of everything.
fn view() -> View {
    let agent_info = AgentInfo { id: Some("M-S0".into()), hostname: "h".to_owned(), ..AgentInfo::default() };
    let agent = Agent {
        agent_info: agent_info.clone(),
        active: true,
        version: "1.11.0".to_owned(),
        pid: Some("slave(1)@127.0.0.1:5051".to_owned()),
        registered_time: Some(TimeInfo { nanoseconds: 1_500_000_000 }),
        total_resources: vec![cpus(4.0)],
        allocated_resources: vec![cpus(1.0)],
        ..Agent::default()
    };
    let info = FrameworkInfo { id: Some("M-0000".into()), name: "f".to_owned(), ..FrameworkInfo::default() };
    let framework = Framework { framework_info: info, active: true, connected: true, ..Framework::default() };
    let task = |id: &str, state: TaskState| Task {
        task_id: id.into(),
        framework_id: "M-0000".into(),
        agent_id: "M-S0".into(),
        state: state.into(),
        ..Task::default()
    };
    let executor_info =
        ExecutorInfo { executor_id: "e".into(), framework_id: Some("M-0000".into()), ..ExecutorInfo::default() };
    View {
        agents: vec![agent],
        recovered_agents: vec![AgentInfo { id: Some("M-S1".into()), ..agent_info }],
        unreachable_agents: 2,
        frameworks: vec![framework],
        tasks: vec![task("t", TaskState::Running)],
        completed_tasks: vec![task("old", TaskState::Failed)],
        executors: vec![Executor { executor_info, agent_id: "M-S0".into() }],
        ..View::default()
    }
}

#[test]
fn the_state_shows_agents_frameworks_and_their_tasks() {
    let started = Timestamp::UNIX_EPOCH;
    let about = About::new(flags(&["--cluster=c"]).expect("flags"), 5050, started, &SeededEntropy::from_os());
    let view = view();
    let leading = Leading { about: &about, elected: started, view: &view };
    let all = |route: Route| shown(leading, route, &Query::default()).expect("shown");
    let state = all(Route::State);
    let counts = ["activated_slaves", "deactivated_slaves", "unreachable_slaves"].map(|name| state[name].clone());
    assert_eq!(counts, [json!(1), json!(0), json!(2)]);
    assert_eq!((&state["cluster"], &state["version"]), (&json!("c"), &json!("1.11.0")));
    assert_eq!(state["leader"], json!("master@127.0.0.1:5050"));
    assert_eq!(state["leader_info"]["id"], state["id"]);
    assert_eq!(state["flags"]["port"], json!("5050"));
    let (agent, framework) = (&state["slaves"][0], &state["frameworks"][0]);
    assert_eq!((&agent["pid"], &agent["registered_time"]), (&json!("slave(1)@127.0.0.1:5051"), &json!(1.5)));
    assert_eq!((&agent["resources"]["cpus"], &agent["used_resources"]["cpus"]), (&json!(4.0), &json!(1.0)));
    assert_eq!((&framework["id"], &framework["tasks"][0]["id"]), (&json!("M-0000"), &json!("t")));
    assert_eq!((&framework["executors"][0]["slave_id"], &framework["role"]), (&json!("M-S0"), &json!("*")));
    assert_eq!(framework["completed_tasks"][0]["state"], json!("TASK_FAILED"));
    let summary = all(Route::StateSummary);
    let (agent, framework) = (&summary["slaves"][0], &summary["frameworks"][0]);
    assert_eq!((&agent["TASK_RUNNING"], &agent["TASK_FAILED"], &agent["TASK_LOST"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!((&agent["framework_ids"], &framework["slave_ids"]), (&json!(["M-0000"]), &json!(["M-S0"])));
    assert_eq!(all(Route::Agents)["recovered_slaves"][0]["id"], json!("M-S1"));
    assert_eq!(all(Route::Agents)["slaves"][0]["unreserved_resources_full"][0]["name"], json!("cpus"));
    assert_eq!(all(Route::Roles)["roles"][0]["name"], json!("*"));
    assert_eq!(all(Route::MaintenanceStatus), json!({}));
}

#[test]
fn only_names_stand_before_json() {
    assert!(is_name("jQuery_1.f$") && !is_name("alert(1)//") && !is_name(""));
}
