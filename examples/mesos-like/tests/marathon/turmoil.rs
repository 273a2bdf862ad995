//! People change their minds while everything is killed, stopped and started again: in the end all is as they said last.

use std::collections::BTreeMap;
use std::fs;

use nix::sys::signal::Signal;
use orch_core::entropy::{Entropy as _, SeededEntropy};
use orch_testkit::daemon::Etcd;
use serde_json::{Value, json};

use crate::client::{Marathon, Token, app, ask, pass};
use crate::cluster::{Cluster, eventually};

const AGENTS: u8 = 3;
const APPS: [&str; 3] = ["a", "b", "c"];

/// What was said last of an app: how often it runs, and as what.
type Said = BTreeMap<&'static str, (u64, u64)>;

struct Turmoil {
    marathon: Marathon,
    tokens: [Token; 3],
    entropy: SeededEntropy,
    said: Said,
    /// The agents that do not run, or are stopped.
    away: BTreeMap<u8, Signal>,
    number: u64,
    /// How many masters there are, and how many Marathons.
    copies: u8,
    of_master: Vec<String>,
    of_marathon: Vec<String>,
    of_agent: Vec<String>,
}

impl Turmoil {
    /// One master, whose store is files, and one Marathon; or two of each, whose store is an etcd.
    async fn new(etcd: Option<&Etcd>) -> Self {
        // Another number is something else that happens.
        let seed = std::env::var("TURMOIL").ok().and_then(|seed| seed.parse().ok());
        let marathon = Marathon { cluster: Cluster::new("turmoil"), number: 1 };
        let files = |name: &str| format!("embedded:{}", marathon.cluster.folder().join(name).display());
        let (of_master, of_marathon) = match etcd {
            None => (files("master-store"), files("marathon-store")),
            Some(etcd) => {
                let address = etcd.endpoints()[0].trim_start_matches("http://").to_owned();
                (format!("etcd://{address}/masters"), format!("etcd://{address}/marathons"))
            }
        };
        let masters = format!("--master={},{}", marathon.cluster.master(1), marathon.cluster.master(2));
        let with = |store: String| vec![format!("--store={store}"), "--leader_timeout=2secs".to_owned()];
        let impatient =
            ["--agent_ping_timeout=500ms", "--max_agent_ping_timeouts=2", "--agent_reregister_timeout=2secs"];
        let mut turmoil = Self {
            marathon,
            tokens: [Token::new(), Token::new(), Token::new()],
            entropy: SeededEntropy::new(seed.unwrap_or(7)),
            said: Said::new(),
            away: BTreeMap::new(),
            number: 0,
            copies: if etcd.is_some() { 2 } else { 1 },
            of_master: with(of_master).into_iter().chain(impatient.map(str::to_owned)).collect(),
            of_marathon: with(of_marathon).into_iter().chain([masters.clone()]).collect(),
            of_agent: vec![masters],
        };
        turmoil.start_master(1);
        (1..=AGENTS).for_each(|number| turmoil.start_agent(number));
        turmoil.marathon.cluster.wait_for_agents(usize::from(AGENTS)).await;
        for number in 1..=turmoil.copies {
            if number > 1 {
                turmoil.start_master(number);
            }
            turmoil.start_marathon(number);
            turmoil.marathon.is_there(number).await;
        }
        turmoil
    }

    fn start_master(&mut self, number: u8) {
        let flags: Vec<&str> = self.of_master.iter().map(String::as_str).collect();
        self.marathon.cluster.start_master(number, &flags);
    }

    fn start_marathon(&mut self, number: u8) {
        let flags: Vec<&str> = self.of_marathon.iter().map(String::as_str).collect();
        self.marathon.start(number, &flags);
    }

    fn start_agent(&mut self, number: u8) {
        let flags: Vec<&str> = self.of_agent.iter().map(String::as_str).collect();
        self.marathon.cluster.start_agent(number, &flags);
    }

    /// One of the copies.
    fn one(&self) -> u8 {
        1 + u8::try_from(self.below(self.copies.into())).expect("few")
    }

    fn below(&self, most: u64) -> u64 {
        self.entropy.next_u64() % most
    }

    /// Somebody says something of an app. Marathon may not be there: then it is not said.
    fn say(&mut self) {
        let index = usize::try_from(self.below(3)).expect("few");
        let name = APPS[index];
        self.number += 1;
        let (instances, number) = (self.below(6), self.number);
        let known = self.said.get(name).copied();
        let (method, path, body, wanted) = match self.below(5) {
            0 if known.is_some() => ("DELETE", format!("/v2/apps/{name}?force=true"), String::new(), None),
            1 if known.is_some() => {
                let path = format!("/v2/apps/{name}?force=true");
                let (_, before) = known.unwrap_or_default();
                ("PUT", path, json!({ "instances": instances }).to_string(), Some((instances, before)))
            }
            2 if known.is_some() => ("POST", format!("/v2/apps/{name}/restart?force=true"), String::new(), known),
            _ => {
                let more = json!({
                    "instances": instances, "env": { "NUMBER": number.to_string() },
                    "upgradeStrategy": { "minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.5 },
                });
                let body = app(&format!("/{name}"), &self.tokens[index], &more).to_string();
                ("PUT", format!("/v2/apps/{name}?force=true"), body, Some((instances, number)))
            }
        };
        let answer = ask(&self.marathon.address(self.one()), method, &path, &body);
        if answer.is_some_and(|answer| answer.status < 300) {
            match wanted {
                Some(wanted) => drop(self.said.insert(name, wanted)),
                None => drop(self.said.remove(name)),
            }
        }
    }

    /// Something is killed, stopped, or back.
    fn harm(&mut self) {
        let agent = 1 + u8::try_from(self.below(AGENTS.into())).expect("few");
        match (self.below(4), self.away.remove(&agent)) {
            (_, Some(signal)) => self.bring_back(agent, signal),
            (0, None) => {
                let number = self.one();
                self.marathon.cluster.signal(&format!("marathon-{number}"), Signal::SIGKILL);
                self.start_marathon(number);
            }
            (1, None) => {
                let number = self.one();
                self.marathon.cluster.signal(&format!("master-{number}"), Signal::SIGKILL);
                self.start_master(number);
            }
            (kind, None) => {
                let signal = if kind == 2 { Signal::SIGKILL } else { Signal::SIGSTOP };
                self.marathon.cluster.signal(&format!("agent-{agent}"), signal);
                self.away.insert(agent, signal);
            }
        }
    }

    fn bring_back(&mut self, agent: u8, signal: Signal) {
        match signal {
            Signal::SIGSTOP => self.marathon.cluster.signal(&format!("agent-{agent}"), Signal::SIGCONT),
            _ => self.start_agent(agent),
        }
    }

    /// The versions of the processes of an app.
    fn running(&self, index: usize) -> Vec<String> {
        let number = |pid: u32| {
            let all = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let all = String::from_utf8_lossy(&all).into_owned();
            all.split('\0').find_map(|line| line.strip_prefix("NUMBER=")).unwrap_or_default().to_owned()
        };
        self.tokens[index].processes().into_iter().map(number).collect()
    }

    /// Whether all is as was said last.
    fn is_settled(&self) -> bool {
        APPS.iter().enumerate().all(|(index, name)| {
            let (instances, number) = self.said.get(name).copied().unwrap_or_default();
            let running = self.running(index);
            running.len() as u64 == instances && running.iter().all(|running| *running == number.to_string())
        })
    }
}

#[tokio::test]
async fn whatever_is_said_and_whatever_is_killed_in_the_end_all_is_as_was_said_last() {
    play(Turmoil::new(None).await, 700).await;
}

#[tokio::test]
async fn with_two_masters_and_two_marathons_too_all_is_as_was_said_last() {
    let etcd = Etcd::start().await;
    play(Turmoil::new(Some(&etcd)).await, 1_000).await;
}

async fn play(mut turmoil: Turmoil, longest: u64) {
    for _ in 0..16 {
        match turmoil.below(3) {
            0 => turmoil.harm(),
            _ => turmoil.say(),
        }
        pass(turmoil.below(longest)).await;
    }
    for (agent, signal) in std::mem::take(&mut turmoil.away) {
        turmoil.bring_back(agent, signal);
    }
    turmoil.marathon.is_there(1).await;
    let is_settled = async || turmoil.is_settled().then_some(());
    eventually(&format!("{:?}", turmoil.said), is_settled).await;
    turmoil.marathon.settled().await;
    for (name, (instances, _)) in &turmoil.said {
        let count = usize::try_from(*instances).expect("few");
        let path = format!("/v2/apps/{name}/tasks");
        let are_all = |tasks: &Value| {
            let all = tasks["tasks"].as_array().cloned().unwrap_or_default();
            all.len() == count && all.iter().all(|task| task["state"] == "TASK_RUNNING")
        };
        turmoil.marathon.until(&path, "all of which run", are_all).await;
    }
    assert_eq!(turmoil.marathon.get("/v2/queue"), json!({ "queue": [] }));
    assert!(turmoil.is_settled());
}
