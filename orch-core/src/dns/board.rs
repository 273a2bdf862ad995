//! [`NameBoard`]: where name servers find the name table.

use std::sync::{PoisonError, RwLock};

use super::NameTable;

/// Where name servers find the name table. It is shared; reading it costs a few counters, however large the table is.
///
/// Until the first table is put there nothing is known, which is something else than that there is nothing: a name
/// server that is asked then fails rather than denies.
#[derive(Debug, Default)]
pub struct NameBoard {
    table: RwLock<Option<NameTable>>,
}

impl NameBoard {
    /// Every question asked from now on is answered by `table`.
    pub fn publish(&self, table: NameTable) {
        let old = self.table.write().unwrap_or_else(PoisonError::into_inner).replace(table);
        // Freed here and not under the lock: that can be much.
        drop(old);
    }

    /// The table that was published last, if one was.
    #[must_use]
    pub fn read(&self) -> Option<NameTable> {
        self.table.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
