//! Makes the store say what a manifest says.

mod merge;
mod plan;

use std::fmt;
use std::sync::Arc;

use orch_controllers::service_address::{AllocateError, ServiceAllocator};
use orch_core::client::{Client, ClientError, Grace};
use orch_core::encoding::{EncodeError, Kinds};
use orch_core::key::{Key, Prefix};
use orch_core::kind::AnyObject;
use orch_core::object::Service;
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
    /// Writes services, with addresses and node ports.
    pub(crate) allocator: Arc<ServiceAllocator>,
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
        let (kinds, manifest) = (&self.kinds, self.manifest.as_str());
        let steps = plan(&Desired { kinds, manifest, objects }, &current)?;
        let mut applied = Vec::with_capacity(steps.len());
        for step in steps {
            applied.push(self.perform(step).await?);
        }
        Ok(applied)
    }

    async fn perform(&self, step: Step) -> Result<Applied, ApplyError> {
        let (object, verb) = match step {
            Step::Create(object) => match object.downcast_ref::<Service>() {
                Some(service) => (self.allocator.create(service.clone()).await? as Arc<dyn AnyObject>, "created"),
                None => (self.client.create_any(object).await?, "created"),
            },
            Step::Update { object, on } => match object.downcast_ref::<Service>() {
                Some(service) => (self.allocator.update(service.clone(), &on).await? as Arc<dyn AnyObject>, "changed"),
                None => (self.client.update_any(object, &on).await?, "changed"),
            },
            Step::Delete(object) => {
                self.client.delete(&*object, Grace::Own).await?;
                (object, "deleted")
            }
        };
        Ok(Applied { key: object.key().map_err(ClientError::from)?, verb })
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
    /// A service that cannot have what it asks for.
    #[error(transparent)]
    Allocate(#[from] AllocateError),
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
            Self::Allocate(error) => error.is_transient() || error.is_conflict(),
            Self::Store(error) => error.is_transient(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use orch_controllers::service_address::ServiceAddressConfig;
    use orch_core::clock::SystemClock;
    use orch_core::entropy::SeededEntropy;
    use orch_core::store::StoreExt as _;
    use orch_store::MemoryStore;

    use super::*;

    fn applier() -> Applier {
        let (store, clock, entropy) =
            (Arc::new(MemoryStore::default()), Arc::new(SystemClock), Arc::new(SeededEntropy::new(1)));
        let ranges = vec!["127.9.0.0/29".parse().expect("a range")];
        let config = ServiceAddressConfig { ranges, ..ServiceAddressConfig::default() };
        let client = Client::new(store.clone(), clock.clone(), entropy.clone());
        let allocator = ServiceAllocator::new(store, clock, entropy, config).expect("an allocator");
        let kinds = Kinds::builtin().in_namespace("shop");
        Applier { client, kinds, manifest: "web".to_owned(), allocator: Arc::new(allocator) }
    }

    async fn apply(applier: &Applier, services: &[(&str, &str)]) -> Result<Vec<Applied>, ApplyError> {
        let mut text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n".to_owned();
        for (name, spec) in services {
            text += &format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n---\n");
        }
        let objects = applier.kinds.read(&text).expect("a valid manifest");
        applier.apply(&objects.into_iter().map(|item| item.object).collect::<Vec<_>>()).await
    }

    async fn service(applier: &Applier, name: &str) -> Arc<Service> {
        let key: Key = format!("services/shop/{name}").parse().expect("a key");
        applier.client.store().get_as(&key).await.expect("read").expect("a service")
    }

    const PORTS: &str = "ports: [{port: 80}]";

    #[tokio::test]
    async fn services_keep_what_they_were_given_and_never_share_it() {
        let applier = applier();
        let node_port = format!("type: NodePort, {PORTS}");
        let asks = format!("clusterIP: 127.9.0.3, {PORTS}");
        apply(&applier, &[("b", PORTS), ("c", &node_port)]).await.expect("applied");
        let (b, c) = (service(&applier, "b").await, service(&applier, "c").await);
        assert!(c.spec.ports[0].node_port.is_some());
        let all = [("a", PORTS), ("b", PORTS), ("c", node_port.as_str())];
        assert_eq!(apply(&applier, &all).await.expect("applied").len(), 1);
        assert!(apply(&applier, &all).await.expect("applied").is_empty(), "nothing is left to do");
        assert_eq!((service(&applier, "b").await, service(&applier, "c").await), (b, c));
        let error = apply(&applier, &[("d", &asks), ("e", &asks)]).await.expect_err("one address for two");
        assert!(error.to_string().contains("spec.clusterIP: 127.9.0.3 belongs to services/shop/"), "{error}");
    }

    #[tokio::test]
    async fn what_a_service_asks_for_is_given_to_no_other_of_its_manifest() {
        for place in 1..=6 {
            let asks = format!("clusterIP: 127.9.0.{place}, {PORTS}");
            let names = ["a", "b", "c", "d", "e"];
            let services: Vec<_> = names.iter().map(|name| (*name, PORTS)).chain([("last", asks.as_str())]).collect();
            apply(&applier(), &services).await.expect("six services and six addresses");
        }
    }

    #[tokio::test]
    async fn a_service_too_many_is_refused_with_how_many_there_are() {
        let applier = applier();
        let services = ["a", "b", "c", "d", "e", "f", "g"].map(|name| (name, PORTS));
        let error = apply(&applier, &services).await.expect_err("six addresses for seven services");
        assert!(error.to_string().contains("none of the 6 addresses of 127.9.0.0/29 is free"), "{error}");
    }
}
