//! Addresses and node ports of services: [`ServiceAllocator`] gives them, [`ServiceAddressController`] keeps the account.

mod allocator;
mod assign;
mod config;
mod holding;
mod plan;
mod pool;

use std::sync::Arc;

use async_trait::async_trait;
use orch_core::client::ClientError;
use orch_core::controller::{Change, Context, Controller, ControllerError, Plan, Trigger, View, ViewExt as _};
use orch_core::key::Key;
use orch_core::kind::{AnyObject, Object};
use orch_core::object::{IpAddress, Service, ServiceNodePort};
use orch_core::store::{Store, StoreExt as _};

pub use self::allocator::{AllocateError, AllocatorConfigError, ServiceAllocator};
pub use self::config::ServiceAddressConfig;
pub use self::holding::Holding;
use self::holding::held_by;
use self::plan::{Held, User};
use crate::reverse_index::ReverseIndex;

/// Keeps the account of which service has which address and node port, whatever was written past the allocator.
///
/// - A service whose address nobody has on record, because it is older than the record or was written past the
///   [`ServiceAllocator`], gets it put there.
/// - An address that no service has any more rests for [`rest`](ServiceAddressConfig::rest) and is then released. Since
///   when it rests stands in an annotation of the allocation, so a restart makes no difference.
/// - Of two services with one address the older keeps it. The other is not changed, and gets an Event that says so;
///   and so does one whose address is none that services are given.
///
/// Kubernetes' repair loops do the same, with the same reasons in their Events. They look at everything every few minutes;
/// this one looks at what changed.
///
/// # Why it takes nothing from a service
/// Before it releases an address, or writes it down for another service, it asks the store whether the service that has it
/// on record really has not; the view may lag. And what it then does depends on the record being as it was before it
/// asked. See [`ServiceAllocator`].
#[derive(Debug)]
pub struct ServiceAddressController {
    store: Arc<dyn Store>,
    config: ServiceAddressConfig,
    services: Arc<ReverseIndex<Holding>>,
}

impl ServiceAddressController {
    /// A controller that asks `store` whether a service really has not what is on record as its. `config` is the
    /// allocator's.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, config: ServiceAddressConfig) -> Self {
        Self { store, config, services: Arc::new(ReverseIndex::new(held_by)) }
    }

    /// The services that have it, as the view shows them.
    fn holders(&self, holding: Holding, view: &dyn View) -> Vec<Arc<Service>> {
        let keys = self.services.keys(&holding);
        let services = keys.iter().filter_map(|key| view.get::<Service>(key));
        services.filter(|service| plan::has(Some(service), holding)).collect()
    }

    fn look_at_service(&self, key: &Key, view: &dyn View) -> Result<Plan, ControllerError> {
        let Some(service) = view.get::<Service>(key) else { return Ok(Plan::nothing()) };
        let mut held = Vec::new();
        for holding in held_by(&*service) {
            let mut others = self.holders(holding, view);
            others.retain(|other| other.metadata.uid != service.metadata.uid);
            held.push(Held { holding, allocation: view.get_any(&holding.key()?), others });
        }
        Ok(plan::of_service(&service, &held, &self.config)?)
    }

    async fn look_at_allocation(
        &self,
        key: &Key,
        holding: Holding,
        context: Context<'_>,
    ) -> Result<Plan, ControllerError> {
        let Some(allocation) = context.view.get_any(key) else { return Ok(Plan::nothing()) };
        // What belongs to something else than a service is none of ours.
        let Some(parent) = holding::parent(&*allocation) else { return Ok(Plan::nothing()) };
        let holders = self.holders(holding, context.view);
        let is_parent =
            |service: &Arc<Service>| Object::key(&**service).is_ok_and(|key| plan::names(&*allocation, &key));
        let user = if holders.iter().any(is_parent) || self.has(&parent, holding).await? {
            User::Parent
        } else if holders.is_empty() {
            User::Nobody
        } else {
            User::Others(holders)
        };
        Ok(plan::of_allocation(&allocation, &user, &self.config, context.now)?)
    }

    /// Whether the service at `key` has it, as the store says.
    async fn has(&self, key: &Key, holding: Holding) -> Result<bool, ControllerError> {
        let service = self.store.get_as::<Service>(key).await.map_err(ClientError::from)?;
        Ok(plan::has(service.as_deref(), holding))
    }
}

#[async_trait]
impl Controller for ServiceAddressController {
    fn name(&self) -> &'static str {
        "service-address"
    }

    fn triggers(&self) -> Vec<Trigger> {
        let services = Arc::clone(&self.services);
        // A service concerns what it has, and through that the others that have the same.
        let of_service = move |service: &Service, _: &dyn View| {
            let held = held_by(service);
            let others = held.iter().flat_map(|holding| services.keys(holding));
            let keys = held.iter().filter_map(|holding| holding.key().ok()).chain(others);
            keys.chain(Object::key(service)).collect()
        };
        let (of_address, of_port) = (Arc::clone(&self.services), Arc::clone(&self.services));
        vec![
            Trigger::to::<Service>(of_service),
            Trigger::to::<IpAddress>(move |address, _| concerned(address, &of_address)),
            Trigger::to::<ServiceNodePort>(move |port, _| concerned(port, &of_port)),
        ]
    }

    fn observe(&self, change: &Change) {
        self.services.observe(change);
    }

    async fn reconcile(&self, key: &Key, context: Context<'_>) -> Result<Plan, ControllerError> {
        match Holding::at(key) {
            Some(holding) => self.look_at_allocation(key, holding, context).await,
            None => self.look_at_service(key, context.view),
        }
    }
}

/// What a changed allocation concerns: itself, and the services that have what it stands for.
fn concerned(allocation: &dyn AnyObject, services: &ReverseIndex<Holding>) -> Vec<Key> {
    let Ok(key) = allocation.key() else { return Vec::new() };
    let mut keys = Holding::at(&key).map_or_else(Vec::new, |holding| services.keys(&holding));
    keys.push(key);
    keys
}
