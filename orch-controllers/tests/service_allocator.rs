//! What services get from the allocator: whoever asks at once, whatever interleaves, no two get the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use orch_controllers::service_address::{
    AllocateError, AllocatorConfigError, Holding, ServiceAddressConfig, ServiceAddressController, ServiceAllocator,
};
use orch_core::client::{Client, Grace, Precondition};
use orch_core::clock::{Clock, SystemClock, Timestamp};
use orch_core::controller::{Action, Change, Context, Controller as _};
use orch_core::entropy::SeededEntropy;
use orch_core::key::{Key, Prefix};
use orch_core::kind::{AnyObject, Object};
use orch_core::object::{IpAddress, Service, ServiceNodePort};
use orch_core::store::{Store as _, StoreExt as _, Transact};
use orch_testkit::fault::ManualClock;
use orch_testkit::history::DistantStore;
use orch_testkit::model::{ModelStore, ModelView};
use orch_testkit::suite;
use proptest::prelude::*;
use serde_json::json;

fn config(ranges: &[&str], last_port: u16) -> ServiceAddressConfig {
    let ranges = ranges.iter().map(|range| range.parse().expect("a range")).collect();
    ServiceAddressConfig { ranges, node_ports: 30_000..=last_port, ..ServiceAddressConfig::default() }
}

fn allocator(store: Arc<dyn Transact>, seed: u64, config: ServiceAddressConfig) -> ServiceAllocator {
    ServiceAllocator::new(store, Arc::new(SystemClock), Arc::new(SeededEntropy::new(seed)), config)
        .expect("an allocator")
}

fn service(name: &str, spec: &serde_json::Value) -> Service {
    let mut object = json!({"metadata": {"name": name, "namespace": "shop"}, "spec": {"ports": [{"port": 80}]}});
    for (field, value) in spec.as_object().into_iter().flatten() {
        object["spec"][field] = value.clone();
    }
    serde_json::from_value(object).expect("a service")
}

#[test]
fn a_service_gets_one_of_each_family_and_node_ports_and_keeps_them() {
    suite::run(async {
        let allocator = allocator(Arc::new(ModelStore::default()), 1, config(&["10.0.0.0/24", "fd00::/112"], 32_767));
        let ports = json!([
            {"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53}, {"name": "web", "port": 80},
        ]);
        let asked = service("dns", &json!({"type": "NodePort", "ports": ports}));
        let given = allocator.create(asked.clone()).await.expect("given");
        let [v4, v6] = &given.spec.cluster_ips[..] else { panic!("{:?}", given.spec.cluster_ips) };
        assert!(v4.starts_with("10.0.0.") && v6.starts_with("fd00::"), "{v4} {v6}");
        assert_eq!(given.spec.cluster_ip.as_ref(), Some(v4));
        let ports: Vec<_> = given.spec.ports.iter().map(|port| port.node_port.expect("a port")).collect();
        assert!(ports[0] == ports[1] && ports[0] != ports[2] && ports.iter().all(|port| *port >= 30_086), "{ports:?}");
        let again = Service { metadata: given.metadata.clone(), ..asked };
        let kept = allocator.update(again, &Precondition::of(&*given).expect("stored")).await.expect("kept");
        assert_eq!(kept.spec, given.spec);
    });
}

#[test]
fn what_cannot_be_given_is_refused_with_who_has_it_or_what_there_is() {
    suite::run(async {
        let mut config = config(&["10.0.0.0/28"], 30_015);
        config.reserved.insert(Holding::Address("10.0.0.10".parse().expect("an address")));
        let allocator = allocator(Arc::new(ModelStore::default()), 1, config);
        let mine = json!({"clusterIP": "10.0.0.7", "type": "NodePort", "ports": [{"port": 80, "nodePort": 30_001}]});
        let web = allocator.create(service("web", &mine)).await.expect("given");
        for (spec, said) in [
            (
                mine,
                "spec.clusterIP: 10.0.0.7 belongs to services/shop/web; spec.ports[0].nodePort: 30001 belongs to services/shop/web",
            ),
            (
                json!({"clusterIP": "10.0.1.7"}),
                "spec.clusterIP: 10.0.1.7 is outside of the services' range, which is 10.0.0.0/28",
            ),
            (json!({"clusterIP": "10.0.0.0"}), "spec.clusterIP: 10.0.0.0 is the first or last address of 10.0.0.0/28"),
            (
                json!({"clusterIP": "10.0.0.15"}),
                "spec.clusterIP: 10.0.0.15 is the first or last address of 10.0.0.0/28",
            ),
            (json!({"clusterIP": "10.0.0.10"}), "spec.clusterIP: 10.0.0.10 is reserved"),
            (
                json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]}),
                "spec.ports[0].nodePort: 80 is outside of the node ports, which are 30000 to 30015",
            ),
        ] {
            let error = allocator.create(service("other", &spec)).await.expect_err("refused");
            assert!(matches!(error, AllocateError::Refused { .. }) && error.to_string().contains(said), "{error}");
        }
        let mut moved = Service::clone(&web);
        (moved.spec.cluster_ip, moved.spec.cluster_ips) = (Some("10.0.0.8".to_owned()), Vec::new());
        let error = allocator.update(moved, &Precondition::of(&*web).expect("stored")).await.expect_err("refused");
        assert!(error.to_string().contains("spec.clusterIP: must stay 10.0.0.7"), "{error}");
    });
}

#[test]
fn a_range_is_given_to_its_end_and_then_says_that_it_is() {
    suite::run(async {
        let store = Arc::new(ModelStore::default());
        let allocator = allocator(Arc::clone(&store) as _, 3, config(&["10.0.0.0/29"], 30_003));
        for number in 0..6 {
            allocator.create(service(&format!("s{number}"), &json!({}))).await.expect("given");
        }
        let error = allocator.create(service("late", &json!({}))).await.expect_err("nothing is left");
        assert!(error.to_string().contains("none of the 6 addresses of 10.0.0.0/29 is free: 6 are given"), "{error}");
        let headless = json!({"clusterIP": "None"});
        allocator.create(service("headless", &headless)).await.expect("it needs none");
        assert!(store.get(&"services/shop/late".parse().expect("a key")).await.expect("read").is_none());
    });
}

#[test]
fn ranges_that_give_nothing_are_refused() {
    let made = |ranges: &[&str], last| {
        let store: Arc<dyn Transact> = Arc::new(ModelStore::default());
        let entropy = Arc::new(SeededEntropy::new(1));
        ServiceAllocator::new(store, Arc::new(SystemClock), entropy, config(ranges, last)).map(drop)
    };
    assert!(matches!(made(&["10.0.0.0/31"], 30_001), Err(AllocatorConfigError::TooSmall { .. })));
    assert!(matches!(made(&["10.0.0.0/24", "10.1.0.0/24"], 30_001), Err(AllocatorConfigError::TwoOfAFamily { .. })));
    assert!(matches!(made(&["10.0.0.0/24"], 29_999), Err(AllocatorConfigError::NoNodePorts)));
}

/// Of every service what it has, which must be on record for it and no other's.
async fn check(store: &ModelStore) -> Result<usize, TestCaseError> {
    let (services, _) = store.list_as::<Service>(&Prefix::collection(&Service::KIND)).await.expect("a list");
    let mut seen = BTreeSet::new();
    for service in &services {
        let ports =
            service.spec.ports.iter().filter_map(|port| port.node_port).map(|port| {
                (Key::new(&ServiceNodePort::KIND, None, &port.to_string()).expect("a name"), port.to_string())
            });
        let addresses = service.spec.cluster_ips.iter().filter(|address| *address != "None");
        let addresses = addresses.map(|text| (Key::new(&IpAddress::KIND, None, text).expect("a name"), text.clone()));
        for (on_record, text) in addresses.chain(ports) {
            prop_assert!(seen.insert(text.clone()), "two services have {}", text);
            prop_assert!(store.get(&on_record).await.expect("read").is_some(), "{} is not on record", text);
        }
    }
    Ok(services.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn allocators_that_ask_at_once_over_a_network_share_nothing(seed: u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let store = Arc::new(ModelStore::default());
            let ask = |number: u64| {
                let far: Arc<dyn Transact> = Arc::new(DistantStore::new(ModelStore::clone(&store), seed ^ number));
                let allocator = allocator(far, seed.wrapping_add(number), config(&["10.0.0.0/29"], 30_005));
                async move { allocator.create(service(&format!("s{number}"), &json!({"type": "NodePort"}))).await }
            };
            let outcomes = join_all((0..9).map(ask)).await;
            let written = check(&store).await?;
            let given = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            prop_assert!(given <= written && written <= 6, "{} were told, {} are there", given, written);
            Ok::<(), TestCaseError>(())
        })?;
    }
}

/// What happens next. Services are named by number, and so are kinds and places of addresses.
#[derive(Clone, Copy, Debug)]
enum Event {
    Create(u8, Option<u8>),
    Remove(u8),
    Pass(u16),
    Show(u8, u8),
    Reconcile(u8, bool, Fate),
    LateWrite,
}

/// What becomes of the writes that a look asks for.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Done,
    AnswerLost,
    Late,
}

fn event() -> impl Strategy<Value = Event> {
    let fate = prop_oneof![3 => Just(Fate::Done), 1 => Just(Fate::AnswerLost), 2 => Just(Fate::Late)];
    prop_oneof![
        3 => (0..5_u8, prop::option::of(1..7_u8)).prop_map(|(name, place)| Event::Create(name, place)),
        2 => (0..5_u8).prop_map(Event::Remove),
        2 => (0..90_u16).prop_map(Event::Pass),
        4 => (0..2_u8, 1..6_u8).prop_map(|(kind, count)| Event::Show(kind, count)),
        6 => (0..7_u8, any::<bool>(), fate).prop_map(|(number, service, fate)| Event::Reconcile(number, service, fate)),
        1 => Just(Event::LateWrite),
    ]
}

/// The two kinds of this world.
type Logs = [Vec<(Key, Option<Arc<dyn AnyObject>>)>; 2];

struct World {
    store: Arc<ModelStore>,
    clock: Arc<ManualClock>,
    client: Client,
    allocator: ServiceAllocator,
    controller: ServiceAddressController,
    seen: ModelView,
    now: BTreeMap<Key, Arc<dyn AnyObject>>,
    /// Every write of each kind, and how many of them were shown.
    logs: Logs,
    shown: [usize; 2],
    own: BTreeMap<Key, [usize; 2]>,
    late: Vec<Action>,
}

impl World {
    fn new(seed: u64) -> Self {
        let store = Arc::new(ModelStore::default());
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let entropy = Arc::new(SeededEntropy::new(seed));
        let config = config(&["10.0.0.0/29"], 30_005);
        let allocator = ServiceAllocator::new(Arc::clone(&store) as _, clock.clone(), entropy.clone(), config.clone());
        Self {
            client: Client::new(store.clone(), clock.clone(), entropy),
            allocator: allocator.expect("an allocator"),
            controller: ServiceAddressController::new(store.clone(), config),
            store,
            clock,
            seen: ModelView::default(),
            now: BTreeMap::new(),
            logs: Logs::default(),
            shown: [0; 2],
            own: BTreeMap::new(),
            late: Vec::new(),
        }
    }

    /// Writes down what changed.
    async fn take_notice(&mut self) {
        let (services, _) = self.store.list_as::<Service>(&Prefix::collection(&Service::KIND)).await.expect("a list");
        let (addresses, _) =
            self.store.list_as::<IpAddress>(&Prefix::collection(&IpAddress::KIND)).await.expect("a list");
        let services = services.into_iter().map(|object| object as Arc<dyn AnyObject>);
        let all = services.chain(addresses.into_iter().map(|object| object as Arc<dyn AnyObject>));
        let now: BTreeMap<Key, Arc<dyn AnyObject>> = all.map(|object| (object.key().expect("a key"), object)).collect();
        let kind = |key: &Key| usize::from(key.collection() == IpAddress::KIND.collection);
        for key in self.now.keys().filter(|key| !now.contains_key(*key)) {
            self.logs[kind(key)].push((key.clone(), None));
        }
        for (key, object) in &now {
            if self.now.get(key).is_none_or(|old| old.metadata().revision != object.metadata().revision) {
                self.logs[kind(key)].push((key.clone(), Some(Arc::clone(object))));
            }
        }
        self.now = now;
    }

    fn show(&mut self, kind: usize, until: usize) {
        while self.shown[kind] < until.min(self.logs[kind].len()) {
            let (key, object) = self.logs[kind][self.shown[kind]].clone();
            self.shown[kind] += 1;
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
        }
    }

    async fn happen(&mut self, event: Event) {
        match event {
            Event::Create(number, place) => {
                let address = place.map(|place| format!("10.0.0.{place}"));
                let _ = self.allocator.create(service(&format!("s{number}"), &json!({"clusterIP": address}))).await;
            }
            Event::Remove(number) => {
                let key = service_key(number);
                if let Some(service) = self.store.get_as::<Service>(&key).await.expect("read") {
                    self.client.delete(&*service, Grace::Now).await.expect("it is as it was read");
                }
            }
            Event::Pass(seconds) => self.clock.advance(Duration::from_secs(seconds.into())),
            Event::Show(kind, count) => {
                let kind = usize::from(kind);
                self.show(kind, self.shown[kind] + usize::from(count));
            }
            Event::Reconcile(number, true, fate) => self.reconcile(&service_key(number), fate).await,
            Event::Reconcile(number, false, fate) => {
                let key = Key::new(&IpAddress::KIND, None, &format!("10.0.0.{number}")).expect("a name");
                self.reconcile(&key, fate).await;
            }
            Event::LateWrite => {
                if let Some(action) = self.late.pop() {
                    self.write(action).await;
                }
            }
        }
        self.take_notice().await;
    }

    async fn reconcile(&mut self, key: &Key, fate: Fate) {
        for (kind, until) in self.own.get(key).copied().unwrap_or_default().into_iter().enumerate() {
            self.show(kind, until);
        }
        let context = Context { view: &self.seen, now: self.clock.now() };
        let plan = self.controller.reconcile(key, context).await.expect("a plan");
        for action in plan.actions.into_iter().filter(|action| !matches!(action, Action::Report(_))) {
            match fate {
                Fate::Done | Fate::AnswerLost => self.write(action).await,
                Fate::Late => self.late.push(action),
            }
            self.take_notice().await;
            if let Fate::Done = fate {
                self.own.insert(key.clone(), [self.logs[0].len(), self.logs[1].len()]);
            }
        }
    }

    async fn write(&self, action: Action) {
        // Whoever comes too late is refused, and that is the point.
        let _ = match action {
            Action::Create(object) => self.client.create_any(object).await.map(drop),
            Action::Update { object, on } => self.client.update_any(object, &on).await.map(drop),
            Action::Delete { object, grace } => self.client.delete(&*object, grace).await.map(drop),
            other => panic!("{other:?}"),
        };
    }
}

fn service_key(number: u8) -> Key {
    Key::new(&Service::KIND, Some("shop"), &format!("s{number}")).expect("a name")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_address_is_ever_two_services_however_old_the_view_and_late_the_writes(
        seed: u64,
        events in prop::collection::vec(event(), 1..80),
    ) {
        suite::run(async {
            let mut world = World::new(seed);
            for event in events {
                world.happen(event).await;
                check(&world.store).await?;
            }
            Ok::<(), TestCaseError>(())
        })?;
    }
}
