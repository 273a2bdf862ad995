//! The choice of the store: where the objects of the cluster live.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use orch_core::store::Store;
use orch_store::embedded::{EmbeddedStoreConfig, EmbeddedStoreError};
use orch_store::{EmbeddedStore, MemoryStore};

/// Where the objects of the cluster live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoreChoice {
    /// In this process, and gone with it.
    Memory,
    /// In files in the state folder.
    Embedded,
}

impl StoreChoice {
    /// Opens the store; if it is in files, they are in the state folder.
    pub(crate) async fn open(&self, state_dir: &Path) -> Result<Arc<dyn Store>, StoreOpenError> {
        Ok(match self {
            Self::Memory => Arc::new(MemoryStore::default()),
            Self::Embedded => Arc::new(EmbeddedStore::open(EmbeddedStoreConfig::new(state_dir.join("store"))).await?),
        })
    }

    /// Whether the objects are still there when this program is started again.
    pub(crate) fn is_durable(&self) -> bool {
        *self != Self::Memory
    }

    /// Whether its files are in the state folder.
    pub(crate) fn is_in_state_dir(&self) -> bool {
        *self == Self::Embedded
    }

    /// Whether a program with another state folder can open it too.
    pub(crate) fn is_shared(&self) -> bool {
        false
    }
}

impl fmt::Display for StoreChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Embedded => f.write_str("embedded"),
        }
    }
}

impl FromStr for StoreChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "memory" => Ok(Self::Memory),
            "embedded" => Ok(Self::Embedded),
            _ => Err("choose `memory` or `embedded`".to_owned()),
        }
    }
}

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StoreOpenError {
    /// The embedded store's own.
    #[error(transparent)]
    Embedded(#[from] EmbeddedStoreError),
}
