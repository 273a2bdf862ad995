//! Three Marathons on one master.

use std::collections::BTreeSet;

use serde_json::json;

use crate::client::{Marathon, Token, until_run};
use crate::cluster::Cluster;

/// How many instances each has.
const EACH: usize = 50;

async fn three(test: &str, roles: [&str; 3]) {
    let mut marathon = Marathon { cluster: Cluster::new(test), number: 1 };
    marathon.cluster.start_master(1, &[]);
    for number in 1..=3 {
        marathon.cluster.start_agent(number, &["--resources=cpus:10;mem:8192;ports:[31000-31099]"]);
    }
    marathon.cluster.wait_for_agents(3).await;
    for (number, role) in (1..).zip(roles) {
        let name = format!("--framework_name=marathon-{number}");
        marathon.start(number, &[&name, &format!("--mesos_role={role}")]);
    }
    let mut tokens = Vec::new();
    for number in 1..=3 {
        marathon.is_there(number).await;
        marathon.number = number;
        let token = Token::new();
        let more = json!({ "instances": EACH, "portDefinitions": [{ "port": 0 }] });
        marathon.add("web", &token, &more);
        tokens.push(token);
    }
    let mut ports = BTreeSet::new();
    for number in 1..=3 {
        marathon.number = number;
        marathon.settled().await;
        until_run(&tokens[usize::from(number) - 1], EACH).await;
        let tasks = marathon.get("/v2/tasks")["tasks"].as_array().expect("a list").clone();
        assert_eq!(tasks.len(), EACH, "each sees its own");
        for task in &tasks {
            assert_eq!(task["role"], roles[usize::from(number) - 1]);
            let there = (task["host"].to_string(), task["ports"][0].as_u64().expect("a port"));
            assert!(ports.insert(there), "a port is given twice: {task}");
        }
    }
    assert_eq!(ports.len(), 3 * EACH);
    let state = marathon.cluster.get(&marathon.cluster.master(1), "/state").await;
    let running = |framework: &serde_json::Value| framework["tasks"].as_array().map(Vec::len);
    let frameworks = state["frameworks"].as_array().expect("a list");
    assert_eq!(frameworks.iter().map(running).collect::<Vec<_>>(), [Some(EACH); 3]);
}

#[tokio::test]
async fn three_marathons_in_one_role_run_fifty_instances_each_and_share_no_port() {
    three("one-role", ["*", "*", "*"]).await;
}

#[tokio::test]
async fn three_marathons_in_three_roles_run_fifty_instances_each_and_share_no_port() {
    three("three-roles", ["one", "two", "three"]).await;
}
