//! Instances on an agent that cannot be reached are replaced as their apps say, and ended when they come back too late.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::client::{Marathon, Token, until_run};
use crate::cluster::Cluster;

fn on_agent_1(tasks: &Value) -> usize {
    tasks["tasks"].as_array().map_or(0, |all| all.iter().filter(|task| task["host"] == "agent-1").count())
}

#[tokio::test]
async fn instances_that_cannot_be_reached_are_replaced_as_their_app_says_and_those_that_come_back_too_late_end() {
    let mut marathon = Marathon { cluster: Cluster::new("cut-off"), number: 1 };
    let impatient = ["--agent_ping_timeout=500ms", "--max_agent_ping_timeouts=2", "--agent_reregister_timeout=2secs"];
    marathon.cluster.start_master(1, &impatient);
    for number in 1..=2 {
        marathon.cluster.start_agent(number, &[]);
    }
    marathon.cluster.wait_for_agents(2).await;
    marathon.start(1, &[]);
    marathon.is_there(1).await;
    let [at_once, later, never] = [Token::new(), Token::new(), Token::new()];
    let spread = |strategy: Value| json!({ "instances": 2, "constraints": [["hostname", "GROUP_BY", "2"]], "unreachableStrategy": strategy });
    marathon.add("at-once", &at_once, &spread(json!({ "inactiveAfterSeconds": 0, "expungeAfterSeconds": 0 })));
    marathon.add("later", &later, &spread(json!({ "inactiveAfterSeconds": 2, "expungeAfterSeconds": 600 })));
    marathon.add("never", &never, &spread(json!("disabled")));
    marathon.settled().await;
    let [before, waited] = [until_run(&at_once, 2).await, until_run(&never, 2).await];
    for id in ["at-once", "later", "never"] {
        assert_eq!(on_agent_1(&marathon.get(&format!("/v2/apps/{id}/tasks"))), 1, "{id}");
    }

    marathon.cluster.signal("agent-1", Signal::SIGSTOP);
    // It cannot be told to end anything: what is on it runs on.
    until_run(&at_once, 3).await;
    let is_unreachable = |tasks: &Value| {
        let all = tasks["tasks"].as_array().cloned().unwrap_or_default();
        all.len() == 2 && all.iter().filter(|task| task["state"] == "TASK_UNREACHABLE").count() == 1
    };
    marathon.until("/v2/apps/never/tasks", "one of which cannot be reached", is_unreachable).await;
    let replaced = marathon.get("/v2/apps/at-once/tasks");
    assert_eq!(on_agent_1(&replaced), 0, "it is given up: {replaced}");
    until_run(&later, 3).await;
    let kept = marathon.get("/v2/apps/later/tasks")["tasks"].as_array().map(Vec::len);
    assert_eq!(kept, Some(3), "it is not given up, but replaced");
    assert_eq!(never.processes().len(), 2, "it is waited for");

    marathon.cluster.signal("agent-1", Signal::SIGCONT);
    let now = until_run(&at_once, 2).await;
    assert_eq!(now.iter().filter(|pid| before.contains(pid)).count(), 1, "who stayed away is ended");
    until_run(&later, 2).await;
    marathon
        .until("/v2/apps/never/tasks", "both of which run", |tasks| {
            let all = tasks["tasks"].as_array().cloned().unwrap_or_default();
            all.len() == 2 && all.iter().all(|task| task["state"] == "TASK_RUNNING")
        })
        .await;
    assert_eq!(never.processes(), waited);
    marathon
        .until("/v2/tasks", "six of which there are", |tasks| tasks["tasks"].as_array().map(Vec::len) == Some(6))
        .await;
}
