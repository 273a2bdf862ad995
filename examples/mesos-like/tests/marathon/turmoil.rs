//! People change their minds while everything is killed, stopped and started again: in the end all is as they said last.

use std::collections::BTreeMap;
use std::fs;

use nix::sys::signal::Signal;
use orch_core::entropy::{Entropy as _, SeededEntropy};
use serde_json::json;

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
    store: String,
}

impl Turmoil {
    async fn new(seed: u64) -> Self {
        let mut marathon = Marathon { cluster: Cluster::new("turmoil"), number: 1 };
        let store = format!("--store=embedded:{}", marathon.cluster.folder().join("master-store").display());
        let mut turmoil = {
            start_master(&mut marathon, &store);
            (1..=AGENTS).for_each(|number| marathon.cluster.start_agent(number, &[]));
            marathon.cluster.wait_for_agents(usize::from(AGENTS)).await;
            let (tokens, entropy) = ([Token::new(), Token::new(), Token::new()], SeededEntropy::new(seed));
            Self { marathon, tokens, entropy, said: Said::new(), away: BTreeMap::new(), number: 0, store }
        };
        turmoil.marathon.start(1, &[]);
        turmoil.marathon.is_there(1).await;
        turmoil
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
        let answer = ask(&self.marathon.address(1), method, &path, &body);
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
                self.marathon.cluster.signal("marathon-1", Signal::SIGKILL);
                self.marathon.start(1, &[]);
            }
            (1, None) => {
                self.marathon.cluster.signal("master-1", Signal::SIGKILL);
                start_master(&mut self.marathon, &self.store);
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
            _ => self.marathon.cluster.start_agent(agent, &[]),
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

fn start_master(marathon: &mut Marathon, store: &str) {
    let impatient = ["--agent_ping_timeout=500ms", "--max_agent_ping_timeouts=2", "--agent_reregister_timeout=2secs"];
    marathon.cluster.start_master(1, &[&[store][..], &impatient].concat());
}

#[tokio::test]
async fn whatever_is_said_and_whatever_is_killed_in_the_end_all_is_as_was_said_last() {
    // Another number is something else that happens.
    let seed = std::env::var("TURMOIL").ok().and_then(|seed| seed.parse().ok());
    let mut turmoil = Turmoil::new(seed.unwrap_or(7)).await;
    for _ in 0..40 {
        match turmoil.below(3) {
            0 => turmoil.harm(),
            _ => turmoil.say(),
        }
        pass(turmoil.below(700)).await;
    }
    for (agent, signal) in std::mem::take(&mut turmoil.away) {
        turmoil.bring_back(agent, signal);
    }
    turmoil.marathon.is_there(1).await;
    let is_settled = async || turmoil.is_settled().then_some(());
    eventually(&format!("{:?}", turmoil.said), is_settled).await;
    turmoil.marathon.settled().await;
    assert!(turmoil.is_settled());
    for (name, (instances, _)) in &turmoil.said {
        let tasks = turmoil.marathon.tasks(name);
        assert_eq!(tasks.len() as u64, *instances, "{tasks:?}");
        assert!(tasks.iter().all(|task| task["state"] == "TASK_RUNNING"), "{tasks:?}");
    }
    assert_eq!(turmoil.marathon.get("/v2/queue"), json!({ "queue": [] }));
}
