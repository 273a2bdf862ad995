//! What the node agent takes in memory, for itself and for each pod.

use std::fs;
use std::num::NonZeroUsize;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orch_controllers::engine::{Engine, EngineHandle, RunOptions};
use orch_controllers::node_agent::{NodeAgentConfig, NodeAgentController, NodeParts};
use orch_core::client::Client;
use orch_core::clock::SystemClock;
use orch_core::controller::{Context, Controller, ControllerError, Plan, Trigger};
use orch_core::entropy::SeededEntropy;
use orch_core::key::{Key, Prefix};
use orch_core::kind::Object;
use orch_core::object::{Event, Pod, PodPhase, Quantity, Uid};
use orch_core::store::{Expect, Store, StoreExt as _, Value};
use orch_runtime::fake::FakeRuntime;
use orch_store::memory::{MemoryStore, MemoryStoreConfig};

use super::done;
use super::trip::Way as _;
use super::trip::{self, Pods};
use crate::measure::block_on;
use crate::objects;
use crate::row::verdict;

/// Asks this program to fill its memory with a subject and print how much it takes.
pub const AGENT: &str = "--agent";

const NODE: &str = "node-1";
const SIZES: [usize; 3] = [0, 1_000, 5_000];
const SUBJECTS: [(&str, &str); 5] = [
    ("store", "the store alone, with these pods running, and their events"),
    ("cache", "the same and an engine, whose controller finds nothing to do: its cache"),
    ("runtime", "FakeRuntime alone, with these pods"),
    ("agent", "the node agent, in an engine, on such a store and such a runtime, one worker for each pod"),
    ("few", "the same with two workers"),
];
/// What the agent may take for itself, and for each pod, in bytes.
const BASE: f64 = 20.0 * MIB;
const EACH: f64 = 4096.0;
const MIB: f64 = 1024.0 * 1024.0;

/// Prints what the process takes that holds a subject with so many pods: of its own, and with the program's file.
pub fn agent(subject: &str, pods: usize) {
    block_on(async {
        match subject {
            "store" => {
                let _store = filled(pods).await;
                report();
            }
            "cache" => {
                let engine = Engine::builder(client(filled(pods).await)).controller(Arc::new(Idle)).start();
                let engine = engine.expect("one controller goes with itself");
                engine.listed().await;
                idle(&engine).await;
                report();
            }
            "runtime" => {
                let pods_of_runtime = Pods { runtime: Arc::new(FakeRuntime::default()), spec: trip::spec(None) };
                for number in 0..pods {
                    pods_of_runtime.start(u32::try_from(number).expect("not so many")).await;
                }
                report();
            }
            _ => {
                // As its documentation asks for, or the default.
                let workers = if subject == "few" { 2 } else { pods + 1 };
                let names = (0..pods).map(|index| format!("pod-{index}"));
                let (_store, _engine) = running(names.map(|name| bound(&name)).collect(), workers).await;
                report();
            }
        }
    });
}

/// Measures all subjects, each in a process of its own, and prints a table.
pub fn print() {
    let head: Vec<String> = SIZES.iter().map(|pods| format!("{pods} pods")).collect();
    println!(
        "\n| in memory: its own, and with its program's file | {} | for each pod |\n|---|---|---|---|---|",
        head.join(" | ")
    );
    let mut each = Vec::new();
    let mut base = 0.0;
    for (subject, what) in SUBJECTS {
        let taken = SIZES.map(|pods| child(subject, pods));
        let cells = taken.map(|(own, all)| format!("{:.1} MiB, {:.1} MiB", own / MIB, all / MIB));
        each.push((taken[2].0 - taken[0].0) / SIZES[2] as f64);
        if subject == "agent" {
            base = taken[0].1;
        }
        println!("| {what} | {} | {:.1} KiB |", cells.join(" | "), each[each.len() - 1] / 1024.0);
    }
    let [store, cache, runtime, agent, few] = each[..] else { unreachable!("as many as subjects") };
    let own = agent - store - runtime;
    println!(
        "\nOf the {:.1} KiB a pod, {:.1} are the store's and {:.1} are FakeRuntime's, which are other processes elsewhere. \
         Of the {:.1} of the agent itself, {:.1} are the engine's and its cache's, and {:.1} the workers'. The process without pods: {}. For each \
         pod: {}.",
        agent / 1024.0,
        store / 1024.0,
        runtime / 1024.0,
        own / 1024.0,
        (cache - store) / 1024.0,
        (agent - few) / 1024.0,
        verdict("≤ 20 MiB", BASE / base),
        verdict("≤ 4 KiB", EACH / own.max(1.0)),
    );
}

/// Bytes of its own, and with the program's file, of which others may have the same pages.
fn child(subject: &str, pods: usize) -> (f64, f64) {
    let program = std::env::current_exe().expect("a program knows where it is");
    let output = Command::new(program).args([AGENT, subject, &pods.to_string()]).output();
    let said = done(subject, output.expect("it can be run once more"));
    let numbers: Vec<f64> = said.split(' ').map(|number| number.parse().expect("a number of KiB")).collect();
    (numbers[0] * 1024.0, numbers[1] * 1024.0)
}

fn report() {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux tells it");
        line.trim().trim_end_matches(" kB").to_owned()
    };
    println!("{} {}", field("RssAnon:"), field("VmRSS:"));
}

/// Runs an agent until these pods run and it is idle.
async fn running(pods: Vec<Pod>, workers: usize) -> (MemoryStore, EngineHandle) {
    let store = store();
    for pod in &pods {
        put(&store, pod.clone()).await;
    }
    let mut config = NodeAgentConfig::new(NODE, [127, 0, 0, 1].into());
    for resource in ["pods", "cpu", "memory"] {
        config.capacity.insert(resource.to_owned(), Quantity::from_units(1 << 50));
    }
    let parts = NodeParts::new(Arc::new(FakeRuntime::default()));
    let agent = NodeAgentController::new(config, parts, Arc::new(store.clone())).expect("a node's name");
    let workers = NonZeroUsize::new(workers).expect("somebody must work");
    let options = RunOptions { workers, ..RunOptions::default() };
    let engine = Engine::builder(client(store.clone())).controller_with(Arc::new(agent), options).start();
    let engine = engine.expect("one controller goes with itself");
    engine.listed().await;
    loop {
        let (found, _) = store.list_as::<Pod>(&Prefix::collection(&Pod::KIND)).await.expect("pods");
        if found.iter().all(|pod| pod.status.phase() == PodPhase::Running) {
            break;
        }
        drop(found);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    idle(&engine).await;
    (store, engine)
}

async fn idle(engine: &EngineHandle) {
    while !engine.is_idle() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A store with so many pods as an agent leaves them, and what it told of them.
async fn filled(pods: usize) -> MemoryStore {
    let (model, engine) = running(vec![bound("pod")], 2).await;
    let (found, _) = model.list_as::<Pod>(&Prefix::collection(&Pod::KIND)).await.expect("pods");
    let (events, _) = model.list_as::<Event>(&Prefix::collection(&Event::KIND)).await.expect("events");
    engine.shutdown().await;
    let store = store();
    for index in 0..pods {
        let mut pod = Pod::clone(&found[0]);
        pod.metadata.name = format!("pod-{index}");
        pod.metadata.uid = Some(Uid::new(format!("pod-{index}")));
        put(&store, pod).await;
        for event in &events {
            let mut event = Event::clone(event);
            event.metadata.name = format!("{}-{index}", event.metadata.name);
            put(&store, event).await;
        }
    }
    store
}

/// One that keeps few old objects.
fn store() -> MemoryStore {
    let history = NonZeroUsize::new(100).expect("not zero");
    MemoryStore::with_config(MemoryStoreConfig { history, ..MemoryStoreConfig::default() })
}

async fn put<T: Object>(store: &MemoryStore, object: T) {
    let key = object.key().expect("a key");
    store.put(&key, Value::new(object), Expect::Absent).await.expect("nothing is there");
}

fn client(store: MemoryStore) -> Client {
    Client::new(Arc::new(store), Arc::new(SystemClock), Arc::new(SeededEntropy::new(7)))
}

/// A pod that is bound to the node.
fn bound(name: &str) -> Pod {
    let mut pod = objects::pod(name);
    pod.spec.node_name = Some(NODE.to_owned());
    pod
}

/// A controller that has nothing to do.
#[derive(Debug)]
struct Idle;

#[async_trait]
impl Controller for Idle {
    fn name(&self) -> &'static str {
        "idle"
    }

    fn triggers(&self) -> Vec<Trigger> {
        vec![Trigger::itself::<Pod>()]
    }

    async fn reconcile(&self, _: &Key, _: Context<'_>) -> Result<Plan, ControllerError> {
        Ok(Plan::nothing())
    }
}
