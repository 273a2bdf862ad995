//! [`Cluster`]: a store, and agents run by the engine.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use orch_controllers::engine::{Engine, EngineHandle, RunOptions};
use orch_controllers::node_agent::NodeParts;
use orch_core::client::{Client, Grace};
use orch_core::clock::Clock;
use orch_core::entropy::SeededEntropy;
use orch_core::kind::Object;
use orch_core::object::Pod;
use orch_core::runtime::Runtime;
use orch_core::store::StoreExt as _;
use orch_store::memory::MemoryStore;

use crate::objects::{agent_of, key};

/// A store, and what writes to it.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) client: Client,
}

impl Cluster {
    /// An empty one.
    pub(crate) fn new(clock: Arc<dyn Clock>, seed: u64) -> Self {
        let store = Arc::new(MemoryStore::new());
        Self { client: Client::new(store, clock, Arc::new(SeededEntropy::new(seed))) }
    }

    /// An agent that was just started, run by an engine. It ends as if killed when the handle is dropped.
    pub(crate) fn start_agent(&self, runtime: Arc<dyn Runtime>) -> EngineHandle {
        self.start_agent_of(NodeParts::new(runtime))
    }

    /// The same, of a node that has all this.
    pub(crate) fn start_agent_of(&self, parts: NodeParts) -> EngineHandle {
        let workers = NonZeroUsize::new(16).expect("not zero");
        let agent = agent_of(parts, Arc::clone(self.client.store()));
        let engine = Engine::builder(self.client.clone());
        engine.controller_with(agent, RunOptions { workers, ..RunOptions::default() }).start().expect("an engine")
    }

    pub(crate) async fn create<T: Object>(&self, object: T) {
        self.client.create(object).await.expect("created");
    }

    pub(crate) async fn delete(&self, name: &str) {
        let pod = self.pod(name).await.expect("a pod to delete");
        self.client.delete(&*pod, Grace::Own).await.expect("deleted");
    }

    pub(crate) async fn pod(&self, name: &str) -> Option<Arc<Pod>> {
        self.client.store().get_as(&key(name)).await.expect("the store answers")
    }

    /// Waits until something holds of a pod; `None` when it is not there.
    pub(crate) async fn until(&self, name: &str, holds: impl Fn(Option<&Pod>) -> bool) -> Option<Arc<Pod>> {
        let looks = async {
            loop {
                let pod = self.pod(name).await;
                if holds(pod.as_deref()) {
                    return pod;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(60), looks).await {
            Ok(pod) => pod,
            Err(_) => panic!("it does not come to that within a minute: {:?}", self.pod(name).await),
        }
    }

    pub(crate) async fn until_ready(&self, name: &str) -> Arc<Pod> {
        let ready = |pod: Option<&Pod>| pod.is_some_and(|pod| pod.status.is_ready());
        self.until(name, ready).await.expect("a pod that is ready")
    }
}
