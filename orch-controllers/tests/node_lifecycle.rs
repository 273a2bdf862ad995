//! The node lifecycle controller under every fault at every point.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use orch_controllers::node_lifecycle::{NodeLifecycleConfig, NodeLifecycleController};
use orch_core::client::{Client, Grace};
use orch_core::clock::{SystemClock, Timestamp};
use orch_core::controller::{Action, Change, Context, Controller as _};
use orch_core::entropy::SeededEntropy;
use orch_core::key::{Key, Prefix};
use orch_core::kind::Object;
use orch_core::object::{
    ConditionStatus, Lease, LeaseSpec, MicroTime, Node, NodeCondition, Pod, PodCondition, Taint, TaintEffect,
    Toleration, TolerationOperator, find_condition, set_condition,
};
use orch_core::revision::Revision;
use orch_core::store::{Entry, Expect, ListOptions, Page, Store, StoreError, Value, Watch};
use orch_testkit::fault::{Actor, Cluster, Scenario, Step, System};
use orch_testkit::model::{ModelStore, ModelView};
use orch_testkit::suite;

const RENEWAL: Duration = Duration::from_secs(10);

/// A node's agent does nothing while the node has this label.
const CUT_OFF: &str = "test/cut-off";

/// Plays the agents of all nodes: renews leases, says that the node and its pods are ready, ends pods that are being
/// deleted.
#[derive(Debug)]
struct Agents;

#[async_trait]
impl Actor for Agents {
    async fn act(&mut self, cluster: &Cluster) -> bool {
        for node in cluster.list::<Node>().iter().filter(|node| !node.metadata.labels.contains_key(CUT_OFF)) {
            let name = &node.metadata.name;
            let now = cluster.now();
            if age(cluster, name) >= RENEWAL {
                let renew = |lease: &mut Lease| lease.spec.renew_time = Some(MicroTime::from(now));
                return cluster.update::<Lease>(&lease_key(name), renew).await.is_ok();
            }
            let ready = find_condition(&node.status.conditions, NodeCondition::READY);
            if ready.is_none_or(|ready| ready.status != ConditionStatus::True) {
                let say = |node: &mut Node| set_condition(&mut node.status.conditions, ready_condition());
                return cluster.update::<Node>(&node_key(name), say).await.is_ok();
            }
            for pod in cluster.list::<Pod>().iter().filter(|pod| pod.spec.node_name.as_ref() == Some(name)) {
                let key = pod_key(&pod.metadata.name);
                if pod.metadata.is_deleting() {
                    return cluster.delete::<Pod>(&key, Grace::Now).await.is_ok();
                }
                if !pod.status.is_ready() {
                    let say = |pod: &mut Pod| set_condition(&mut pod.status.conditions, pod_ready());
                    return cluster.update::<Pod>(&key, say).await.is_ok();
                }
            }
        }
        false
    }

    fn wakes_after(&self, cluster: &Cluster) -> Option<Duration> {
        let alive = cluster.list::<Node>().into_iter().filter(|node| !node.metadata.labels.contains_key(CUT_OFF));
        alive.map(|node| RENEWAL.saturating_sub(age(cluster, &node.metadata.name))).min()
    }
}

/// How long ago the lease was renewed; the clock of a node may jump too.
fn age(cluster: &Cluster, name: &str) -> Duration {
    let Some(lease) = cluster.get::<Lease>(&lease_key(name)) else { return Duration::ZERO };
    let renewed = lease.spec.renew_time.map_or(Timestamp::UNIX_EPOCH, MicroTime::timestamp);
    cluster.now().duration_since(renewed).unsigned_abs()
}

fn node_key(name: &str) -> Key {
    Key::new(&Node::KIND, None, name).expect("a name")
}

fn lease_key(name: &str) -> Key {
    Key::new(&Lease::KIND, Some(NodeLifecycleController::LEASE_NAMESPACE), name).expect("a name")
}

fn pod_key(name: &str) -> Key {
    Key::new(&Pod::KIND, Some("shop"), name).expect("a name")
}

fn ready_condition() -> NodeCondition {
    NodeCondition { r#type: NodeCondition::READY.to_owned(), status: ConditionStatus::True, ..NodeCondition::default() }
}

fn node(name: &str) -> Node {
    let mut node = Node::default();
    node.metadata.name = name.to_owned();
    node.status.conditions.push(ready_condition());
    node
}

fn lease(name: &str) -> Lease {
    let mut lease = Lease::default();
    lease.metadata.name = name.to_owned();
    lease.metadata.namespace = Some(NodeLifecycleController::LEASE_NAMESPACE.to_owned());
    lease.spec.renew_time = Some(MicroTime::from(Timestamp::UNIX_EPOCH));
    lease
}

fn pod(name: &str, node: &str) -> Pod {
    let mut pod: Pod = serde_json::from_value(serde_json::json!({
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"nodeName": node, "containers": [{"name": "web", "image": "web"}]},
        "status": {"phase": "Running"},
    }))
    .expect("a pod");
    pod.status.conditions.push(pod_ready());
    pod
}

fn pod_ready() -> PodCondition {
    PodCondition { r#type: PodCondition::READY.to_owned(), status: ConditionStatus::True, ..PodCondition::default() }
}

fn system(cluster: &Cluster) -> System {
    let store = Arc::clone(cluster.client().store());
    let config = NodeLifecycleConfig { toleration: Duration::from_secs(30), ..NodeLifecycleConfig::default() };
    System::new().controller(move || Arc::new(NodeLifecycleController::new(Arc::clone(&store), config))).actor(Agents)
}

fn scenario(name: &'static str, nodes: &[&str]) -> Scenario {
    let scenario = Scenario::new(name, system).horizon(Duration::from_secs(70));
    nodes.iter().fold(scenario, |scenario, name| scenario.object(node(name)).object(lease(name)))
}

fn cut_off(words: &str, name: &str) -> Step {
    Step::update::<Node>(words, &node_key(name), |node| {
        node.metadata.labels.insert(CUT_OFF.to_owned(), String::new());
    })
}

fn reconnect(name: &str) -> Step {
    Step::update::<Node>("reconnect", &node_key(name), |node| node.metadata.labels.clear())
}

fn taints(cluster: &Cluster, name: &str) -> Vec<Taint> {
    cluster.get::<Node>(&node_key(name)).map_or_else(Vec::new, |node| node.spec.taints.clone())
}

fn pods_leave_a_silent_node_and_are_removed_when_it_is_deleted() -> Scenario {
    scenario("node lifecycle: a node dies", &["node-1", "node-2", "node-3"])
        .bystander(pod("elsewhere", "node-1"))
        .object(pod("web", "node-2"))
        .object(pod("db", "node-2"))
        .step(cut_off("node-2 dies", "node-2"))
        .step(Step::delete::<Node>(&node_key("node-2")))
        .always("no pod of a node that is there is removed unconfirmed", |cluster| {
            let is_there = cluster.get::<Node>(&node_key("node-2")).is_some();
            let pods = cluster.list::<Pod>().len();
            if is_there && pods < 3 { Err(format!("{pods} are left")) } else { Ok(()) }
        })
}

fn a_node_that_never_spoke_is_cleared_like_one_that_fell_silent() -> Scenario {
    let mut mute = node("node-3");
    mute.metadata.labels.insert(CUT_OFF.to_owned(), String::new());
    scenario("node lifecycle: a node that never speaks", &["node-1", "node-2"])
        // A clock that is set back makes the pod stay for five minutes longer.
        .horizon(Duration::from_secs(400))
        .step(Step::create(mute))
        .step(Step::create(pod("web", "node-3")).as_soon_as(|_| true))
}

#[test]
fn pods_of_a_node_that_is_not_seen_yet_are_not_removed() {
    suite::run(async {
        let store: Arc<dyn Store> = Arc::new(ModelStore::default());
        let client = Client::new(Arc::clone(&store), Arc::new(SystemClock), Arc::new(SeededEntropy::new(1)));
        let pod = client.create(pod("web", "node-1")).await.expect("a pod");
        let node = client.create(node("node-1")).await.expect("a node");
        let controller = NodeLifecycleController::new(store, NodeLifecycleConfig::default());
        controller.observe(&Change::Put { key: pod_key("web"), object: Arc::clone(&pod) as _, previous: None });
        let view = ModelView::of(pod_key("web"), pod);
        let actions = async |second| {
            let context = Context { view: &view, now: Timestamp::from_second(second).expect("a time") };
            controller.reconcile(&node_key("node-1"), context).await.expect("a plan").actions.len()
        };
        for second in (0..200).step_by(10) {
            assert_eq!(actions(second).await, 0, "the node is there, after {second} s");
        }
        client.delete(&*node, Grace::Now).await.expect("it is as it was read");
        assert_eq!(actions(200).await, 1, "the node is gone, and long silent");
    });
}

/// A store that can be away.
#[derive(Debug, Default)]
struct AwayStore {
    inner: ModelStore,
    is_away: AtomicBool,
}

impl AwayStore {
    fn reached(&self) -> Result<&ModelStore, StoreError> {
        match self.is_away.load(Ordering::Relaxed) {
            false => Ok(&self.inner),
            true => Err(StoreError::Unavailable {
                message: "a test's fault".to_owned(),
                outcome_is_unknown: false,
                source: None,
            }),
        }
    }
}

#[async_trait]
impl Store for AwayStore {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.reached()?.get(key).await
    }
    async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        self.reached()?.list(prefix, options).await
    }
    async fn put(&self, key: &Key, value: Value, expect: Expect) -> Result<Entry, StoreError> {
        self.reached()?.put(key, value, expect).await
    }
    async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        self.reached()?.delete(key, expect).await
    }
    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        self.reached()?.watch(prefix, after).await
    }
}

#[test]
fn while_the_store_is_away_no_node_falls_silent_and_after_that_each_has_half_of_the_grace_period() {
    suite::run(async {
        let store = Arc::new(AwayStore::default());
        let client = Client::new(Arc::clone(&store) as _, Arc::new(SystemClock), Arc::new(SeededEntropy::new(1)));
        let view = ModelView::of(node_key("node-1"), client.create(node("node-1")).await.expect("a node"));
        let controller = NodeLifecycleController::new(Arc::clone(&store) as _, NodeLifecycleConfig::default());
        let look = async |second| {
            let context = Context { view: &view, now: Timestamp::from_second(second).expect("a time") };
            controller.reconcile(&node_key("node-1"), context).await.map(|plan| plan.actions.len())
        };
        // Agents cannot renew from second 5 on.
        let mut told = 0;
        for second in (0..600).step_by(10) {
            store.is_away.store((5..300).contains(&second), Ordering::Relaxed);
            match look(second).await {
                Ok(0) => {}
                Ok(_) if second >= 320 => return,
                Ok(_) => panic!("silent after {second} s, {} s after the store was back", second - 300),
                Err(error) => {
                    assert!(error.is_transient() && (5..300).contains(&second), "{error}");
                    told += 1;
                }
            }
        }
        panic!("a node that says nothing falls silent at last; the store was found away {told} times");
    });
}

fn a_node_that_returns_is_used_again() -> Scenario {
    let mut patient = pod("web", "node-2");
    patient.spec.tolerations.push(Toleration {
        operator: Some(TolerationOperator::Exists),
        effect: Some(TaintEffect::NoExecute),
        ..Toleration::default()
    });
    scenario("node lifecycle: a node returns", &["node-1", "node-2", "node-3"])
        .object(patient)
        .step(cut_off("node-2 is cut off", "node-2"))
        .step(reconnect("node-2"))
        .always("healthy nodes have no taints", |cluster| {
            let taints = [taints(cluster, "node-1"), taints(cluster, "node-3")].concat();
            if taints.is_empty() { Ok(()) } else { Err(format!("there are {taints:?}")) }
        })
}

fn when_all_nodes_seem_dead_no_pod_is_evicted() -> Scenario {
    scenario("node lifecycle: all nodes fall silent", &["node-1", "node-2", "node-3", "node-4"])
        .object(pod("web", "node-1"))
        .object(pod("db", "node-2"))
        .step(cut_off("node-1 is cut off", "node-1"))
        .step(cut_off("node-2 is cut off", "node-2").as_soon_as(|_| true))
        .step(cut_off("node-3 is cut off", "node-3").as_soon_as(|_| true))
        .step(cut_off("node-4 is cut off", "node-4").as_soon_as(|_| true))
        .step(reconnect("node-1"))
        .step(reconnect("node-2").as_soon_as(|_| true))
        .step(reconnect("node-3").as_soon_as(|_| true))
        .step(reconnect("node-4").as_soon_as(|_| true))
        .always("no pod is evicted", |cluster| {
            let deleting = cluster.list::<Pod>().iter().filter(|pod| pod.metadata.is_deleting()).count();
            let pods = cluster.list::<Pod>().len();
            if deleting == 0 && pods == 2 { Ok(()) } else { Err(format!("{pods} are left, {deleting} leaving")) }
        })
}

fn a_cordoned_node_is_tainted_until_it_is_uncordoned() -> Scenario {
    let cordon = |words, cordoned| {
        Step::update::<Node>(words, &node_key("node-1"), move |node| node.spec.unschedulable = cordoned)
    };
    scenario("node lifecycle: cordon", &["node-1"])
        .bystander(pod("web", "node-1"))
        .invalid(pod("on-no-node", "no/node"))
        .invalid(Lease { spec: LeaseSpec::default(), ..lease("says-nothing") })
        .step(cordon("cordon", true))
        .step(cordon("uncordon", false))
}

/// The node's agent says that the node is short of memory, or no longer.
fn short_of_memory(words: &str, name: &str, status: ConditionStatus) -> Step {
    Step::update::<Node>(words, &node_key(name), move |node| {
        let r#type = NodeCondition::MEMORY_PRESSURE.to_owned();
        set_condition(&mut node.status.conditions, NodeCondition { r#type, status, ..NodeCondition::default() });
    })
}

fn a_node_under_pressure_is_tainted_until_it_has_enough_again() -> Scenario {
    let mut others = node("node-3");
    let of_others = [("mine", TaintEffect::NoSchedule), (Taint::MEMORY_PRESSURE, TaintEffect::PreferNoSchedule)];
    let taint = |(key, effect): (&str, TaintEffect)| Taint { key: key.to_owned(), effect, ..Taint::default() };
    others.spec.taints = of_others.map(taint).to_vec();
    let kept = others.spec.taints.clone();
    let mut patient = pod("db", "node-3");
    patient.spec.tolerations.push(Toleration {
        operator: Some(TolerationOperator::Exists),
        effect: Some(TaintEffect::NoExecute),
        ..Toleration::default()
    });
    scenario("node lifecycle: pressure", &["node-1", "node-2"])
        .object(others)
        .object(lease("node-3"))
        .bystander(pod("web", "node-1"))
        .object(patient)
        .step(short_of_memory("node-1 runs short", "node-1", ConditionStatus::True))
        .step(short_of_memory("node-3 runs short", "node-3", ConditionStatus::True).as_soon_as(|_| true))
        .step(cut_off("node-3 is cut off", "node-3"))
        .step(short_of_memory("node-1 has enough", "node-1", ConditionStatus::False))
        .step(reconnect("node-3"))
        .step(short_of_memory("node-3 has enough", "node-3", ConditionStatus::False).as_soon_as(|_| true))
        .always("what others put on a node stays", move |cluster| {
            let taints = taints(cluster, "node-3");
            if kept.iter().all(|taint| taints.contains(taint)) { Ok(()) } else { Err(format!("there are {taints:?}")) }
        })
        .always("a node is tainted for no want but its own", |cluster| {
            let taints = taints(cluster, "node-2");
            if taints.is_empty() { Ok(()) } else { Err(format!("there are {taints:?}")) }
        })
        .always("no pod is evicted", |cluster| {
            let pods = cluster.list::<Pod>();
            let stay = pods.iter().filter(|pod| !pod.metadata.is_deleting()).count();
            if stay == 2 { Ok(()) } else { Err(format!("{stay} stay")) }
        })
}

#[test]
fn a_node_is_tainted_while_it_says_that_it_is_short_of_something() {
    suite::run(async {
        let store: Arc<dyn Store> = Arc::new(ModelStore::default());
        let client = Client::new(Arc::clone(&store), Arc::new(SystemClock), Arc::new(SeededEntropy::new(1)));
        let mut short = node("node-1");
        for (name, status) in [
            (NodeCondition::DISK_PRESSURE, ConditionStatus::True),
            (NodeCondition::PID_PRESSURE, ConditionStatus::False),
        ] {
            let condition = NodeCondition { r#type: name.to_owned(), status, ..NodeCondition::default() };
            set_condition(&mut short.status.conditions, condition);
        }
        let view = ModelView::of(node_key("node-1"), client.create(short).await.expect("a node"));
        let controller = NodeLifecycleController::new(store, NodeLifecycleConfig::default());
        let context = Context { view: &view, now: Timestamp::UNIX_EPOCH };
        let plan = controller.reconcile(&node_key("node-1"), context).await.expect("a plan");
        let [Action::Update { object, .. }] = &plan.actions[..] else { panic!("{plan:?}") };
        let taints = &object.downcast_ref::<Node>().expect("a node").spec.taints;
        let told: Vec<_> = taints.iter().map(|taint| (taint.key.as_str(), taint.effect)).collect();
        assert_eq!(told, [(Taint::DISK_PRESSURE, TaintEffect::NoSchedule)]);
    });
}

fn scenarios() -> Vec<Scenario> {
    vec![
        pods_leave_a_silent_node_and_are_removed_when_it_is_deleted(),
        a_node_that_never_spoke_is_cleared_like_one_that_fell_silent(),
        a_node_that_returns_is_used_again(),
        when_all_nodes_seem_dead_no_pod_is_evicted(),
        a_cordoned_node_is_tainted_until_it_is_uncordoned(),
        a_node_under_pressure_is_tainted_until_it_has_enough_again(),
    ]
}

mod conformance {
    orch_testkit::controller_suite!(super::scenarios());
}
