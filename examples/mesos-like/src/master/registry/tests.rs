//! What is recorded is there for the next master, on every store, and a master that leads no longer records nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::store::{Claimed, Value};
use orch_store::embedded::EmbeddedStoreConfig;
use orch_store::etcd::EtcdConfig;
use orch_store::{EmbeddedStore, EtcdStore, MemoryStore};
use orch_testkit::daemon::Etcd;

use super::object::{self, About};
use super::*;
use crate::store::SharedStore;
use crate::wire::{
    AgentInfo, DrainConfig, DrainInfo, DrainState, FrameworkInfo, MachineId, MediaType, Message, QuotaConfig, Scalar,
    TimeInfo, Unavailability,
};

const HOUR: Duration = Duration::from_secs(3600);

fn at(nanoseconds: i64) -> TimeInfo {
    TimeInfo { nanoseconds }
}

fn agent(id: &str, standing: AgentStanding) -> AgentRecord {
    let agent = AgentInfo { id: Some(id.into()), hostname: "h".to_owned(), ..AgentInfo::default() };
    let record = AgentRecord { agent, standing: standing.into(), since: at(7), drain: None, deactivated: None };
    read(record)
}

fn framework(id: &str) -> FrameworkRecord {
    let id = Some(id.into());
    let info = FrameworkInfo { id, user: "u".to_owned(), failover_timeout: Some(60.5), ..FrameworkInfo::default() };
    read(FrameworkRecord { framework: info, disconnected: Some(at(1)) })
}

fn machine(hostname: &str, down: bool) -> MachineRecord {
    let machine = MachineId { hostname: Some(hostname.to_owned()), ip: Some("10.0.0.1".to_owned()) };
    MachineRecord { machine, unavailability: Unavailability { start: at(5), duration: None }, down, window: 1 }
}

/// A record as it is when it was written and read: what is the same as to say nothing is said.
fn read<T: Message>(record: T) -> T {
    MediaType::Json.decode(&MediaType::Json.encode(&record), "Record").expect("a record")
}

/// A claim as a leader has it.
async fn claim(store: &Arc<dyn SharedStore>) -> Claimed {
    let key: Key = "leaders.example.org/leader".parse().expect("a key");
    store.claim(&key, Value::from_json(r#"{"metadata":{"name":"leader"}}"#.into()), HOUR).await.expect("claimed")
}

/// Everything that can be recorded, and how it reads afterwards.
async fn what_is_recorded_is_read_again(store: Arc<dyn SharedStore>) {
    let claimed = claim(&store).await;
    let (registry, empty) = Registry::open(store.clone(), claimed.check()).await.expect("opened");
    assert_eq!(empty, Registered::default());
    let drain = Some(DrainInfo { state: DrainState::Draining.into(), config: DrainConfig::default() });
    let draining = read(AgentRecord { drain, ..agent("M-S1", AgentStanding::Unreachable) });
    let limits = BTreeMap::from([("cpus".to_owned(), Scalar { value: 2.5 })]);
    let quota = QuotaConfig { role: "eng/web".to_owned(), limits, ..QuotaConfig::default() };
    let role = RoleRecord { role: "eng/web".to_owned(), weight: Some(2.0), quota: Some(quota) };
    let completed = CompletedRecord { framework_id: "M-0001".into(), since: at(9) };
    let first = vec![
        RegistryChange::Agent(Box::new(agent("M-S0", AgentStanding::Admitted))),
        RegistryChange::Agent(Box::new(agent("M-S1", AgentStanding::Admitted))),
        RegistryChange::Agent(Box::new(agent("M-S2", AgentStanding::Gone))),
        RegistryChange::Framework(Box::new(framework("M-0000"))),
        RegistryChange::Framework(Box::new(framework("M-0001"))),
        RegistryChange::Machines(vec![machine("a", false), machine("b", false)]),
    ];
    let second = vec![
        RegistryChange::Agent(Box::new(draining.clone())),
        RegistryChange::AgentForgotten("M-S2".to_owned()),
        RegistryChange::FrameworkCompleted(completed.clone()),
        RegistryChange::Role(role.clone()),
        RegistryChange::Machines(vec![machine("b", true)]),
    ];
    let answers = (registry.record(first), registry.record(second));
    assert_eq!((answers.0.await, answers.1.await), (Ok(()), Ok(())));

    let expected = Registered {
        agents: BTreeMap::from([
            ("M-S0".to_owned(), agent("M-S0", AgentStanding::Admitted)),
            ("M-S1".to_owned(), draining),
        ]),
        frameworks: BTreeMap::from([("M-0000".to_owned(), framework("M-0000"))]),
        completed: BTreeMap::from([("M-0001".to_owned(), completed)]),
        roles: BTreeMap::from([("eng/web".to_owned(), role)]),
        machines: BTreeMap::from([("b/10.0.0.1".to_owned(), machine("b", true))]),
    };
    // Another master leads: it reads all of it, and the first one records nothing more.
    store.release(&claimed).await.expect("released");
    let claimed = claim(&store).await;
    let (second, found) = Registry::open(store.clone(), claimed.check()).await.expect("opened");
    assert_eq!(found, expected);
    let late = vec![RegistryChange::AgentForgotten("M-S0".to_owned())];
    assert_eq!(registry.record(late.clone()).await, Err(RegistryError::Lost));
    assert_eq!(registry.record(Vec::new()).await, Err(RegistryError::Lost));
    assert_eq!(second.record(late).await, Ok(()));
}

/// More than any store takes in one transaction.
async fn many_agents_are_recorded_in_turn(store: Arc<dyn SharedStore>) {
    let claimed = claim(&store).await;
    let (registry, _) = Registry::open(store.clone(), claimed.check()).await.expect("opened");
    let agents = |from: u32, to| (from..to).map(|number| agent(&format!("M-S{number}"), AgentStanding::Admitted));
    let change = |agent| RegistryChange::Agent(Box::new(agent));
    let together = registry.record(agents(0, 300).map(change).collect());
    let alone: Vec<_> = agents(300, 600).map(|agent| registry.record(vec![change(agent)])).collect();
    assert_eq!(together.await, Ok(()));
    for one in alone {
        assert_eq!(one.await, Ok(()));
    }
    let (_, found) = Registry::open(store, claimed.check()).await.expect("opened");
    assert_eq!(found.agents.len(), 600);
}

async fn etcd() -> Arc<dyn SharedStore> {
    let etcd = Etcd::shared().await;
    let config = EtcdConfig { endpoints: etcd.endpoints(), prefix: etcd.unique_prefix(), ..EtcdConfig::default() };
    Arc::new(EtcdStore::new(config).expect("an etcd that runs"))
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("mesos-like-registry-{name}-{}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

async fn embedded(folder: &Folder) -> Arc<dyn SharedStore> {
    Arc::new(EmbeddedStore::open(EmbeddedStoreConfig::new(&folder.0)).await.expect("a folder"))
}

#[tokio::test]
async fn what_is_recorded_in_memory_is_read_again() {
    what_is_recorded_is_read_again(Arc::new(MemoryStore::default())).await;
    many_agents_are_recorded_in_turn(Arc::new(MemoryStore::default())).await;
}

#[tokio::test]
async fn what_is_recorded_in_files_is_read_again() {
    let (one, other) = (Folder::new("one"), Folder::new("other"));
    what_is_recorded_is_read_again(embedded(&one).await).await;
    many_agents_are_recorded_in_turn(embedded(&other).await).await;
}

#[tokio::test]
async fn what_is_recorded_in_etcd_is_read_again() {
    what_is_recorded_is_read_again(etcd().await).await;
    many_agents_are_recorded_in_turn(etcd().await).await;
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_named() {
    let store: Arc<dyn SharedStore> = Arc::new(MemoryStore::default());
    let claimed = claim(&store).await;
    let key = object::key(About::Agents, "M-S0").expect("a key");
    let wrong = object::stored(&key, &at(1));
    assert_eq!(wrong.key().expect("a key"), key);
    store.put(&key, Value::new(wrong), orch_core::store::Expect::Absent).await.expect("put");
    let error = Registry::open(store, claimed.check()).await.expect_err("no agent").to_string();
    assert!(error.contains("records.mesos/agents/") && error.contains("agent"), "{error}");
}
