//! What the tests run: a cluster of namespaces and leases, and a controller made of closures.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use orch_controllers::engine::{Engine, EngineBuilder};
use orch_core::client::{Client, Precondition};
use orch_core::controller::{Change, Context, Controller, ControllerError, Plan, Trigger};
use orch_core::entropy::SeededEntropy;
use orch_core::key::{Key, Prefix};
use orch_core::kind::Object;
use orch_core::object::{Lease, Namespace};
use orch_core::store::StoreExt as _;
use orch_testkit::fault::ManualClock;
use tokio::time::Instant;

use crate::faulty::FaultyStore;

type Decide = dyn Fn(&Key, Context<'_>) -> Result<Plan, ControllerError> + Send + Sync;
type Observe = dyn Fn(&Change) + Send + Sync;

/// A controller made of closures, which notes what it was shown.
pub(crate) struct ClosureController {
    pub(crate) name: &'static str,
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) decide: Box<Decide>,
    pub(crate) on_change: Box<Observe>,
    pub(crate) hints: Vec<Key>,
    log: Arc<Mutex<Log>>,
}

/// What a controller was shown and asked.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) observed: Vec<Change>,
    /// When each key was looked at.
    pub(crate) looks: Vec<(String, Instant)>,
}

/// What a test can read while the controller runs.
#[derive(Clone, Debug)]
pub(crate) struct Notes(Arc<Mutex<Log>>);

impl Notes {
    pub(crate) fn looks(&self) -> Vec<(String, Instant)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).looks.clone()
    }

    pub(crate) fn looks_at(&self, name: &str) -> usize {
        self.looks().iter().filter(|(looked_at, _)| looked_at == name).count()
    }

    pub(crate) fn observed(&self) -> Vec<Change> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).observed.clone()
    }
}

impl ClosureController {
    /// A controller of namespaces that also sees leases.
    pub(crate) fn new(
        decide: impl Fn(&Key, Context<'_>) -> Result<Plan, ControllerError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: "closure",
            triggers: vec![Trigger::itself::<Namespace>(), Trigger::see::<Lease>()],
            decide: Box::new(decide),
            on_change: Box::new(|_| {}),
            hints: Vec::new(),
            log: Arc::default(),
        }
    }

    pub(crate) fn notes(&self) -> Notes {
        Notes(Arc::clone(&self.log))
    }
}

impl fmt::Debug for ClosureController {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[async_trait]
impl Controller for ClosureController {
    fn name(&self) -> &'static str {
        self.name
    }

    fn triggers(&self) -> Vec<Trigger> {
        self.triggers.clone()
    }

    fn hints(&self) -> BoxStream<'static, Key> {
        stream::iter(self.hints.clone()).chain(stream::pending()).boxed()
    }

    fn observe(&self, change: &Change) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).observed.push(change.clone());
        (self.on_change)(change);
    }

    async fn reconcile(&self, key: &Key, context: Context<'_>) -> Result<Plan, ControllerError> {
        let look = (key.name().to_owned(), Instant::now());
        self.log.lock().unwrap_or_else(PoisonError::into_inner).looks.push(look);
        (self.decide)(key, context)
    }
}

/// A store, and a client of it.
pub(crate) struct Cluster {
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) client: Client,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let store = Arc::new(FaultyStore::default());
        let clock = ManualClock::new("2026-11-22T18:00:00Z".parse().expect("a time"));
        let client = Client::new(store.clone(), Arc::new(clock), Arc::new(SeededEntropy::new(1)));
        Self { store, client }
    }

    pub(crate) fn engine(&self) -> EngineBuilder {
        Engine::builder(self.client.clone()).entropy(Arc::new(SeededEntropy::new(2)))
    }

    pub(crate) async fn create_namespace(&self, name: &str) {
        self.client.create(namespace(name)).await.expect("the namespace can be created");
    }

    /// Changes a namespace, so that it is looked at.
    pub(crate) async fn touch(&self, name: &str) {
        let key = namespace(name).key().expect("a key");
        let before = self.client.store().get_as::<Namespace>(&key).await.expect("it can be read").expect("it is there");
        let mut after = Namespace::clone(&before);
        let touched = after.metadata.annotations.entry("touched".to_owned()).or_default();
        touched.push('x');
        let on = Precondition::of(&*before).expect("it was stored");
        self.client.update(after, on).await.expect("nobody else changes it");
    }

    pub(crate) async fn leases(&self) -> Vec<Arc<Lease>> {
        self.store.inner.list_as(&leases()).await.expect("leases can be listed").0
    }
}

pub(crate) fn leases() -> Prefix {
    Prefix::collection(&Lease::KIND)
}

pub(crate) fn namespace(name: &str) -> Namespace {
    let mut namespace = Namespace::default();
    namespace.metadata.name = name.to_owned();
    namespace
}

pub(crate) fn lease(namespace: &str, name: &str) -> Lease {
    let mut lease = Lease::default();
    lease.metadata.name = name.to_owned();
    lease.metadata.namespace = Some(namespace.to_owned());
    lease
}

/// Lets everybody do all that can be done within this time.
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Lets everybody do all that can be done at once.
pub(crate) async fn settle() {
    pass(Duration::from_millis(1)).await;
}
