//! Ports: those that are chosen, those that are required, and how instances are told of them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::{Value, json};

use crate::client::{Marathon, Token, ask, until_run};
use crate::cluster::Cluster;

/// The environment of a process.
fn variable(pid: u32, name: &str) -> Option<String> {
    let all = fs::read(format!("/proc/{pid}/environ")).expect("it runs");
    let all = String::from_utf8(all).expect("text");
    all.split('\0').find_map(|line| line.strip_prefix(&format!("{name}="))).map(str::to_owned)
}

#[tokio::test]
async fn an_instance_listens_on_the_port_that_it_was_given_and_is_looked_at_there() {
    let mut marathon = Marathon { cluster: Cluster::new("port"), number: 1 };
    marathon.cluster.start_master(1, &[]);
    // Ports of its own: this one is listened on.
    marathon.cluster.start_agent(1, &["--resources=cpus:4;mem:4096;ports:[27100-27199]"]);
    marathon.cluster.wait_for_agents(1).await;
    marathon.start(1, &[]);
    marathon.is_there(1).await;
    // What listens and answers here is a master.
    let program = env!("CARGO_BIN_EXE_mesos-like");
    let app = json!({
        "id": "web", "cpus": 0.1, "mem": 64, "instances": 2,
        "cmd": format!("exec {program} master --ip=127.0.0.1 --port=$PORT0 --work_dir=$MESOS_SANDBOX/master"),
        "portDefinitions": [{ "port": 0, "name": "http" }, { "port": 0, "protocol": "udp", "name": "udp-in" }],
        "healthChecks": [{
            "protocol": "HTTP", "path": "/health", "portIndex": 0, "delaySeconds": 0, "intervalSeconds": 1,
            "gracePeriodSeconds": 30,
        }],
    });
    let made = marathon.done("POST", "/v2/apps", &app);
    let chosen = made["ports"].as_array().expect("a list");
    assert!(chosen.iter().all(|port| (10_000..=20_000).contains(&port.as_u64().expect("a port"))), "{chosen:?}");
    marathon.settled().await;
    let tasks = marathon.tasks("web");
    let mut ports: Vec<u64> = Vec::new();
    for task in &tasks {
        let own: Vec<u64> = task["ports"].as_array().expect("a list").iter().filter_map(Value::as_u64).collect();
        let answer = ask(&format!("127.0.0.1:{}", own[0]), "GET", "/health", "").expect("it listens");
        assert_eq!(answer.status, 200);
        assert_eq!(task["healthCheckResults"][0]["alive"], true);
        assert_eq!(&task["servicePorts"], &made["ports"]);
        ports.extend(own);
    }
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 4, "no port is given twice: {tasks:?}");
    assert!(ports.iter().all(|port| (27_100..=27_199).contains(port)));
}

#[tokio::test]
async fn a_port_that_is_required_is_given_once_on_each_agent() {
    let marathon = Marathon::of("required", 2).await;
    let token = Token::new();
    let ports = json!([{ "port": 31_005, "name": "web-in" }, { "port": 31_007 }]);
    marathon.add("web", &token, &json!({ "instances": 3, "requirePorts": true, "portDefinitions": ports }));
    let pids = until_run(&token, 2).await;
    let waits = marathon.until_queued("/web", "one that has no port", |waiting| {
        let last = &waiting["processedOffersSummary"]["rejectSummaryLastOffers"];
        last.as_array().is_some_and(|all| {
            all.iter().any(|reason| reason["reason"] == "InsufficientPorts" && reason["declined"] == 2)
        })
    });
    assert_eq!(waits.await["count"], 1);
    for pid in pids {
        for (name, value) in [
            ("PORT", "31005"),
            ("PORT0", "31005"),
            ("PORT_31005", "31005"),
            ("PORT_WEB_IN", "31005"),
            ("PORT1", "31007"),
            ("PORTS", "31005,31007"),
        ] {
            assert_eq!(variable(pid, name).as_deref(), Some(value), "{name}");
        }
        assert_eq!(variable(pid, "MARATHON_APP_ID").as_deref(), Some("/web"));
    }
    let tasks = marathon.tasks("web");
    assert!(tasks.iter().all(|task| task["ports"] == json!([31_005, 31_007])), "{tasks:?}");
    assert_ne!(tasks[0]["host"], tasks[1]["host"]);
}

/// Answers every request with the status that is set, from a thread of its own.
fn answers(address: &str) -> Arc<AtomicU16> {
    let status = Arc::new(AtomicU16::new(503));
    let (listener, said) = (TcpListener::bind(address).expect("it listens"), Arc::clone(&status));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            // Whoever asks may leave.
            let _ = stream.read(&mut [0; 4096]);
            let status = said.load(Ordering::Relaxed);
            let _ = write!(stream, "HTTP/1.1 {status} As Asked\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    status
}

#[tokio::test]
async fn a_deployment_waits_until_instances_say_that_they_are_ready() {
    let mut marathon = Marathon { cluster: Cluster::new("ready"), number: 1 };
    marathon.cluster.start_master(1, &[]);
    let host = marathon.cluster.address(101).to_string();
    marathon.cluster.start_agent(1, &[&format!("--hostname={host}")]);
    marathon.cluster.wait_for_agents(1).await;
    marathon.start(1, &[]);
    marathon.is_there(1).await;
    let status = answers(&format!("{host}:31010"));
    let token = Token::new();
    let more = json!({
        "requirePorts": true, "portDefinitions": [{ "port": 31_010, "name": "http-api" }],
        "readinessChecks": [{ "name": "ready", "path": "/ready", "intervalSeconds": 1, "timeoutSeconds": 1, "httpStatusCodesForReady": [200, 201] }],
    });
    marathon.add("web", &token, &more);
    until_run(&token, 1).await;
    let deployment = marathon
        .until("/v2/deployments", "with an instance that is not ready", |all| {
            all[0]["currentActions"][0]["readinessCheckResults"][0]["ready"] == json!(false)
        })
        .await;
    assert_eq!(deployment[0]["currentActions"][0]["readinessCheckResults"][0]["name"], "ready");
    // Another answer that is none of the right ones.
    status.store(204, Ordering::Relaxed);
    crate::client::pass(1_500).await;
    assert_eq!(marathon.get("/v2/deployments")[0]["id"], deployment[0]["id"]);
    status.store(201, Ordering::Relaxed);
    marathon.settled().await;
    let app = marathon.get("/v2/apps/web?embed=app.readiness");
    assert_eq!(app["app"]["readinessCheckResults"][0]["ready"], true);
}
