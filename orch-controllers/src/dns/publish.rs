//! [`PublishNames`]: puts the table where name servers read it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use orch_core::controller::{ControllerError, Effect};
use orch_core::dns::NameBoard;

use super::index::NameIndex;

/// Puts the table where name servers read it, as it is when this is performed: an effect that comes late never brings
/// an old table back.
pub(super) struct PublishNames {
    pub(super) board: Arc<NameBoard>,
    pub(super) index: Arc<Mutex<NameIndex>>,
    pub(super) published: Arc<Mutex<Option<u64>>>,
}

impl fmt::Debug for PublishNames {
    /// In one line of a log: the table may be large.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changes = self.index.lock().unwrap_or_else(PoisonError::into_inner).table().changes();
        f.debug_struct("PublishNames").field("changes", &changes).finish_non_exhaustive()
    }
}

#[async_trait]
impl Effect for PublishNames {
    async fn perform(&self) -> Result<(), ControllerError> {
        let table = self.index.lock().unwrap_or_else(PoisonError::into_inner).table().clone();
        let changes = table.changes();
        self.board.publish(table);
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = Some(changes);
        Ok(())
    }
}
