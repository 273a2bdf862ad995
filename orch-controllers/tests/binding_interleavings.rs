//! However deliveries, writes that fail, are late or whose answer is lost, and changes by others interleave, the binding
//! controller gives no node more than it has, whatever its scheduler chooses.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_controllers::binding::BindingController;
use orch_core::client::{Client, Grace, Precondition};
use orch_core::clock::{SystemClock, Timestamp};
use orch_core::controller::{Action, Change, Context, Controller};
use orch_core::entropy::{Entropy as _, SeededEntropy};
use orch_core::key::Key;
use orch_core::kind::{AnyObject, Object};
use orch_core::object::{Node, Pod, PodPhase};
use orch_core::scheduler::{Decision, Outcome, Refusal, Scheduler, SupplyChange};
use orch_core::store::StoreExt as _;
use orch_testkit::model::{ModelStore, ModelView};
use orch_testkit::suite;
use proptest::prelude::*;

/// Puts each pod on any node that has a slot left, or, now and then, on none.
#[derive(Debug)]
struct RandomScheduler {
    chance: SeededEntropy,
    slots: BTreeMap<String, usize>,
    places: BTreeMap<Key, String>,
}

impl Scheduler for RandomScheduler {
    fn observe(&mut self, change: SupplyChange) {
        match change {
            SupplyChange::NodePut(node) => {
                self.slots.insert(node.metadata.name.clone(), slots(&node));
            }
            SupplyChange::NodeRemoved(name) => {
                self.slots.remove(&name);
            }
            SupplyChange::PodPut(pod) => {
                let key = Object::key(&*pod).expect("a key");
                match pod.spec.node_name.clone().filter(|_| !pod.status.phase().is_terminal()) {
                    Some(node) => self.places.insert(key, node),
                    None => self.places.remove(&key),
                };
            }
            SupplyChange::PodRemoved(key) => {
                self.places.remove(&key);
            }
            other => panic!("{other:?}"),
        }
    }

    fn schedule(&mut self, pods: &[Arc<Pod>]) -> Vec<Decision> {
        let before = self.places.clone();
        let mut decisions = Vec::new();
        for pod in pods {
            let key = Object::key(&**pod).expect("a key");
            let used = |name: &str| self.places.values().filter(|place| *place == name).count();
            let free: Vec<&String> =
                self.slots.iter().filter(|(name, n)| used(name) < **n).map(|(name, _)| name).collect();
            let dice = usize::try_from(self.chance.next_u64() >> 33).expect("it fits");
            let outcome = match free.get(dice % (free.len() + 1)) {
                Some(&node) => {
                    let node = node.clone();
                    self.places.insert(key.clone(), node.clone());
                    Outcome::Place { node, score: 0 }
                }
                None => Outcome::Refuse(Refusal::default()),
            };
            decisions.push(Decision { pod: key, uid: pod.metadata.uid.clone(), outcome });
        }
        self.places = before;
        decisions
    }
}

fn slots(node: &Node) -> usize {
    node.status.allocatable("pods").and_then(|slots| slots.to_string().parse().ok()).unwrap_or(0)
}

/// What happens next. Pods are named by number.
#[derive(Clone, Copy, Debug)]
enum Event {
    Create(u8),
    Remove(u8),
    End(u8),
    Touch(u8),
    Show(u8),
    Reconcile(u8, Fate),
    LateWrite,
}

/// What becomes of the write that a look at a pod asks for.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Done,
    Refused,
    AnswerLost,
    Late,
}

const PODS: u8 = 6;

fn event() -> impl Strategy<Value = Event> {
    let pod = 0..PODS;
    let fate = prop_oneof![3 => Just(Fate::Done), 1 => Just(Fate::Refused), 2 => Just(Fate::AnswerLost), 2 => Just(Fate::Late)];
    prop_oneof![
        3 => pod.clone().prop_map(Event::Create),
        1 => pod.clone().prop_map(Event::Remove),
        1 => pod.clone().prop_map(Event::End),
        1 => pod.clone().prop_map(Event::Touch),
        4 => (1..6_u8).prop_map(Event::Show),
        6 => (pod, fate).prop_map(|(pod, fate)| Event::Reconcile(pod, fate)),
        1 => Just(Event::LateWrite),
    ]
}

struct World {
    client: Client,
    controller: BindingController,
    seen: ModelView,
    /// Every write, and how many of them were shown.
    log: Vec<(Key, Option<Arc<dyn AnyObject>>)>,
    shown: usize,
    /// How much must be shown before a key is looked at again: promise X1.
    own: BTreeMap<Key, usize>,
    late: Vec<Action>,
}

impl World {
    async fn new(seed: u64) -> Self {
        let chance = SeededEntropy::new(seed);
        let scheduler = RandomScheduler { chance, slots: BTreeMap::new(), places: BTreeMap::new() };
        let entropy = Arc::new(SeededEntropy::new(seed));
        let mut world = Self {
            client: Client::new(Arc::new(ModelStore::default()), Arc::new(SystemClock), entropy),
            controller: BindingController::new(Box::new(scheduler)),
            seen: ModelView::default(),
            log: Vec::new(),
            shown: 0,
            own: BTreeMap::new(),
            late: Vec::new(),
        };
        for (name, slots) in [("a", "1"), ("b", "1"), ("c", "2")] {
            let node: Node = serde_json::from_value(serde_json::json!({
                "metadata": {"name": name}, "status": {"allocatable": {"pods": slots}},
            }))
            .expect("a node");
            let node = world.client.create(node).await.expect("a new node");
            world.log.push((Object::key(&*node).expect("a key"), Some(node)));
        }
        world.show(3);
        world
    }

    fn show(&mut self, until: usize) {
        while self.shown < until.min(self.log.len()) {
            let (key, object) = self.log[self.shown].clone();
            self.shown += 1;
            let change = match object {
                Some(object) => {
                    let previous = self.seen.0.insert(key.clone(), Arc::clone(&object));
                    Change::Put { key, object, previous }
                }
                None => match self.seen.0.remove(&key) {
                    Some(previous) => Change::Removed { key, previous },
                    None => continue,
                },
            };
            self.controller.observe(&change);
            // Every key is looked at in time anyway, so the triggers are not asked.
        }
    }

    async fn happen(&mut self, event: Event) {
        match event {
            Event::Create(number) => {
                let pod: Pod = serde_json::from_value(serde_json::json!({
                    "metadata": {"name": format!("pod-{number}"), "namespace": "shop"},
                    "spec": {"priority": i32::from(number % 2), "containers": [{"name": "web", "image": "web"}]},
                }))
                .expect("a pod");
                if let Ok(pod) = self.client.create(pod).await {
                    self.log.push((pod_key(number), Some(pod)));
                }
            }
            Event::Remove(number) => {
                if let Some(pod) = self.latest(number).await {
                    self.client.delete(&*pod, Grace::Now).await.expect("it is as it was read");
                    self.log.push((pod_key(number), None));
                }
            }
            Event::End(number) => self.change(number, |pod| pod.status.phase = Some(PodPhase::Succeeded)).await,
            Event::Touch(number) => {
                let mark = self.log.len().to_string();
                self.change(number, |pod| drop(pod.metadata.annotations.insert("mark".to_owned(), mark))).await;
            }
            Event::Show(count) => self.show(self.shown + usize::from(count)),
            Event::Reconcile(number, fate) => self.reconcile(&pod_key(number), fate).await,
            Event::LateWrite => {
                if let Some(action) = self.late.pop() {
                    self.write(action).await;
                }
            }
        }
    }

    async fn reconcile(&mut self, key: &Key, fate: Fate) {
        self.show(self.own.get(key).copied().unwrap_or(0));
        let context = Context { view: &self.seen, now: Timestamp::UNIX_EPOCH };
        let plan = self.controller.reconcile(key, context).await.expect("a plan");
        for action in plan.actions.into_iter().filter(|action| !matches!(action, Action::Report(_))) {
            match fate {
                Fate::Done => {
                    self.write(action).await;
                    self.own.insert(key.clone(), self.log.len());
                }
                Fate::Refused => {}
                Fate::AnswerLost => self.write(action).await,
                Fate::Late => self.late.push(action),
            }
        }
    }

    async fn write(&mut self, action: Action) {
        let Action::Update { object, on } = action else { panic!("{action:?}") };
        if let Ok(written) = self.client.update_any(object, &on).await {
            self.log.push((written.key().expect("a key"), Some(written)));
        }
    }

    async fn latest(&self, number: u8) -> Option<Arc<Pod>> {
        self.client.store().get_as::<Pod>(&pod_key(number)).await.expect("a model never fails")
    }

    async fn change(&mut self, number: u8, change: impl FnOnce(&mut Pod)) {
        let Some(old) = self.latest(number).await else { return };
        let mut new = Pod::clone(&old);
        change(&mut new);
        let on = Precondition::of(&*old).expect("it was read");
        let written = self.client.update(new, on).await.expect("it is as it was read");
        self.log.push((pod_key(number), Some(written)));
    }

    async fn check(&self) -> Result<(), TestCaseError> {
        let mut used: BTreeMap<String, usize> = BTreeMap::new();
        for number in 0..PODS {
            let pod = self.latest(number).await.filter(|pod| !pod.status.phase().is_terminal());
            if let Some(node) = pod.and_then(|pod| pod.spec.node_name.clone()) {
                *used.entry(node).or_default() += 1;
            }
        }
        for (name, slots) in [("a", 1), ("b", 1), ("c", 2)] {
            let used = used.get(name).copied().unwrap_or(0);
            prop_assert!(used <= slots, "{name} has {slots} slots and got {used} pods");
        }
        Ok(())
    }
}

fn pod_key(number: u8) -> Key {
    Key::new(&Pod::KIND, Some("shop"), &format!("pod-{number}")).expect("a name")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_node_gets_more_than_it_has(seed: u64, events in prop::collection::vec(event(), 1..60)) {
        suite::run(async {
            let mut world = World::new(seed).await;
            for event in events {
                world.happen(event).await;
                world.check().await?;
            }
            Ok::<(), TestCaseError>(())
        })?;
    }
}
