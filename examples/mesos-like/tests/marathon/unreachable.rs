//! Instances on an agent that cannot be reached are replaced as their apps say, and ended when they come back too late.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::client::{Marathon, Token, pass, until_run};
use crate::cluster::{Cluster, eventually};

fn on_agent_1(tasks: &Value) -> usize {
    tasks["tasks"].as_array().map_or(0, |all| all.iter().filter(|task| task["host"] == "agent-1").count())
}

/// A master that gives up agents after a second, one agent, and a Marathon.
async fn impatient(test: &str) -> Marathon {
    let mut marathon = Marathon { cluster: Cluster::new(test), number: 1 };
    let impatient = ["--agent_ping_timeout=500ms", "--max_agent_ping_timeouts=2", "--agent_reregister_timeout=2secs"];
    marathon.cluster.start_master(1, &impatient);
    marathon.cluster.start_agent(1, &[]);
    marathon.cluster.wait_for_agents(1).await;
    marathon.start(1, &[]);
    marathon.is_there(1).await;
    marathon
}

/// The only task, which cannot be reached.
fn is_unreachable(tasks: &Value) -> bool {
    let all = tasks["tasks"].as_array().cloned().unwrap_or_default();
    all.len() == 1 && all[0]["state"] == "TASK_UNREACHABLE"
}

#[tokio::test]
async fn instances_that_cannot_be_reached_are_replaced_as_their_app_says_and_those_that_come_back_too_late_end() {
    let mut marathon = impatient("cut-off").await;
    let [at_once, later, never] = [Token::new(), Token::new(), Token::new()];
    let with = |strategy: Value| json!({ "unreachableStrategy": strategy });
    marathon.add("at-once", &at_once, &with(json!({ "inactiveAfterSeconds": 0, "expungeAfterSeconds": 0 })));
    marathon.add("later", &later, &with(json!({ "inactiveAfterSeconds": 2, "expungeAfterSeconds": 600 })));
    marathon.add("never", &never, &with(json!("disabled")));
    marathon.settled().await;
    let [before, waited] = [until_run(&at_once, 1).await, until_run(&never, 1).await];
    marathon.cluster.start_agent(2, &[]);
    marathon.cluster.wait_for_agents(2).await;

    marathon.cluster.signal("agent-1", Signal::SIGSTOP);
    // It cannot be told to end anything: what is on it runs on.
    until_run(&at_once, 2).await;
    marathon.until("/v2/apps/never/tasks", "that cannot be reached", is_unreachable).await;
    let replaced = marathon.get("/v2/apps/at-once/tasks");
    assert_eq!(on_agent_1(&replaced), 0, "it is given up: {replaced}");
    until_run(&later, 2).await;
    let kept = marathon.get("/v2/apps/later/tasks")["tasks"].as_array().map(Vec::len);
    assert_eq!(kept, Some(2), "it is not given up, but replaced");
    assert_eq!(never.processes(), waited, "it is waited for");

    marathon.cluster.signal("agent-1", Signal::SIGCONT);
    assert_ne!(until_run(&at_once, 1).await, before, "who stayed away is ended");
    until_run(&later, 1).await;
    marathon
        .until("/v2/apps/never/tasks", "that run", |tasks| {
            let all = tasks["tasks"].as_array().cloned().unwrap_or_default();
            all.len() == 1 && all[0]["state"] == "TASK_RUNNING"
        })
        .await;
    assert_eq!(never.processes(), waited);
    marathon
        .until("/v2/tasks", "three of which there are", |tasks| tasks["tasks"].as_array().map(Vec::len) == Some(3))
        .await;
}

#[tokio::test]
async fn what_shall_end_but_cannot_be_reached_holds_up_nobody_and_ends_when_it_is_back() {
    let mut marathon = impatient("deleted").await;
    let [deleted, fewer] = [Token::new(), Token::new()];
    for (id, token) in [("deleted", &deleted), ("fewer", &fewer)] {
        marathon.add(id, token, &json!({ "unreachableStrategy": "disabled" }));
    }
    marathon.settled().await;
    marathon.cluster.signal("agent-1", Signal::SIGSTOP);
    for id in ["deleted", "fewer"] {
        marathon.until(&format!("/v2/apps/{id}/tasks"), "that cannot be reached", is_unreachable).await;
    }
    marathon.done("DELETE", "/v2/apps/deleted", &Value::Null);
    marathon.done("PUT", "/v2/apps/fewer", &json!({ "instances": 0 }));
    marathon.settled().await;
    assert_eq!(marathon.get("/v2/tasks"), json!({ "tasks": [] }));
    pass(200).await;
    assert_eq!((deleted.processes().len(), fewer.processes().len()), (1, 1), "nobody can tell them");
    marathon.cluster.signal("agent-1", Signal::SIGCONT);
    until_run(&deleted, 0).await;
    until_run(&fewer, 0).await;
}

#[tokio::test]
async fn what_was_given_up_ends_when_its_agent_comes_to_a_master_that_never_saw_it() {
    let mut marathon = Marathon { cluster: Cluster::new("never-seen"), number: 1 };
    let store = format!("--store=embedded:{}", marathon.cluster.folder().join("master-store").display());
    let impatient = ["--agent_ping_timeout=500ms", "--max_agent_ping_timeouts=2", "--agent_reregister_timeout=1secs"];
    let flags = [&[store.as_str()][..], &impatient].concat();
    marathon.cluster.start_master(1, &flags);
    marathon.cluster.start_agent(1, &[]);
    marathon.cluster.wait_for_agents(1).await;
    marathon.start(1, &[]);
    marathon.is_there(1).await;
    let token = Token::new();
    marathon.add("web", &token, &json!({}));
    marathon.settled().await;
    marathon.cluster.signal("agent-1", Signal::SIGSTOP);
    marathon.until("/v2/apps/web/tasks", "of which none is left", |tasks| tasks["tasks"] == json!([])).await;
    marathon.done("DELETE", "/v2/apps/web", &Value::Null);
    marathon.settled().await;
    marathon.cluster.signal("master-1", Signal::SIGKILL);
    marathon.cluster.start_master(1, &flags);
    let master = marathon.cluster.master(1);
    eventually("the agent to be given up", async || {
        let slaves = marathon.cluster.get(&master, "/slaves").await;
        (slaves["recovered_slaves"].as_array()?.is_empty() && slaves["slaves"].as_array()?.is_empty()).then_some(())
    })
    .await;
    assert_eq!(token.processes().len(), 1);
    marathon.cluster.signal("agent-1", Signal::SIGCONT);
    until_run(&token, 0).await;
}
