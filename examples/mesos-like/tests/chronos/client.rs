//! [`Chronos`]: a Chronos of a test's cluster, as a person sees it.

use std::fs;
use std::time::Duration;

use orch_core::clock::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};

pub(crate) use crate::ask::Answer;
use crate::cluster::{Cluster, eventually};

/// Where each Chronos listens.
const PORT: u16 = 4400;

/// A cluster with Chronos on it.
#[derive(Debug)]
pub(crate) struct Chronos {
    pub(crate) cluster: Cluster,
    /// What the next request is sent to.
    pub(crate) number: u8,
}

/// A line that a run of a job wrote: what it was for, and when it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) words: Vec<String>,
    pub(crate) at: i64,
}

impl Chronos {
    /// A master, so many agents, and a Chronos that keeps what it knows in files.
    pub(crate) async fn of(test: &str, agents: u8, flags: &[&str]) -> Self {
        let mut chronos = Self { cluster: Cluster::of(test, agents).await, number: 1 };
        chronos.start(1, flags);
        chronos.is_there(1).await;
        chronos
    }

    /// Starts a Chronos of master 1, with further flags. It retries after a moment, unless a flag says otherwise.
    pub(crate) fn start(&mut self, number: u8, flags: &[&str]) {
        let ip = format!("--ip={}", self.cluster.address(200 + number));
        let port = format!("--http_port={PORT}");
        let master = format!("--master={}", self.cluster.master(1));
        let store = format!("--store=embedded:{}", self.cluster.folder().join(format!("store-{number}")).display());
        let mut fixed = vec!["chronos", &ip, &port];
        for (flag, default) in [
            ("--master=", &*master),
            ("--store=", &*store),
            ("--failure_retry=", "--failure_retry=500"),
            ("--decline_offer_duration=", "--decline_offer_duration=200"),
        ] {
            if !flags.iter().any(|given| given.starts_with(flag)) {
                fixed.push(default);
            }
        }
        self.cluster.start(&format!("chronos-{number}"), &[&fixed[..], flags].concat());
    }

    /// Waits until a Chronos answers.
    pub(crate) async fn is_there(&self, number: u8) {
        let address = self.address(number);
        eventually("chronos", async || (ask(&address, "GET", "/ping", "")?.status == 200).then_some(())).await;
    }

    pub(crate) fn address(&self, number: u8) -> String {
        format!("{}:{PORT}", self.cluster.address(200 + number))
    }

    /// Asks, and is answered.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        ask(&self.address(self.number), method, path, body).unwrap_or_else(|| panic!("{method} {path} is answered"))
    }

    /// Asks for what is done without a word.
    pub(crate) fn done(&self, method: &str, path: &str, body: &Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.ask(method, path, &body);
        assert_eq!((answer.status, &answer.body), (204, &Value::Null), "{method} {path} {body}");
    }

    /// Adds a job: of what it says, and a command that first writes a line of the job's name, its slot and its attempt.
    pub(crate) fn add(&self, name: &str, rest: &Value) {
        let mut job = self.job_of(name, rest);
        let path = if job.get("parents").is_some() { "dependency" } else { "iso8601" };
        job["owner"] = "test".into();
        self.done("POST", &format!("/v1/scheduler/{path}"), &job);
    }

    fn job_of(&self, name: &str, rest: &Value) -> Value {
        let file = self.cluster.folder().join("lines");
        let mut job = json!({ "name": name, "cpus": 0.1, "mem": 32, "disk": 1 });
        job.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
        // One write of a line is not mixed with others.
        let line = "$CHRONOS_JOB_NAME $CHRONOS_JOB_RUN_TIME $CHRONOS_JOB_RUN_ATTEMPT $(date +%s%3N)";
        let then = job["command"].as_str().unwrap_or("true").to_owned();
        job["command"] = format!("echo \"{line}\" >> {}; {then}", file.display()).into();
        job
    }

    /// The lines that runs of a job wrote.
    pub(crate) fn lines(&self, job: &str) -> Vec<Line> {
        let text = fs::read_to_string(self.cluster.folder().join("lines")).unwrap_or_default();
        let line = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let at = words.last()?.parse().ok()?;
            Some(Line { words, at })
        };
        text.lines().filter_map(line).filter(|line| job.is_empty() || line.words[0] == job).collect()
    }

    /// A job as it is shown.
    pub(crate) fn job(&self, name: &str) -> Value {
        self.ask("GET", &format!("/v1/scheduler/job/{name}"), "").body
    }

    /// Waits until something is so of a job.
    pub(crate) async fn until(&self, name: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let address = self.address(self.number);
        let look = async || {
            let job = ask(&address, "GET", &format!("/v1/scheduler/job/{name}"), "")?.body;
            is_so(&job).then_some(job)
        };
        eventually(&format!("{name} {what}"), look).await
    }

    /// Waits until a job has succeeded so often.
    pub(crate) async fn until_successes(&self, name: &str, count: u64) -> Value {
        self.until(name, &format!("to succeed {count} times"), |job| job["successCount"] == count).await
    }
}

/// A time from now, as it stands in a schedule.
pub(crate) fn in_millis(millis: i64) -> String {
    let at = SystemClock.now().as_millisecond() + millis;
    format!("{:.3}", Timestamp::from_millisecond(at).expect("a time"))
}

/// Waits for so long: that nothing happens cannot be waited for otherwise.
pub(crate) async fn pass(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// Asks once; nothing if nobody answers.
pub(crate) fn ask(address: &str, method: &str, path: &str, body: &str) -> Option<Answer> {
    crate::ask::ask(address, method, path, body, Duration::from_secs(20))
}
