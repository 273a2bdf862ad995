//! [`SyncProxy`]: hands the table to the proxy.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use orch_core::controller::{ControllerError, Effect};
use orch_core::proxy::{ServicePortName, ServiceProxy, ServiceTable};

use super::table::TableIndex;

/// What came of the last sync.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Up to which change of the index everything is served.
    pub(super) served: Option<u64>,
    /// The service ports that the proxy refused, and why.
    pub(super) refused: BTreeMap<ServicePortName, String>,
}

/// Hands the table to the proxy, as it is when this is performed: an effect that comes late never brings an old table
/// back. What the proxy refuses is left out, one service port after another, until the rest is served. It fails while
/// something is left out, so that it is performed again.
pub(super) struct SyncProxy {
    pub(super) proxy: Arc<dyn ServiceProxy>,
    pub(super) index: Arc<Mutex<TableIndex>>,
    pub(super) outcome: Arc<Mutex<Outcome>>,
}

impl SyncProxy {
    fn table(&self) -> (Arc<ServiceTable>, u64) {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(index.table()), index.changes())
    }
}

impl fmt::Debug for SyncProxy {
    /// In one line of a log: the table may be large.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (table, _) = self.table();
        f.debug_struct("SyncProxy").field("service_ports", &table.len()).field("version", &table.version()).finish()
    }
}

#[async_trait]
impl Effect for SyncProxy {
    async fn perform(&self) -> Result<(), ControllerError> {
        let (mut table, changes) = self.table();
        let count = table.len();
        let mut refused = BTreeMap::new();
        while let Err(error) = self.proxy.sync(Arc::clone(&table)).await {
            let Some(name) = error.service_port().filter(|name| table.get(name).is_some()).cloned() else {
                let transient = error.is_transient();
                return Err(ControllerError::outside(error, transient));
            };
            Arc::make_mut(&mut table).set(name.clone(), None);
            refused.insert(name, error.to_string());
        }
        let failure = refused.values().next().map(|first| ControllerError::Outside {
            message: format!("{} of {} service ports are not served: {first}", refused.len(), count),
            transient: true,
            source: None,
        });
        let served = failure.is_none().then_some(changes);
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Outcome { served, refused };
        failure.map_or(Ok(()), Err)
    }
}
