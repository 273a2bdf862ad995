//! [`SyncRoutes`]: hands the table to the routes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use orch_core::controller::{ControllerError, Effect};
use orch_core::network::{HostTable, PodRoutes};

use super::table::TableIndex;

/// What came of the last sync.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Up to which change of the index everything holds, and since how many words of drift.
    pub(super) held: Option<(u64, u64)>,
    /// How often the routes said that others may have altered them.
    pub(super) drifts: u64,
    /// The nodes that the routes refused, and why.
    pub(super) refused: BTreeMap<String, String>,
}

/// Hands the table to the routes, as it is when this is performed: an effect that comes late never brings an old table
/// back. What the routes refuse is left out, one node after another, until the rest holds. It fails while something is left
/// out, so that it is performed again.
pub(super) struct SyncRoutes {
    pub(super) routes: Arc<dyn PodRoutes>,
    pub(super) index: Arc<Mutex<TableIndex>>,
    pub(super) outcome: Arc<Mutex<Outcome>>,
}

impl SyncRoutes {
    fn table(&self) -> (Arc<HostTable>, u64) {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        index.refresh();
        (Arc::clone(index.table()), index.changes())
    }
}

impl fmt::Debug for SyncRoutes {
    /// In one line of a log: the table may be large.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (table, changes) = self.table();
        f.debug_struct("SyncRoutes").field("hosts", &table.len()).field("changes", &changes).finish()
    }
}

#[async_trait]
impl Effect for SyncRoutes {
    async fn perform(&self) -> Result<(), ControllerError> {
        // Before the table holds: what drifts meanwhile is looked at again.
        let drifts = self.outcome.lock().unwrap_or_else(PoisonError::into_inner).drifts;
        let (mut table, changes) = self.table();
        let count = table.len();
        let mut refused = BTreeMap::new();
        while let Err(error) = self.routes.sync(Arc::clone(&table)).await {
            let Some(name) = error.host().filter(|name| table.get(name).is_some()).map(str::to_owned) else {
                let transient = error.is_transient();
                return Err(ControllerError::outside(error, transient));
            };
            Arc::make_mut(&mut table).set(name.clone(), None);
            refused.insert(name, error.to_string());
        }
        let failure = refused.values().next().map(|first| ControllerError::Outside {
            message: format!("{} of {count} nodes are not led to: {first}", refused.len()),
            transient: true,
            source: None,
        });
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        outcome.held = failure.is_none().then_some((changes, drifts));
        outcome.refused = refused;
        failure.map_or(Ok(()), Err)
    }
}
