//! [`Marathon`]: a Marathon of a test's cluster, as a person sees it.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

pub(crate) use crate::ask::Answer;
use crate::cluster::{Cluster, eventually};

/// Where each Marathon listens.
const PORT: u16 = 8080;

/// A cluster with Marathon on it.
#[derive(Debug)]
pub(crate) struct Marathon {
    pub(crate) cluster: Cluster,
    /// What the next request is sent to.
    pub(crate) number: u8,
}

/// What stands in the command of some instances, and of no other process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token(String);

impl Answer {
    /// The body of an answer that says that something was done.
    fn expect_done(self, asked: &str) -> Value {
        assert!((200..300).contains(&self.status), "{asked}: {self:?}");
        self.body
    }
}

impl Token {
    /// A new one.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // It is how long they sleep, too.
        Self(format!("9{:07}.{number:04}", std::process::id()))
    }

    /// A command that takes its shell's place.
    pub(crate) fn command(&self) -> String {
        format!("exec sleep {}", self.0)
    }

    /// The processes that run it.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let line = format!("sleep\0{}\0", self.0);
        let all = fs::read_dir("/proc").expect("a /proc").flatten();
        let pid = |entry: fs::DirEntry| -> Option<u32> {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            (fs::read(entry.path().join("cmdline")).ok()? == line.as_bytes()).then_some(pid)
        };
        let mut pids: Vec<u32> = all.filter_map(pid).collect();
        pids.sort_unstable();
        pids
    }
}

impl Marathon {
    /// A master, so many agents, and a Marathon that keeps what it knows in files.
    pub(crate) async fn of(test: &str, agents: u8) -> Self {
        let mut marathon = Self { cluster: Cluster::of(test, agents).await, number: 1 };
        marathon.start(1, &[]);
        marathon.is_there(1).await;
        marathon
    }

    /// Starts a Marathon of master 1, with further flags.
    pub(crate) fn start(&mut self, number: u8, flags: &[&str]) {
        let ip = format!("--http_address={}", self.cluster.address(200 + number));
        let port = format!("--http_port={PORT}");
        let master = format!("--master={}", self.cluster.master(1));
        let store = format!("--store=embedded:{}", self.cluster.folder().join(format!("store-{number}")).display());
        let mut fixed = vec!["marathon", &ip, &port];
        for (flag, default) in [
            ("--master=", &*master),
            ("--store=", &*store),
            ("--decline_offer_duration=", "--decline_offer_duration=200ms"),
            ("--kill_retry_timeout=", "--kill_retry_timeout=1secs"),
        ] {
            if !flags.iter().any(|given| given.starts_with(flag)) {
                fixed.push(default);
            }
        }
        self.cluster.start(&format!("marathon-{number}"), &[&fixed[..], flags].concat());
    }

    /// Waits until a Marathon answers, itself or by the one that leads.
    pub(crate) async fn is_there(&self, number: u8) {
        let address = self.address(number);
        eventually("marathon", async || (ask(&address, "GET", "/v2/info", "")?.status == 200).then_some(())).await;
    }

    pub(crate) fn address(&self, number: u8) -> String {
        format!("{}:{PORT}", self.cluster.address(200 + number))
    }

    /// Asks, and is answered.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let answer = ask(&self.address(self.number), method, path, &text);
        answer.unwrap_or_else(|| panic!("{method} {path} is answered"))
    }

    /// What is answered to what is done.
    pub(crate) fn done(&self, method: &str, path: &str, body: &Value) -> Value {
        self.ask(method, path, body).expect_done(&format!("{method} {path} {body}"))
    }

    /// What is at a path. While nobody leads it is said to try again, and that is done.
    pub(crate) fn get(&self, path: &str) -> Value {
        for _ in 0..100 {
            let answer = self.ask("GET", path, &Value::Null);
            match answer.status {
                503 => std::thread::park_timeout(Duration::from_millis(100)),
                _ => return answer.expect_done(&format!("GET {path}")),
            }
        }
        panic!("nobody leads");
    }

    /// Adds an app of little, of which all instances have the token in their command.
    pub(crate) fn add(&self, id: &str, token: &Token, more: &Value) -> Value {
        self.done("POST", "/v2/apps", &app(id, token, more))
    }

    pub(crate) fn tasks(&self, id: &str) -> Vec<Value> {
        self.get(&format!("/v2/apps/{id}/tasks"))["tasks"].as_array().expect("a list").clone()
    }

    /// Waits until no deployment is left.
    pub(crate) async fn settled(&self) {
        let address = self.address(self.number);
        let look = async || {
            let answer = ask(&address, "GET", "/v2/deployments", "")?;
            (answer.status == 200 && answer.body == json!([])).then_some(())
        };
        eventually("the end of all deployments", look).await;
    }

    /// Waits until something is so of what is at a path.
    pub(crate) async fn until(&self, path: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let address = self.address(self.number);
        let look = async || {
            let answer = ask(&address, "GET", path, "")?;
            (answer.status == 200 && is_so(&answer.body)).then_some(answer.body)
        };
        eventually(&format!("{path} {what}"), look).await
    }

    /// Waits until an app waits in the queue so.
    pub(crate) async fn until_queued(&self, id: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let of = |queue: &Value| {
            let mut all = queue["queue"].as_array().cloned().unwrap_or_default().into_iter();
            all.find(|waiting| waiting["app"]["id"] == id)
        };
        let found =
            self.until("/v2/queue?embed=lastUnusedOffers", what, |queue| of(queue).as_ref().is_some_and(&is_so));
        of(&found.await).expect("it waits")
    }
}

/// An app of little, of which all instances have the token in their command.
pub(crate) fn app(id: &str, token: &Token, more: &Value) -> Value {
    let mut app = json!({
        "id": id, "cmd": token.command(), "cpus": 0.1, "mem": 16, "portDefinitions": [], "taskKillGracePeriodSeconds": 1,
    });
    app.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    app
}

/// Waits until so many processes run.
pub(crate) async fn until_run(token: &Token, count: usize) -> Vec<u32> {
    let look = async || Some(token.processes()).filter(|pids| pids.len() == count);
    eventually(&format!("{count} processes"), look).await
}

/// Waits for so long: that nothing happens cannot be waited for otherwise.
pub(crate) async fn pass(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// Asks once; nothing if nobody answers.
pub(crate) fn ask(address: &str, method: &str, path: &str, body: &str) -> Option<Answer> {
    crate::ask::ask(address, method, path, body, Duration::from_secs(5))
}
