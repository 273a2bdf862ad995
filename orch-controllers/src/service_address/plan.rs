//! What to do about a service, and about what says which service has something.

use std::sync::Arc;

use orch_core::client::{ClientError, Grace, Precondition};
use orch_core::clock::Timestamp;
use orch_core::controller::{Action, EventType, Plan, Report};
use orch_core::key::Key;
use orch_core::kind::AnyObject;
use orch_core::object::Service;

use super::config::ServiceAddressConfig;
use super::holding::{Holding, addresses, held_by, parent, with_parent};
use crate::rest;

/// Something that a service has, as the view shows it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) holding: Holding,
    /// What says who has it.
    pub(super) allocation: Option<Arc<dyn AnyObject>>,
    /// The other services that have it as well.
    pub(super) others: Vec<Arc<Service>>,
}

/// Makes the allocations that are missing, and tells people what is wrong with what the service has. Nothing of the
/// service is changed: whoever uses its address would be led astray.
pub(super) fn of_service(service: &Service, held: &[Held], config: &ServiceAddressConfig) -> Result<Plan, ClientError> {
    let mut plan = Plan::nothing();
    let tell = |plan: &mut Plan, reason, message: String| -> Result<(), ClientError> {
        plan.then(Action::Report(Report::about(service, EventType::Warning, reason, message)?));
        Ok(())
    };
    for (field, text) in addresses(&service.spec) {
        if text.parse::<std::net::IpAddr>().is_err() {
            let message = format!("{field}: {text:?} is no address; delete the service and create it anew");
            tell(&mut plan, "ClusterIPNotValid", message)?;
        }
    }
    for Held { holding, allocation, others } in held {
        let words = Words::of(*holding);
        if !config.may_give(*holding) {
            let message =
                format!("{holding} is none of those that services are given; delete the service and create it anew");
            tell(&mut plan, words.out_of_range, message)?;
            continue;
        }
        let older = others.iter().filter(|other| is_older(other, service)).min_by_key(|other| age(other));
        if let Some(older) = older {
            let who = AnyObject::key(&**older)?;
            let message = format!(
                "{holding} belongs to {who}, which is older and keeps it; delete this service and create it anew"
            );
            tell(&mut plan, words.already_allocated, message)?;
        } else if allocation.is_none() {
            plan.then(Action::Create(holding.allocation(&AnyObject::key(service)?)));
        }
    }
    Ok(plan)
}

/// What the reports about a holding are called; Kubernetes' words.
struct Words {
    out_of_range: &'static str,
    already_allocated: &'static str,
}

impl Words {
    fn of(holding: Holding) -> Self {
        match holding {
            Holding::Address(_) => {
                Self { out_of_range: "ClusterIPOutOfRange", already_allocated: "ClusterIPAlreadyAllocated" }
            }
            Holding::NodePort(_) => Self { out_of_range: "PortOutOfRange", already_allocated: "PortAlreadyAllocated" },
        }
    }
}

fn is_older(one: &Service, other: &Service) -> bool {
    age(one) < age(other)
}

/// Orders services by when they were created, and those of one second by name.
fn age(service: &Service) -> (Option<orch_core::object::Time>, Option<Key>) {
    (service.metadata.creation_timestamp, AnyObject::key(service).ok())
}

/// Who has what an allocation stands for.
#[derive(Clone, Debug)]
pub(super) enum User {
    /// The service that it names.
    Parent,
    /// Not that one, says the store, but these, says the view.
    Others(Vec<Arc<Service>>),
    /// Not the service that it names, says the store, and nobody else, says the view.
    Nobody,
}

/// Keeps an allocation to whoever has what it stands for, and releases it when nobody has had it for long.
///
/// A release happens to the allocation as it is in `allocation`, which was read before it was found out who has it. Who is
/// given it after that has written the allocation, and the release does not happen.
pub(super) fn of_allocation(
    allocation: &Arc<dyn AnyObject>,
    user: &User,
    config: &ServiceAddressConfig,
    now: Timestamp,
) -> Result<Plan, ClientError> {
    let mut plan = Plan::nothing();
    let update = |mut new: Arc<dyn AnyObject>, change: fn(&mut orch_core::object::ObjectMeta, Timestamp)| {
        if let Some(unshared) = Arc::get_mut(&mut new) {
            change(unshared.metadata_mut(), now);
        }
        Ok::<_, ClientError>(Action::Update { on: Precondition::of(&**allocation)?, object: new })
    };
    match user {
        User::Parent if rest::is_unused(allocation.metadata()) => {
            plan.then(update(allocation.clone_arc(), |metadata, _| rest::end(metadata))?);
        }
        User::Parent => {}
        User::Others(services) => {
            let oldest = services.iter().min_by_key(|service| age(service));
            if let Some(oldest) = oldest {
                let new = with_parent(&**allocation, &AnyObject::key(&**oldest)?);
                plan.then(update(new, |metadata, _| rest::end(metadata))?);
            }
        }
        User::Nobody => match rest::left(allocation.metadata(), config.rest, now) {
            None => {
                plan.then(update(allocation.clone_arc(), rest::begin)?);
                plan.revisit(config.rest);
            }
            Some(left) if left.is_zero() => {
                plan.then(Action::Delete { object: Arc::clone(allocation), grace: Grace::Own });
            }
            Some(left) => plan.revisit(left),
        },
    }
    Ok(plan)
}

/// Whether the service that an allocation names has what it stands for.
pub(super) fn has(service: Option<&Service>, holding: Holding) -> bool {
    service.is_some_and(|service| held_by(service).contains(&holding))
}

/// Whether an allocation names this service.
pub(super) fn names(allocation: &dyn AnyObject, service: &Key) -> bool {
    parent(allocation).as_ref() == Some(service)
}
