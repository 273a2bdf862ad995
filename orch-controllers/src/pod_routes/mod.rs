//! [`PodRoutesController`]: leads what is sent to pods of other nodes to those nodes.

mod sync;
mod table;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use orch_core::controller::{Action, Change, Context, Controller, ControllerError, EventType, Plan, Report, Trigger};
use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::network::PodRoutes;
use orch_core::object::Node;

use sync::{Outcome, SyncRoutes};
use table::TableIndex;

/// Has [`PodRoutes`] lead to the nodes of a cluster what is sent to their pods, from one node.
///
/// A node's pod ranges are those of its spec, its addresses the `InternalIP`s of its status. It keeps a table of all nodes
/// from the changes that it is shown, and hands it on after it changed, and whenever the routes say that others may have
/// altered them. A node that is not ready keeps its routes: its pods may run, and whoever cannot reach them finds out.
/// Those of a node that was deleted go. One whose agent has not said yet where it is, is waited for.
///
/// A node that cannot be led to does not stop the others. One that is wrong, or that claims an address or a range of an
/// older node, is left out; so is one that the routes refuse, and that is tried again with a growing pause. Either is
/// reported as an Event of the node. When the routes fail as a whole, they lead on as they did.
#[derive(Debug)]
pub struct PodRoutesController {
    routes: Arc<dyn PodRoutes>,
    index: Arc<Mutex<TableIndex>>,
    outcome: Arc<Mutex<Outcome>>,
}

impl PodRoutesController {
    /// A controller for the routes on the node of this name.
    pub fn new(routes: Arc<dyn PodRoutes>, node: impl Into<String>) -> Self {
        Self { routes, index: Arc::new(Mutex::new(TableIndex::new(node.into()))), outcome: Arc::default() }
    }

    fn index(&self) -> MutexGuard<'_, TableIndex> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Controller for PodRoutesController {
    fn name(&self) -> &'static str {
        "pod-routes"
    }

    fn triggers(&self) -> Vec<Trigger> {
        vec![Trigger::to::<Node>(|_, _| table_key().into_iter().collect())]
    }

    /// The table is looked at once even if nothing is in it, since an earlier run may have left routes; and again whenever
    /// others may have altered some.
    fn hints(&self) -> BoxStream<'static, Key> {
        let outcome = Arc::clone(&self.outcome);
        let drifted = self.routes.drifted().filter_map(move |()| {
            outcome.lock().unwrap_or_else(PoisonError::into_inner).drifts += 1;
            std::future::ready(table_key())
        });
        stream::iter(table_key()).chain(drifted).chain(stream::pending()).boxed()
    }

    fn observe(&self, change: &Change) {
        self.index().apply(change);
    }

    async fn reconcile(&self, _: &Key, _: Context<'_>) -> Result<Plan, ControllerError> {
        let mut index = self.index();
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let mut plan = Plan::nothing();
        index.refresh();
        if outcome.held == Some((index.changes(), outcome.drifts)) {
            return Ok(plan);
        }
        for (name, reason) in index.refused().iter().chain(&outcome.refused) {
            plan.actions.extend(report(&index, name, reason).map(Action::Report));
        }
        plan.then(Action::Effect(Arc::new(SyncRoutes {
            routes: Arc::clone(&self.routes),
            index: Arc::clone(&self.index),
            outcome: Arc::clone(&self.outcome),
        })));
        Ok(plan)
    }
}

/// The one key of this controller. It stands for the table, which is no object.
fn table_key() -> Option<Key> {
    "hosttables/node".parse().ok()
}

fn report(index: &TableIndex, name: &str, reason: &str) -> Option<Report> {
    let node = index.node(name)?;
    Some(Report {
        kind: &Node::KIND,
        key: node.key().ok()?,
        uid: node.metadata.uid.clone().unwrap_or_default(),
        event_type: EventType::Warning,
        reason: "NotRouted",
        message: format!("pods of node {name} are not led to from node {}: {reason}", index.own_name()),
    })
}

#[cfg(test)]
mod tests;
