//! The choice of the store: where the objects of the cluster live.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use orch_core::client::Client;
use orch_core::clock::SystemClock;
use orch_core::entropy::SeededEntropy;
use orch_core::store::Transact;
use orch_store::embedded::{EmbeddedStoreConfig, EmbeddedStoreError};
use orch_store::etcd::{EtcdConfig, EtcdConfigError};
use orch_store::{EmbeddedStore, EtcdStore, MemoryStore};

use crate::causes::with_causes;

/// Where the objects of the cluster live.
#[derive(Clone, Debug)]
pub(crate) enum StoreChoice {
    /// In this process, and gone with it.
    Memory,
    /// In this process, and made again by the next one, of the same folder: static pods.
    StaticPods,
    /// In files in the state folder.
    Embedded,
    /// In an etcd cluster.
    Etcd {
        /// As it was given.
        url: String,
        config: Box<EtcdConfig>,
    },
}

impl StoreChoice {
    /// Opens the store; if it is in files, they are in the state folder.
    pub(crate) async fn open(&self, state_dir: &Path) -> Result<Arc<dyn Transact>, StoreOpenError> {
        Ok(match self {
            Self::Memory | Self::StaticPods => Arc::new(MemoryStore::default()),
            Self::Embedded => Arc::new(EmbeddedStore::open(EmbeddedStoreConfig::new(state_dir.join("store"))).await?),
            Self::Etcd { config, .. } => Arc::new(EtcdStore::new(EtcdConfig::clone(config))?),
        })
    }

    /// Whether the objects are there again when this program is started again.
    pub(crate) fn is_durable(&self) -> bool {
        !matches!(self, Self::Memory)
    }

    /// Whether its files are in the state folder.
    pub(crate) fn is_in_state_dir(&self) -> bool {
        matches!(self, Self::Embedded)
    }

    /// Whether a program with another state folder can open it too.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Etcd { .. })
    }
}

/// By which a store is read and written.
pub(crate) fn client_of(store: &Arc<dyn Transact>) -> Client {
    Client::new(Arc::clone(store) as _, Arc::new(SystemClock), Arc::new(SeededEntropy::from_os()))
}

/// As it is given on the command line, where it is.
impl fmt::Display for StoreChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::StaticPods => "a folder of static pods",
            Self::Embedded => "embedded",
            Self::Etcd { url, .. } => url,
        })
    }
}

impl FromStr for StoreChoice {
    type Err = StoreChoiceError;

    fn from_str(text: &str) -> Result<Self, StoreChoiceError> {
        match text {
            "memory" => Ok(Self::Memory),
            "embedded" => Ok(Self::Embedded),
            _ if !(text.starts_with("etcd://") || text.starts_with("etcds://")) => Err(StoreChoiceError::Unknown),
            _ if has_password(text) => Err(StoreChoiceError::Password),
            url => match EtcdConfig::from_url(url) {
                Ok(config) => Ok(Self::Etcd { url: url.to_owned(), config: Box::new(config) }),
                Err(error) => Err(StoreChoiceError::Etcd { error }),
            },
        }
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
pub(crate) enum StoreChoiceError {
    /// It is none of those that there are.
    #[error("choose memory, embedded, or etcd://HOST:PORT[,HOST:PORT…][/PREFIX]")]
    Unknown,
    /// A secret that everybody on the machine can read.
    #[error("everybody can see a password on the command line: write etcd://USER@HOST…?password-file=FILE")]
    Password,
    /// The URL of an etcd cluster.
    #[error("{}", with_causes(error))]
    Etcd { error: EtcdConfigError },
}

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StoreOpenError {
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
        for (text, durable, in_state_dir, shared) in [
            ("memory", false, false, false),
            ("embedded", true, true, false),
            ("etcd://a,b:22/shop", true, false, true),
            ("etcd://127.0.0.1:2379", true, false, true),
        ] {
            let choice: StoreChoice = text.parse().expect(text);
            assert_eq!(choice.to_string(), text);
            let found = (choice.is_durable(), choice.is_in_state_dir(), choice.is_shared());
            assert_eq!(found, (durable, in_state_dir, shared), "{text}");
        }
    }

    #[test]
    fn what_is_no_choice_says_what_is_wrong() {
        for (text, said) in [
            ("", "choose memory, embedded, or etcd://"),
            ("Memory", "choose memory"),
            ("http://127.0.0.1:2379", "choose memory"),
            ("etcd://root:secret@a", "password-file=FILE"),
            ("etcd://root@a", "password"),
            ("etcd://a?colour=red", "colour"),
            ("etcds://a", "ca=FILE"),
            ("etcds://a?ca=/no/such/file", "/no/such/file: No such file"),
        ] {
            let error = text.parse::<StoreChoice>().expect_err(text).to_string();
            assert!(error.contains(said) && !error.contains("secret"), "{text}: {error}");
        }
    }
}
