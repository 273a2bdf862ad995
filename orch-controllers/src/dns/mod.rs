//! [`DnsController`]: has name servers answer as services, endpoint slices and pods are.

mod index;
mod names;
mod publish;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use orch_core::controller::{Action, Change, Context, Controller, ControllerError, Plan, Trigger};
use orch_core::dns::NameBoard;
use orch_core::key::Key;
use orch_core::object::{EndpointSlice, Pod, Service};

use index::NameIndex;
use publish::PublishNames;

/// Has name servers answer as services, endpoint slices and pods are: it keeps the
/// [`NameTable`](orch_core::dns::NameTable) of the whole cluster from the changes that it is shown, and publishes it on
/// a [`NameBoard`] after it changed.
///
/// The names are those of the Kubernetes DNS specification 1.1.0:
///
/// - `service.namespace.svc` leads to the service's addresses, or if it is headless, to its ready endpoints; to all if
///   the service publishes those that are not ready;
/// - `host.service.namespace.svc` leads to one endpoint of a headless service. `host` is the endpoint's host name or,
///   without one, its address with hyphens: `10-244-0-7`;
/// - `_port._protocol.service.namespace.svc` tells where a named port is;
/// - `10-244-0-7.namespace.pod` leads to that address if a pod of the namespace has it that has not ended;
/// - addresses of services, and of endpoints of headless ones, have their names.
#[derive(Debug)]
pub struct DnsController {
    board: Arc<NameBoard>,
    index: Arc<Mutex<NameIndex>>,
    /// Up to which change of the table everything is published.
    published: Arc<Mutex<Option<u64>>>,
}

impl DnsController {
    /// A controller that publishes on `board`, and is the only one that does.
    pub fn new(board: Arc<NameBoard>) -> Self {
        Self { board, index: Arc::default(), published: Arc::default() }
    }

    fn index(&self) -> MutexGuard<'_, NameIndex> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Controller for DnsController {
    fn name(&self) -> &'static str {
        "dns"
    }

    fn triggers(&self) -> Vec<Trigger> {
        let table = || table_key().into_iter().collect();
        vec![
            Trigger::to::<Service>(move |_, _| table()),
            Trigger::to::<EndpointSlice>(move |_, _| table()),
            Trigger::to::<Pod>(move |_, _| table()),
        ]
    }

    /// The table is published once even if nothing is in it: until then name servers fail rather than deny.
    fn hints(&self) -> BoxStream<'static, Key> {
        stream::iter(table_key()).chain(stream::pending()).boxed()
    }

    fn observe(&self, change: &Change) {
        self.index().apply(change);
    }

    async fn reconcile(&self, _: &Key, _: Context<'_>) -> Result<Plan, ControllerError> {
        let mut plan = Plan::nothing();
        let published = *self.published.lock().unwrap_or_else(PoisonError::into_inner);
        if published != Some(self.index().table().changes()) {
            plan.then(Action::Effect(Arc::new(PublishNames {
                board: Arc::clone(&self.board),
                index: Arc::clone(&self.index),
                published: Arc::clone(&self.published),
            })));
        }
        Ok(plan)
    }
}

/// The one key of this controller. It stands for the table, which is no object.
fn table_key() -> Option<Key> {
    "nametables/cluster".parse().ok()
}
