//! Whatever is killed in the middle of a deployment: it completes, nothing runs twice, and what ran runs on.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, park_timeout};
use std::time::Duration;

use nix::sys::signal::Signal;
use orch_testkit::daemon::Etcd;
use serde_json::{Value, json};

use crate::client::{Marathon, Token, app, ask, pass, until_run};
use crate::cluster::{Cluster, PATIENCE, eventually};

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
        park_timeout(Duration::from_millis(100));
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
    async fn ends_well(self) -> Marathon {
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
        self.marathon
    }
}

#[tokio::test]
async fn a_marathon_that_is_killed_again_and_again_completes_its_deployment() {
    let mut scene = Scene::of(Marathon::of("killed", 2).await).await;
    for millis in [0, 150, 400, 700] {
        pass(millis).await;
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

/// Two Marathons that are one, of which the first leads.
async fn two(test: &str, etcd: &Etcd) -> Marathon {
    let store = format!("--store=etcd://{}/apps", etcd.endpoints()[0].trim_start_matches("http://"));
    let mut marathon = Marathon { cluster: Cluster::of(test, 2).await, number: 1 };
    for number in 1..=2 {
        marathon.start(number, &[&store, "--leader_timeout=2secs"]);
        marathon.is_there(number).await;
    }
    assert_eq!([1, 2].map(|number| leader(&marathon, number)), [Some(1), Some(1)]);
    marathon
}

/// Which of two leads, as one of them says.
fn leader(marathon: &Marathon, asked: u8) -> Option<u8> {
    let said = ask(&marathon.address(asked), "GET", "/v2/leader", "")?.body["leader"].clone();
    [1, 2].into_iter().find(|number| said == marathon.address(*number))
}

/// What happens, from now on.
fn listen(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    write!(stream, "GET /v2/events HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n").expect("sent");
    stream
}

/// Reads until there is such a line.
fn hear(stream: &mut TcpStream, line: &str) {
    let (mut heard, mut part) = (String::new(), [0; 4096]);
    while !heard.contains(line) {
        let read = stream.read(&mut part).expect("it goes on");
        assert!(read > 0, "no {line:?} in {heard}");
        heard.push_str(&String::from_utf8_lossy(&part[..read]));
    }
}

#[tokio::test]
async fn when_the_leader_of_two_is_killed_the_other_completes_its_deployment_and_either_answers_for_both() {
    let etcd = Etcd::start().await;
    let mut marathon = two("leaders", &etcd).await;
    marathon.number = 2;
    let answer = marathon.ask("GET", "/v2/apps", &Value::Null);
    assert!(answer.head.contains(&format!("x-marathon-leader: http://{}", marathon.address(1))), "{answer:?}");
    let mut events = listen(&marathon.address(2));
    hear(&mut events, "event: event_stream_attached\r\n");
    marathon.add("heard", &Token::new(), &json!({}));
    hear(&mut events, "event: deployment_success\r\n");
    let mut scene = Scene::of(marathon).await;
    scene.marathon.cluster.signal("marathon-1", Signal::SIGKILL);
    eventually("the next leader", async || (leader(&scene.marathon, 2)? == 2).then_some(())).await;
    scene.ends_well().await;
}

#[tokio::test]
async fn a_leader_that_slept_until_another_one_led_changes_nothing_and_follows() {
    let etcd = Etcd::start().await;
    let mut marathon = two("asleep", &etcd).await;
    marathon.number = 2;
    let mut scene = Scene::of(marathon).await;
    scene.marathon.cluster.signal("marathon-1", Signal::SIGSTOP);
    eventually("the next leader", async || (leader(&scene.marathon, 2)? == 2).then_some(())).await;
    scene.marathon.cluster.signal("marathon-1", Signal::SIGCONT);
    let marathon = scene.ends_well().await;
    eventually("a follower", async || (leader(&marathon, 1)? == 2).then_some(())).await;
    let apps = |number: u8| ask(&marathon.address(number), "GET", "/v2/apps", "").map(|answer| answer.body);
    assert_eq!(apps(1), apps(2));
}

#[tokio::test]
async fn when_the_store_is_away_for_longer_than_a_leader_may_be_the_deployment_goes_on_after_it() {
    let etcd = Etcd::start().await;
    let mut scene = Scene::of(two("store", &etcd).await).await;
    etcd.pause();
    pass(3_500).await;
    etcd.resume();
    scene.marathon.number = 2;
    scene.marathon.is_there(2).await;
    scene.ends_well().await;
}

#[tokio::test]
async fn when_an_agent_is_lost_in_the_middle_the_deployment_completes_elsewhere() {
    let mut marathon = Marathon { cluster: Cluster::new("lost"), number: 1 };
    let impatient = ["--agent_ping_timeout=500ms", "--max_agent_ping_timeouts=2", "--agent_reregister_timeout=1secs"];
    marathon.cluster.start_master(1, &impatient);
    for number in 1..=2 {
        marathon.cluster.start_agent(number, &[]);
    }
    marathon.cluster.wait_for_agents(2).await;
    marathon.start(1, &[]);
    marathon.is_there(1).await;
    let mut scene = Scene::of(marathon).await;
    scene.marathon.cluster.signal("agent-1", Signal::SIGKILL);
    let all_elsewhere = |count: usize| {
        move |tasks: &Value| {
            let all = tasks["tasks"].as_array().cloned().unwrap_or_default();
            all.len() == count && all.iter().all(|task| task["host"] == "agent-2" && task["state"] == "TASK_RUNNING")
        }
    };
    scene.marathon.until("/v2/apps/web/tasks", "all elsewhere", all_elsewhere(4)).await;
    scene.marathon.until("/v2/apps/kept/tasks", "all elsewhere", all_elsewhere(3)).await;
    scene.marathon.settled().await;
    let app = scene.marathon.get("/v2/apps/web")["app"].clone();
    assert_eq!((&app["env"]["NUMBER"], &app["tasksHealthy"]), (&json!("2"), &json!(4)));
    scene.is_over.store(true, Ordering::Relaxed);
    scene.counting.join().expect("no task runs twice");
}

#[tokio::test]
async fn a_marathon_that_the_master_has_removed_registers_anew_and_starts_everything_again() {
    let marathon = Marathon::of("removed", 1).await;
    let token = Token::new();
    marathon.add("web", &token, &json!({ "instances": 3 }));
    marathon.settled().await;
    let before = until_run(&token, 3).await;
    let id = marathon.get("/v2/info")["frameworkId"].as_str().expect("an id").to_owned();
    let master = marathon.cluster.master(1);
    let answer = ask(&master, "POST", "/master/teardown", &format!("frameworkId={id}")).expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    let is_new = |info: &Value| info["frameworkId"].as_str().is_some_and(|new| new != id);
    marathon.until("/v2/info", "with another id", is_new).await;
    let all_new = |pids: &Vec<u32>| pids.len() == 3 && pids.iter().all(|pid| !before.contains(pid));
    eventually("three new ones", async || Some(token.processes()).filter(all_new)).await;
    marathon.settled().await;
    assert_eq!(marathon.tasks("web").len(), 3);
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
