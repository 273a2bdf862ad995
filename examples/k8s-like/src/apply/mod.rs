//! Makes the store say what a manifest says.

mod merge;
mod plan;

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use orch_core::client::{Client, ClientError, Grace};
use orch_core::encoding::{EncodeError, Kinds};
use orch_core::key::{Key, Prefix};
use orch_core::kind::AnyObject;
use orch_core::store::{ListFrom, ListOptions, StoreError};

use plan::{Current, Desired, Step, plan};

/// Which manifest an object came from: when it is no longer in there, it is deleted.
const MANIFEST: &str = "k8s-like.orch.dev/manifest";
/// What the manifest said last, to tell its fields from those that others filled in.
const LAST_APPLIED: &str = "k8s-like.orch.dev/last-applied";

/// Makes the store say what a manifest says.
#[derive(Debug)]
pub(crate) struct Applier {
    pub(crate) client: Client,
    pub(crate) kinds: Kinds,
    /// Tells this manifest's objects from those of others.
    pub(crate) manifest: String,
    /// From which services get their addresses.
    pub(crate) service_addresses: Vec<Ipv4Addr>,
}

/// What was done to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Applied {
    key: Key,
    verb: &'static str,
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.verb)
    }
}

impl Applier {
    /// Writes what differs, and says what. After an error some of it may have been written; the next call goes on from
    /// there.
    pub(crate) async fn apply(&self, objects: &[Arc<dyn AnyObject>]) -> Result<Vec<Applied>, ApplyError> {
        let current = self.current().await?;
        let (kinds, manifest, service_addresses) = (&self.kinds, self.manifest.as_str(), &self.service_addresses[..]);
        let steps = plan(&Desired { kinds, manifest, objects, service_addresses }, &current)?;
        let mut applied = Vec::with_capacity(steps.len());
        for step in steps {
            applied.push(self.perform(step).await?);
        }
        Ok(applied)
    }

    async fn perform(&self, step: Step) -> Result<Applied, ClientError> {
        let (object, verb) = match step {
            Step::Create(object) => (self.client.create_any(object).await?, "created"),
            Step::Update { object, on } => (self.client.update_any(object, &on).await?, "changed"),
            Step::Delete(object) => {
                self.client.delete(&*object, Grace::Own).await?;
                (object, "deleted")
            }
        };
        Ok(Applied { key: object.key()?, verb })
    }

    /// All objects that a manifest could name.
    async fn current(&self) -> Result<Current, ApplyError> {
        let mut current = Current::new();
        for kind in self.kinds.iter() {
            let mut from = ListFrom::Latest;
            loop {
                let options = ListOptions { from, ..ListOptions::default() };
                let page = self.client.store().list(&Prefix::collection(kind), options).await?;
                for entry in page.entries {
                    let unreadable = |source| StoreError::Corrupt { key: entry.key.clone(), source };
                    let text = entry.value.encode().map_err(StoreError::from)?;
                    let mut object = self.kinds.decode(kind.collection, &text).map_err(unreadable)?;
                    let unshared = Arc::get_mut(&mut object).expect("an object just decoded is shared with nobody");
                    unshared.metadata_mut().revision = Some(entry.revision);
                    current.insert(entry.key.clone(), object);
                }
                match page.next {
                    Some(next) => from = ListFrom::Continue(next),
                    None => break,
                }
            }
        }
        Ok(current)
    }
}

/// Why a manifest could not be applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ApplyError {
    /// An object in a namespace that nobody made, or that the manifest no longer names.
    #[error(
        "{key}: namespace {:?} is not there; add it to the manifest",
        key.namespace().unwrap_or_default()
    )]
    NoNamespace { key: Key },
    /// An object of that name is on its way out.
    #[error("{key} is still being deleted; it is made anew when that is done")]
    StillDeleting { key: Key },
    /// Too many services.
    #[error("no address is left for another service: delete some, or give some `clusterIP: None`")]
    NoAddressLeft,
    /// A change of what cannot be changed so.
    #[error("{key} cannot become what the manifest says: {message}")]
    Merge { key: Key, message: String },
    /// An object that cannot be written.
    #[error("{key}: {error}")]
    Encode { key: Key, error: EncodeError },
    /// A write, or what was read for it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A list.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ApplyError {
    /// Whether trying again a little later may help without the manifest being changed.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::StillDeleting { .. } => true,
            Self::Client(error) => error.is_transient() || error.is_conflict(),
            Self::Store(error) => error.is_transient(),
            _ => false,
        }
    }
}
