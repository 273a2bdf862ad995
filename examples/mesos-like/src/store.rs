//! The choice of the store: where a leader is agreed on, and what outlives it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use orch_core::store::{Claim, Transact};
use orch_store::embedded::{EmbeddedStoreConfig, EmbeddedStoreError};
use orch_store::etcd::{EtcdConfig, EtcdConfigError};
use orch_store::{EmbeddedStore, EtcdStore, MemoryStore};

/// What masters, and schedulers of frameworks, need of a store: to write several records at once, as long as a claim holds.
pub trait SharedStore: Transact + Claim {}

impl<T: Transact + Claim> SharedStore for T {}

/// Where a leader is agreed on, and what outlives it.
#[derive(Clone, Debug)]
pub enum StoreChoice {
    /// In this process, and gone with it.
    Memory,
    /// In files in a folder, for one process.
    Embedded(PathBuf),
    /// In an etcd cluster, for several processes.
    Etcd {
        /// As it was given.
        url: String,
        /// What it means.
        config: Box<EtcdConfig>,
    },
}

impl StoreChoice {
    /// Opens the store.
    ///
    /// # Errors
    /// [`StoreOpenError`]
    pub async fn open(&self) -> Result<Arc<dyn SharedStore>, StoreOpenError> {
        Ok(match self {
            Self::Memory => Arc::new(MemoryStore::default()),
            Self::Embedded(folder) => Arc::new(EmbeddedStore::open(EmbeddedStoreConfig::new(folder)).await?),
            Self::Etcd { config, .. } => Arc::new(EtcdStore::new(EtcdConfig::clone(config))?),
        })
    }

    /// Whether other processes can open it too.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Etcd { .. })
    }
}

/// As it is given on the command line.
impl fmt::Display for StoreChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Embedded(folder) => write!(f, "embedded:{}", folder.display()),
            Self::Etcd { url, .. } => f.write_str(url),
        }
    }
}

impl FromStr for StoreChoice {
    type Err = StoreChoiceError;

    fn from_str(text: &str) -> Result<Self, StoreChoiceError> {
        if text == "memory" {
            return Ok(Self::Memory);
        }
        if let Some(folder) = text.strip_prefix("embedded:").filter(|folder| !folder.is_empty()) {
            return Ok(Self::Embedded(PathBuf::from(folder)));
        }
        if !(text.starts_with("etcd://") || text.starts_with("etcds://")) {
            return Err(StoreChoiceError::Unknown);
        }
        if has_password(text) {
            return Err(StoreChoiceError::Password);
        }
        let config = EtcdConfig::from_url(text).map_err(|error| StoreChoiceError::Etcd { error })?;
        Ok(Self::Etcd { url: text.to_owned(), config: Box::new(config) })
    }
}

/// Whether a password stands in the URL itself.
fn has_password(url: &str) -> bool {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or_default());
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

/// Why text is no choice of a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreChoiceError {
    /// It is none of those that there are.
    #[error("choose memory, embedded:FOLDER, or etcd://HOST:PORT[,HOST:PORT…][/PREFIX]")]
    Unknown,
    /// A secret that everybody on the machine can read.
    #[error("everybody can see a password on the command line: write etcd://USER@HOST…?password-file=FILE")]
    Password,
    /// The URL of an etcd cluster.
    #[error("{error}")]
    Etcd {
        /// What is wrong with it.
        error: EtcdConfigError,
    },
}

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreOpenError {
    /// The embedded store's own.
    #[error(transparent)]
    Embedded(#[from] EmbeddedStoreError),
    /// The configuration of an etcd cluster.
    #[error(transparent)]
    Etcd(#[from] EtcdConfigError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_store_is_chosen_by_its_name_and_shown_by_it() {
        for (text, shared) in [("memory", false), ("embedded:/var/lib/mesos", false), ("etcd://a,b:22/mesos", true)] {
            let choice: StoreChoice = text.parse().expect(text);
            assert_eq!((choice.to_string(), choice.is_shared()), (text.to_owned(), shared));
        }
    }

    #[test]
    fn what_is_no_choice_says_what_is_wrong() {
        for (text, said) in [
            ("", "choose memory"),
            ("embedded:", "embedded:FOLDER"),
            ("zk://127.0.0.1:2181/mesos", "etcd://HOST"),
            ("etcd://root:secret@a", "password-file=FILE"),
            ("etcd://a?colour=red", "colour"),
        ] {
            let error = text.parse::<StoreChoice>().expect_err(text).to_string();
            assert!(error.contains(said) && !error.contains("secret"), "{text}: {error}");
        }
    }
}
