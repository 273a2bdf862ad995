//! A rolling upgrade never has too few instances or too many, whoever counts them; one that does not work can be taken back.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, park_timeout};
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Marathon, Token, app, ask, pass, until_run};
use crate::cluster::eventually;

/// What was counted at one moment: instances that work and instances that there are, as Marathon says and as processes show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sample {
    said_healthy: usize,
    said: usize,
    healthy: usize,
    running: usize,
}

/// Counts ten times a second until it is ended.
struct Sampler {
    is_over: Arc<AtomicBool>,
    counting: JoinHandle<Vec<Sample>>,
}

impl Sampler {
    fn start(marathon: &Marathon, token: &Token) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, address, token) = (Arc::clone(&is_over), marathon.address(1), token.clone());
        let counting = std::thread::spawn(move || {
            let mut samples = Vec::new();
            while !over.load(Ordering::Relaxed) {
                samples.push(sample(&address, &token));
                park_timeout(Duration::from_millis(100));
            }
            samples
        });
        Self { is_over, counting }
    }

    /// Ends it. There was no moment with fewer than 2 that work, or more than 6.
    fn check(self) {
        self.is_over.store(true, Ordering::Relaxed);
        let samples = self.counting.join().expect("it counts");
        let is_well =
            |sample: &Sample| sample.said_healthy.min(sample.healthy) >= 2 && sample.said.max(sample.running) <= 6;
        assert!(samples.len() >= 10, "{}", samples.len());
        assert!(samples.iter().all(is_well), "{samples:?}");
    }
}

fn sample(address: &str, token: &Token) -> Sample {
    let processes = token.processes();
    let tasks = ask(address, "GET", "/v2/apps/web/tasks", "").expect("tasks").body;
    let tasks = tasks["tasks"].as_array().expect("a list");
    let works =
        |task: &&Value| task["state"] == "TASK_RUNNING" && task["healthCheckResults"][0]["alive"] == json!(true);
    // It works if it says so in its sandbox.
    let healthy = |pid: &&u32| Path::new(&format!("/proc/{pid}/cwd/works")).exists();
    Sample {
        said_healthy: tasks.iter().filter(works).count(),
        said: tasks.len(),
        healthy: processes.iter().filter(healthy).count(),
        running: processes.len(),
    }
}

/// An app whose instances work after half a second.
fn web(token: &Token, number: u8) -> Value {
    let more = json!({
        "instances": 4,
        "cmd": format!("(sleep 0.5; touch works) & {}", token.command()),
        "env": { "NUMBER": number.to_string() },
        "upgradeStrategy": { "minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.5 },
        "healthChecks": [{
            "protocol": "COMMAND", "command": { "value": "test -e works" }, "delaySeconds": 0, "intervalSeconds": 1,
            "gracePeriodSeconds": 300, "maxConsecutiveFailures": 3,
        }],
    });
    app("/web", token, &more)
}

/// Four instances that work, and are being upgraded to something that does not: two are left.
async fn stalled(test: &str) -> (Marathon, Token, Vec<u32>, Value) {
    let (marathon, token) = (Marathon::of(test, 2).await, Token::new());
    let version = marathon.done("POST", "/v2/apps", &web(&token, 1))["version"].clone();
    marathon.settled().await;
    let before = until_run(&token, 4).await;
    let mut broken = web(&token, 2);
    broken["cmd"] = token.command().into();
    let sampler = Sampler::start(&marathon, &token);
    marathon.done("PUT", "/v2/apps/web", &broken);
    let is_stalled = |pids: &Vec<u32>| pids.len() == 6 && pids.iter().filter(|pid| before.contains(pid)).count() == 2;
    let there = eventually("a standstill", async || Some(token.processes()).filter(is_stalled)).await;
    pass(2_500).await;
    let now = token.processes();
    assert_eq!(now, there, "nothing moves");
    assert_eq!(marathon.get("/v2/deployments").as_array().map(Vec::len), Some(1));
    let refused = marathon.ask("PUT", "/v2/apps/web", &json!({ "instances": 5 }));
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_eq!(refused.body["deployments"][0]["id"], marathon.get("/v2/deployments")[0]["id"]);
    sampler.check();
    let kept = now.into_iter().filter(|pid| before.contains(pid)).collect();
    (marathon, token, kept, version)
}

/// Everything is as it was, and who still ran runs.
async fn is_back(marathon: &Marathon, token: &Token, kept: &[u32]) {
    marathon.settled().await;
    let now = until_run(token, 4).await;
    assert!(kept.len() == 2 && kept.iter().all(|pid| now.contains(pid)), "{kept:?} of {now:?}");
    assert_eq!(marathon.get("/v2/apps/web")["app"]["env"]["NUMBER"], "1");
    assert_eq!(marathon.get("/v2/apps/web")["app"]["tasksHealthy"], 4);
}

#[tokio::test]
async fn at_no_moment_of_an_upgrade_are_there_fewer_than_two_that_work_or_more_than_six() {
    let (marathon, token) = (Marathon::of("upgrade", 2).await, Token::new());
    marathon.done("POST", "/v2/apps", &web(&token, 1));
    marathon.settled().await;
    let before = until_run(&token, 4).await;
    let sampler = Sampler::start(&marathon, &token);
    marathon.done("PUT", "/v2/apps/web", &web(&token, 2));
    marathon.settled().await;
    let after = until_run(&token, 4).await;
    assert!(after.iter().all(|pid| !before.contains(pid)), "all are new");
    marathon.done("POST", "/v2/apps/web/restart", &Value::Null);
    marathon.settled().await;
    let last = until_run(&token, 4).await;
    assert!(last.iter().all(|pid| !after.contains(pid)), "and new again");
    sampler.check();
}

#[tokio::test]
async fn an_upgrade_that_stalls_keeps_half_and_goes_back_when_its_deployment_is_deleted() {
    let (marathon, token, kept, _) = stalled("taken-back").await;
    let id = marathon.get("/v2/deployments")[0]["id"].as_str().expect("an id").to_owned();
    let answer = marathon.ask("DELETE", &format!("/v2/deployments/{id}"), &Value::Null);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_ne!(answer.body["deploymentId"], id.as_str(), "it is another deployment");
    is_back(&marathon, &token, &kept).await;
}

#[tokio::test]
async fn an_upgrade_that_stalls_keeps_half_and_goes_back_to_a_version_that_is_named() {
    let (marathon, token, kept, version) = stalled("put-back").await;
    let to = json!({ "version": version });
    assert_eq!(marathon.ask("PUT", "/v2/apps/web", &to).status, 409);
    marathon.done("PUT", "/v2/apps/web?force=true", &to);
    is_back(&marathon, &token, &kept).await;
}
