//! [`Charter`]: what all processes of a cluster on several hosts agree on.

use orch_core::client::{Client, ClientError, Precondition};
use orch_core::key::{Key, KeyError};
use orch_core::kind::Object as _;
use orch_core::network::Cidr;
use orch_core::object::{Lease, ObjectMeta};
use orch_core::store::{StoreError, StoreExt as _};

use crate::tenancy::{MANY_HOSTS, NAME, NAMESPACE, PLACE};

/// What all processes of a cluster on several hosts agree on. The control plane that leads writes it, nodes read it.
///
/// It stands in the lease by which a cluster in one process is tied to its state folder: so a store has a cluster of the one
/// form or of the other, and never both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charter {
    /// The addresses of services.
    pub(crate) services: Cidr,
    /// The addresses of pods.
    pub(crate) pods: Cidr,
}

const SERVICES: &str = "k8s-like.orch.dev/service-cidr";
const PODS: &str = "k8s-like.orch.dev/pod-cidr";

impl Charter {
    /// What the cluster agrees on, if any control plane has written it yet.
    pub(crate) async fn read(client: &Client) -> Result<Option<Self>, CharterError> {
        match client.store().get_as::<Lease>(&key()?).await? {
            Some(lease) => of(&lease),
            None => Ok(None),
        }
    }

    /// Writes it, in place of what was agreed on before.
    pub(crate) async fn write(self, client: &Client) -> Result<(), CharterError> {
        let key = key()?;
        loop {
            let before = client.store().get_as::<Lease>(&key).await?;
            if let Some(lease) = &before
                && of(lease)? == Some(self)
            {
                return Ok(());
            }
            let metadata =
                ObjectMeta { name: NAME.to_owned(), namespace: Some(NAMESPACE.to_owned()), ..ObjectMeta::default() };
            let mut lease = before.as_deref().cloned().unwrap_or_else(|| Lease { metadata, ..Lease::default() });
            lease.spec.holder_identity = Some(MANY_HOSTS.to_owned());
            lease.spec.acquire_time = Some(client.clock().now().into());
            for (name, value) in [(SERVICES, self.services), (PODS, self.pods)] {
                lease.metadata.annotations.insert(name.to_owned(), value.to_string());
            }
            let written = match before {
                None => client.create(lease).await,
                Some(before) => client.update(lease, Precondition::of(&*before)?).await,
            };
            match written {
                // Another one was faster; the next look tells what it wrote.
                Err(error) if error.is_conflict() => {}
                result => return Ok(result.map(drop)?),
            }
        }
    }
}

fn key() -> Result<Key, CharterError> {
    Ok(Key::new(&Lease::KIND, Some(NAMESPACE), NAME)?)
}

fn of(lease: &Lease) -> Result<Option<Charter>, CharterError> {
    match lease.spec.holder_identity.as_deref() {
        None => Ok(None),
        Some(MANY_HOSTS) => {
            let range = |name: &str| lease.metadata.annotations.get(name)?.parse::<Cidr>().ok();
            let (Some(services), Some(pods)) = (range(SERVICES), range(PODS)) else { return Ok(None) };
            Ok(Some(Charter { services, pods }))
        }
        Some(_) => {
            let place = lease.metadata.annotations.get(PLACE).cloned().unwrap_or_else(|| "a state folder".to_owned());
            Err(CharterError::OneProcess { place })
        }
    }
}

/// Why nothing can be agreed on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CharterError {
    /// The store has a cluster in one process.
    #[error(
        "the cluster in this store is in one process, `k8s-like up` from {place}: stop it with Ctrl-C first, or choose \
         another prefix; if that folder is lost and nothing of it runs any more, delete the key \
         leases.coordination.k8s.io/{NAMESPACE}/{NAME} from the store"
    )]
    OneProcess { place: String },
    /// The services of a cluster cannot move.
    #[error(
        "the services of this cluster have addresses of {now}: leave --service-cidr out, or choose another prefix of the store"
    )]
    OtherServices { now: Cidr },
    /// The lease.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The lease.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The name of the lease.
    #[error(transparent)]
    Name(#[from] KeyError),
}

impl CharterError {
    /// Whether trying again a little later may help.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Client(error) => error.is_transient(),
            Self::Store(error) => error.is_transient(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use orch_core::store::Transact;
    use orch_store::MemoryStore;

    use super::*;
    use crate::store::client_of;

    fn charter(services: &str) -> Charter {
        let range = |text: &str| text.parse().expect("a range");
        Charter { services: range(services), pods: range("10.244.0.0/16") }
    }

    #[tokio::test]
    async fn what_is_agreed_on_is_read_by_everybody_and_not_beside_a_cluster_in_one_process() {
        let client = client_of(&(Arc::new(MemoryStore::default()) as Arc<dyn Transact>));
        assert_eq!(Charter::read(&client).await.expect("read"), None);
        for agreed in [charter("10.96.0.0/16"), charter("10.96.0.0/16"), charter("127.96.0.0/16")] {
            agreed.write(&client).await.expect("written");
            assert_eq!(Charter::read(&client).await.expect("read"), Some(agreed));
        }
        let lease = client.store().get_as::<Lease>(&key().expect("a key")).await.expect("read").expect("a lease");
        let mut other = Lease::clone(&lease);
        other.spec.holder_identity = Some("a folder".to_owned());
        client.update(other, Precondition::of(&*lease).expect("as read")).await.expect("written");
        let error = charter("10.96.0.0/16").write(&client).await.expect_err("another's").to_string();
        assert!(error.contains("k8s-like up") && error.contains("prefix"), "{error}");
    }
}
