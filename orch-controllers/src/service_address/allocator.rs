//! [`ServiceAllocator`]: writes services with addresses and node ports of their own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use orch_core::client::{Client, ClientError, Precondition};
use orch_core::clock::Clock;
use orch_core::entropy::Entropy;
use orch_core::key::{Key, KeyError, Prefix};
use orch_core::kind::{AnyObject, Object};
use orch_core::network::Cidr;
use orch_core::object::{IpAddress, Service, ServiceNodePort};
use orch_core::store::{Entry, StoreError, StoreExt as _, Transact, Value, Write};
use orch_core::validation::Invalid;

use super::assign::{Circumstances, Gain, Taken, assign, keep_given};
use super::config::ServiceAddressConfig;
use super::holding::with_parent;
use super::pool::Pool;
use crate::rest;

/// Writes services with addresses and node ports that no other service has: those that they ask for, or free ones.
///
/// # Where the truth is
/// Each address and each port is an object of its own, an [`IpAddress`] or a [`ServiceNodePort`], which names the service.
/// It is written in *one transaction* with the service. So there is never a service whose address is not taken, nor an
/// address that is taken by a service that was not written, wherever a crash falls; of two allocators that choose the
/// same address at once, one meets a conflict and chooses again.
///
/// A release depends on the allocation being as it was before it was found out that no service has it; see
/// [`ServiceAddressController`](super::ServiceAddressController). Every write that gives a service something writes the
/// allocation, too, so the two cannot both happen.
///
/// Services, [`IpAddress`] and [`ServiceNodePort`] must be in one shard; elsewhere writes are refused as
/// [`StoreError::SpansShards`]. To choose costs a listing of the three kinds. Services that were written past the
/// allocator count as well, whether they have allocations yet or not.
#[derive(Debug)]
pub struct ServiceAllocator {
    store: Arc<dyn Transact>,
    client: Client,
    entropy: Arc<dyn Entropy>,
    config: ServiceAddressConfig,
}

impl ServiceAllocator {
    /// An allocator that writes to `store`. Addresses are chosen by `entropy`.
    ///
    /// # Errors
    /// [`AllocatorConfigError`] when a range has no address to give, or there are two of one family.
    pub fn new(
        store: Arc<dyn Transact>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        config: ServiceAddressConfig,
    ) -> Result<Self, AllocatorConfigError> {
        let mut families = BTreeSet::new();
        for range in &config.ranges {
            if Pool::of_range(range).size() == 0 {
                return Err(AllocatorConfigError::TooSmall { range: *range });
            }
            if !families.insert(range.is_ipv4()) {
                return Err(AllocatorConfigError::TwoOfAFamily { range: *range });
            }
        }
        if config.node_ports.is_empty() {
            return Err(AllocatorConfigError::NoNodePorts);
        }
        let client = Client::new(Arc::clone(&store) as _, clock, Arc::clone(&entropy));
        Ok(Self { store, client, entropy, config })
    }

    /// Creates a service, with what it asks for and does not name.
    ///
    /// # Errors
    /// [`AllocateError`]; after one of unknown outcome the store tells what happened.
    pub async fn create(&self, service: Service) -> Result<Arc<Service>, AllocateError> {
        self.write(service, None).await
    }

    /// Replaces a service. It keeps what it was given, where the new state does not say otherwise, and gets what it asks for
    /// anew; an address once given does not change. What it no longer has is released by the controller, after its rest.
    ///
    /// # Errors
    /// [`AllocateError`]; after one of unknown outcome the store tells what happened.
    pub async fn update(&self, service: Service, on: &Precondition) -> Result<Arc<Service>, AllocateError> {
        self.write(service, Some(on)).await
    }

    /// `new` with what `old` was given, where `new` does not say otherwise: what [`update`](Self::update) would write
    /// if nothing else is asked for.
    pub fn keep_given(old: &Service, new: &mut Service) {
        keep_given(old, new);
    }

    async fn write(&self, service: Service, on: Option<&Precondition>) -> Result<Arc<Service>, AllocateError> {
        let key = Object::key(&service).map_err(ClientError::from)?;
        loop {
            let mut new = service.clone();
            let taken = self.taken().await?;
            let old = match on {
                Some(_) => self.store.get_as::<Service>(&key).await.map_err(ClientError::from)?,
                None => None,
            };
            let circumstances = Circumstances { config: &self.config, taken: &taken, entropy: &*self.entropy };
            let gains = assign(&key, &mut new, old.as_deref(), circumstances)?;
            let new = Arc::new(new);
            let mut written = Value::shared(Arc::clone(&new) as _);
            let write = match on {
                Some(on) => self.client.staged_update(new, on).await?,
                None => self.client.staged_create(new)?,
            };
            let mut writes = vec![write];
            // If it takes away the last finalizer the service goes, and nobody has anything.
            if let [Write::Put { value, .. }] = &writes[..] {
                written = value.clone();
                for gain in gains {
                    writes.push(self.allocation(&key, gain).await?);
                }
            }
            match self.client.commit(&*self.store, writes).await {
                Ok(revision) => {
                    let entry = Entry::new(key.clone(), revision, revision, written);
                    let corrupt = |source| ClientError::from(StoreError::Corrupt { key, source });
                    return Ok(entry.decode().map_err(corrupt)?);
                }
                // Somebody else was given it meanwhile, or it was released: choose again.
                Err(error) if conflicting(&error).is_some_and(|other| *other != key) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The write that says that the service has it.
    async fn allocation(&self, service: &Key, gain: Gain) -> Result<Write, AllocateError> {
        let Some(old) = gain.allocation else {
            return Ok(self.client.staged_create(gain.holding.allocation(service))?);
        };
        let mut new = with_parent(&*old, service);
        if let Some(unshared) = Arc::get_mut(&mut new) {
            rest::end(unshared.metadata_mut());
        }
        Ok(self.client.staged_update(new, &Precondition::of(&*old)?).await?)
    }

    async fn taken(&self) -> Result<Taken, ClientError> {
        let (services, _) = self.store.list_as::<Service>(&Prefix::collection(&Service::KIND)).await?;
        let (addresses, _) = self.store.list_as::<IpAddress>(&Prefix::collection(&IpAddress::KIND)).await?;
        let (ports, _) = self.store.list_as::<ServiceNodePort>(&Prefix::collection(&ServiceNodePort::KIND)).await?;
        let addresses = addresses.into_iter().map(|address| address as Arc<dyn AnyObject>);
        let ports = ports.into_iter().map(|port| port as Arc<dyn AnyObject>);
        Ok(Taken::new(addresses.chain(ports).collect(), &services))
    }
}

/// The object that was not as expected.
fn conflicting(error: &ClientError) -> Option<&Key> {
    match error {
        ClientError::AlreadyExists { key } | ClientError::NotFound { key } | ClientError::Conflict { key } => Some(key),
        _ => None,
    }
}

/// Why a service was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AllocateError {
    /// It asks for what it cannot have.
    #[error("{service}: {source}")]
    Refused {
        /// Which service.
        service: Key,
        /// Each field, and why.
        source: Invalid,
    },
    /// Nothing is left.
    #[error(
        "{service}: none of {what} is free: {given} are given, {resting} of them to services that are gone, and free \
         again {rest:?} after that; {remedy}"
    )]
    Exhausted {
        /// Which service.
        service: Key,
        /// Of what, and how many there are.
        what: String,
        /// How many are given.
        given: usize,
        /// How many of these rest.
        resting: usize,
        /// For how long.
        rest: Duration,
        /// What to do.
        remedy: &'static str,
    },
    /// A write, or what was read for it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An address that is no name.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl AllocateError {
    /// Whether reading again and deciding anew is the remedy.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Client(error) if error.is_conflict())
    }

    /// Whether the same request may succeed later without anything being changed by the caller: resting addresses become
    /// free.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Client(error) => error.is_transient(),
            Self::Exhausted { resting, .. } => *resting > 0,
            _ => false,
        }
    }
}

/// Why there is no such allocator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AllocatorConfigError {
    /// A range without an address to give.
    #[error(
        "{range} has no address for a service: its first, and of IPv4 its last, are no service's; choose a larger one"
    )]
    TooSmall {
        /// Which.
        range: Cidr,
    },
    /// A second range of a family.
    #[error("{range} is the second range of its family: give at most one of IPv4 and one of IPv6")]
    TwoOfAFamily {
        /// Which.
        range: Cidr,
    },
    /// No node port to give.
    #[error("the last node port is before the first one: give at least one, as in 30000 to 32767")]
    NoNodePorts,
}
