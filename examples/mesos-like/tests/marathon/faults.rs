//! Whatever is killed in the middle of a deployment: it completes, nothing runs twice, and what ran runs on.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use nix::sys::signal::Signal;
use orch_testkit::daemon::Etcd;
use serde_json::{Value, json};

use crate::client::{Marathon, Token, app, ask, until_run};
use crate::cluster::{Cluster, eventually};

/// An app that is being upgraded, and one that stays what it is.
struct Scene {
    marathon: Marathon,
    web: Token,
    kept: Token,
    /// The processes of the app that stays.
    before: Vec<u32>,
    /// Those of the other one, before.
    old: Vec<u32>,
    is_over: Arc<AtomicBool>,
    counting: JoinHandle<usize>,
}

/// Counts the processes of an app ten times a second: how many there were at most. No task has two.
fn count(token: Token, is_over: Arc<AtomicBool>) -> usize {
    let mut most = 0;
    while !is_over.load(Ordering::Relaxed) {
        let mut tasks = BTreeMap::new();
        let processes = token.processes();
        most = most.max(processes.len());
        for pid in processes {
            let all = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let all = String::from_utf8_lossy(&all).into_owned();
            // It may have ended meanwhile.
            let Some(task) = all.split('\0').find_map(|line| line.strip_prefix("MESOS_TASK_ID=")) else { continue };
            if let Some(other) = tasks.insert(task.to_owned(), pid) {
                panic!("{task} runs twice, as {other} and {pid}");
            }
        }
        sleep(Duration::from_millis(100));
    }
    most
}

fn web(token: &Token, number: u8) -> Value {
    let more = json!({
        "instances": 4, "env": { "NUMBER": number.to_string() },
        "upgradeStrategy": { "minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.5 },
        "healthChecks": [{
            "protocol": "COMMAND", "command": { "value": "true" }, "delaySeconds": 0, "intervalSeconds": 1,
        }],
    });
    app("/web", token, &more)
}

impl Scene {
    /// Both run, and the upgrade has begun: some instances are new already.
    async fn of(marathon: Marathon) -> Self {
        let (web_token, kept) = (Token::new(), Token::new());
        marathon.add("kept", &kept, &json!({ "instances": 3 }));
        marathon.done("POST", "/v2/apps", &web(&web_token, 1));
        marathon.settled().await;
        let (before, old) = (until_run(&kept, 3).await, until_run(&web_token, 4).await);
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, token) = (Arc::clone(&is_over), web_token.clone());
        let counting = std::thread::spawn(move || count(token, over));
        marathon.done("PUT", "/v2/apps/web", &web(&web_token, 2));
        let is_begun = async || web_token.processes().iter().any(|pid| !old.contains(pid)).then_some(());
        eventually("a new instance", is_begun).await;
        Self { marathon, web: web_token, kept, before, old, is_over, counting }
    }

    /// The upgrade completes as if nothing had happened.
    async fn ends_well(self) {
        self.marathon.settled().await;
        let new = until_run(&self.web, 4).await;
        self.is_over.store(true, Ordering::Relaxed);
        assert!(new.iter().all(|pid| !self.old.contains(pid)), "all are new");
        let most = self.counting.join().expect("no task runs twice");
        assert!(most <= 6, "{most} ran at once");
        assert_eq!(self.kept.processes(), self.before, "what ran runs on");
        let app = self.marathon.get("/v2/apps/web")["app"].clone();
        assert_eq!((&app["env"]["NUMBER"], &app["tasksHealthy"]), (&json!("2"), &json!(4)));
        assert_eq!(self.marathon.tasks("kept").len(), 3);
        // It goes on as before.
        let after = Token::new();
        self.marathon.add("after", &after, &json!({ "instances": 2 }));
        self.marathon.settled().await;
        until_run(&after, 2).await;
    }
}

#[tokio::test]
async fn a_marathon_that_is_killed_again_and_again_completes_its_deployment() {
    let mut scene = Scene::of(Marathon::of("killed", 2).await).await;
    for millis in [0, 150, 400, 700] {
        crate::client::pass(millis).await;
        scene.marathon.cluster.signal("marathon-1", Signal::SIGKILL);
        scene.marathon.start(1, &[]);
        scene.marathon.is_there(1).await;
    }
    scene.ends_well().await;
}

#[tokio::test]
async fn a_marathon_that_is_killed_while_it_starts_many_instances_starts_each_once() {
    let mut marathon = Marathon::of("starts", 2).await;
    let token = Token::new();
    marathon.add("many", &token, &json!({ "instances": 30 }));
    for count in [1, 10] {
        eventually("some instances", async || (token.processes().len() >= count).then_some(())).await;
        marathon.cluster.signal("marathon-1", Signal::SIGKILL);
        marathon.start(1, &[]);
        marathon.is_there(1).await;
    }
    marathon.settled().await;
    let pids = until_run(&token, 30).await;
    // Ended while nobody leads: it is noticed.
    marathon.cluster.signal("marathon-1", Signal::SIGKILL);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pids[0].try_into().expect("a pid")), Signal::SIGKILL)
        .expect("it runs");
    until_run(&token, 29).await;
    marathon.start(1, &[]);
    marathon.is_there(1).await;
    let now = until_run(&token, 30).await;
    assert_eq!(now.iter().filter(|pid| pids.contains(pid)).count(), 29);
    assert_eq!(marathon.get("/v2/apps/many")["app"]["lastTaskFailure"]["state"], "TASK_FAILED");
}

#[tokio::test]
async fn when_the_leader_of_two_is_killed_the_other_completes_its_deployment_and_either_answers_for_both() {
    let etcd = Etcd::start().await;
    let store = format!("--store=etcd://{}/apps", etcd.endpoints()[0].trim_start_matches("http://"));
    let flags = [store.as_str(), "--leader_timeout=2secs"];
    let mut marathon = Marathon { cluster: Cluster::of("leaders", 2).await, number: 1 };
    for number in 1..=2 {
        marathon.start(number, &flags);
        marathon.is_there(number).await;
    }
    let (first, second) = (marathon.address(1), marathon.address(2));
    let leader = |asked: &str| ask(asked, "GET", "/v2/leader", "").map(|answer| answer.body["leader"].clone());
    assert_eq!((leader(&first), leader(&second)), (Some(json!(first)), Some(json!(first))));
    marathon.number = 2;
    let answer = marathon.ask("GET", "/v2/apps", &Value::Null);
    assert!(answer.head.contains(&format!("x-marathon-leader: http://{first}")), "{answer:?}");
    let mut scene = Scene::of(marathon).await;
    scene.marathon.cluster.signal("marathon-1", Signal::SIGKILL);
    eventually("the next leader", async || (leader(&second)? == second.as_str()).then_some(())).await;
    scene.ends_well().await;
}

#[tokio::test]
async fn when_an_agent_is_killed_and_comes_back_its_instances_are_what_they_were() {
    let mut scene = Scene::of(Marathon::of("agent", 2).await).await;
    for number in 1..=2 {
        scene.marathon.cluster.signal(&format!("agent-{number}"), Signal::SIGKILL);
        scene.marathon.cluster.start_agent(number, &[]);
    }
    scene.ends_well().await;
}

#[tokio::test]
async fn when_the_master_is_killed_and_comes_back_the_deployment_goes_on() {
    let mut marathon = Marathon { cluster: Cluster::new("master"), number: 1 };
    let store = format!("--store=embedded:{}", marathon.cluster.folder().join("master-store").display());
    marathon.cluster.start_master(1, &[&store]);
    for number in 1..=2 {
        marathon.cluster.start_agent(number, &[]);
    }
    marathon.cluster.wait_for_agents(2).await;
    marathon.start(1, &[]);
    marathon.is_there(1).await;
    let mut scene = Scene::of(marathon).await;
    for _ in 0..2 {
        scene.marathon.cluster.signal("master-1", Signal::SIGKILL);
        scene.marathon.cluster.start_master(1, &[&store]);
        scene.marathon.cluster.wait_for_agents(2).await;
    }
    scene.ends_well().await;
}

#[tokio::test]
async fn when_the_leading_master_is_killed_the_deployment_goes_on_at_the_next_one() {
    let etcd = Etcd::start().await;
    let store = format!("--store=etcd://{}", etcd.endpoints()[0].trim_start_matches("http://"));
    let mut marathon = Marathon { cluster: Cluster::new("failover"), number: 1 };
    let flags = [store.as_str(), "--leader_timeout=2secs"];
    marathon.cluster.start_master(1, &flags);
    let both = format!("--master={},{}", marathon.cluster.master(1), marathon.cluster.master(2));
    for number in 1..=2 {
        marathon.cluster.start_agent(number, &[&both]);
    }
    marathon.cluster.wait_for_agents(2).await;
    // The first one leads by now.
    marathon.cluster.start_master(2, &flags);
    marathon.start(1, &[&both]);
    marathon.is_there(1).await;
    let mut scene = Scene::of(marathon).await;
    scene.marathon.cluster.signal("master-1", Signal::SIGKILL);
    scene.ends_well().await;
}
