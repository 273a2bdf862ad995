//! [`ServiceProxyController`]: has a proxy serve what services and their endpoint slices say.

mod ports;
mod sync;
mod table;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use orch_core::controller::{Action, Change, Context, Controller, ControllerError, EventType, Plan, Report, Trigger};
use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::{EndpointSlice, Service};
use orch_core::proxy::{ServicePortName, ServiceProxy};

use sync::{Outcome, SyncProxy};
use table::TableIndex;

/// Has a [`ServiceProxy`] serve what services and their endpoint slices say, on one node.
///
/// It keeps one table of the whole cluster, from the changes that it is shown, and hands it to the proxy after it
/// changed. Changes that come while the proxy is at work share the next sync.
///
/// A service port that cannot be served does not stop the others. One that is wrong, or that claims a place of an
/// older service, never reaches the proxy; one that the proxy refuses is left out, and tried again with a growing
/// pause. Either is reported as an Event of the service. When the proxy fails as a whole, it serves on what it served
/// before.
#[derive(Debug)]
pub struct ServiceProxyController {
    proxy: Arc<dyn ServiceProxy>,
    index: Arc<Mutex<TableIndex>>,
    outcome: Arc<Mutex<Outcome>>,
}

impl ServiceProxyController {
    /// A controller for the proxy of a node. `node` is the node's name, if it has one: services that ask for endpoints
    /// on the same node only are led to those; without a name, to all.
    pub fn new(proxy: Arc<dyn ServiceProxy>, node: Option<String>) -> Self {
        Self { proxy, index: Arc::new(Mutex::new(TableIndex::new(node))), outcome: Arc::default() }
    }

    fn index(&self) -> MutexGuard<'_, TableIndex> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Controller for ServiceProxyController {
    fn name(&self) -> &'static str {
        "service-proxy"
    }

    fn triggers(&self) -> Vec<Trigger> {
        let table = || table_key().into_iter().collect();
        vec![Trigger::to::<Service>(move |_, _| table()), Trigger::to::<EndpointSlice>(move |_, _| table())]
    }

    /// The table is looked at once even if nothing is in it: the proxy may still serve what an earlier run left.
    fn hints(&self) -> BoxStream<'static, Key> {
        stream::iter(table_key()).chain(stream::pending()).boxed()
    }

    fn observe(&self, change: &Change) {
        self.index().apply(change);
    }

    async fn reconcile(&self, _: &Key, _: Context<'_>) -> Result<Plan, ControllerError> {
        let index = self.index();
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let mut plan = Plan::nothing();
        if outcome.served == Some(index.changes()) {
            return Ok(plan);
        }
        for (name, reason) in index.refused().iter().chain(&outcome.refused) {
            plan.actions.extend(report(&index, name, reason).map(Action::Report));
        }
        plan.then(Action::Effect(Arc::new(SyncProxy {
            proxy: Arc::clone(&self.proxy),
            index: Arc::clone(&self.index),
            outcome: Arc::clone(&self.outcome),
        })));
        Ok(plan)
    }
}

/// The one key of this controller. It stands for the table, which is no object.
fn table_key() -> Option<Key> {
    "servicetables/node".parse().ok()
}

fn report(index: &TableIndex, name: &ServicePortName, reason: &str) -> Option<Report> {
    let service = index.service(&name.service)?;
    Some(Report {
        kind: &Service::KIND,
        key: name.service.clone(),
        uid: service.metadata.uid.clone().unwrap_or_default(),
        event_type: EventType::Warning,
        reason: "NotServed",
        message: format!("{name} is not served: {reason}"),
    })
}

#[cfg(test)]
mod tests;
