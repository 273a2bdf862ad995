//! Decides what a service gets.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::entropy::Entropy;
use orch_core::key::Key;
use orch_core::kind::AnyObject;
use orch_core::object::{Service, ServicePort, ServiceType};
use orch_core::validation::Problems;

use super::allocator::AllocateError;
use super::config::ServiceAddressConfig;
use super::holding::{Holding, addresses, held_by, holdings, parent};
use super::pool::Pool;
use crate::rest;

/// Who has what, as the store says: by allocations, and by services, which may have come from elsewhere.
#[derive(Debug, Default)]
pub(super) struct Taken(BTreeMap<Holding, Taker>);

#[derive(Debug, Default)]
struct Taker {
    /// `None` if it is no service.
    service: Option<Key>,
    allocation: Option<Arc<dyn AnyObject>>,
}

impl Taken {
    pub(super) fn new(allocations: Vec<Arc<dyn AnyObject>>, services: &[Arc<Service>]) -> Self {
        let mut taken = BTreeMap::new();
        for allocation in allocations {
            let Some(holding) = allocation.key().ok().and_then(|key| Holding::at(&key)) else { continue };
            taken.insert(holding, Taker { service: parent(&*allocation), allocation: Some(allocation) });
        }
        for service in services {
            for holding in held_by(&**service) {
                let service = || Taker { service: AnyObject::key(&**service).ok(), allocation: None };
                taken.entry(holding).or_insert_with(service);
            }
        }
        Self(taken)
    }

    /// How many there are of which `inside` holds, and how many of them rest.
    fn count(&self, inside: impl Fn(Holding) -> bool) -> (usize, usize) {
        let all = || self.0.iter().filter(|(holding, _)| inside(**holding));
        let rests = |taker: &Taker| taker.allocation.as_ref().is_some_and(|found| rest::is_unused(found.metadata()));
        (all().count(), all().filter(|(_, taker)| rests(taker)).count())
    }
}

/// Something that a service gets, with the allocation that it has already, if there is one.
#[derive(Debug)]
pub(super) struct Gain {
    pub(super) holding: Holding,
    pub(super) allocation: Option<Arc<dyn AnyObject>>,
}

/// What the decision is made on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances<'a> {
    pub(super) config: &'a ServiceAddressConfig,
    pub(super) taken: &'a Taken,
    pub(super) entropy: &'a dyn Entropy,
}

/// Completes a service with what it asks for and does not name, and tells what it gets by being written. `old` is what
/// it was before, if it was.
pub(super) fn assign(
    key: &Key,
    service: &mut Service,
    old: Option<&Service>,
    on: Circumstances<'_>,
) -> Result<Vec<Gain>, AllocateError> {
    if let Some(old) = old {
        keep_given(old, service);
    }
    check(key, service, old, on)?;
    give_addresses(key, service, on)?;
    give_node_ports(key, service, on)?;
    let before = old.map_or_else(Vec::new, |old| held_by(old));
    let mut gains = Vec::new();
    for holding in held_by(service) {
        let allocation = on.taken.0.get(&holding).and_then(|taker| taker.allocation.clone());
        let is_mine = |allocation: &Arc<dyn AnyObject>| parent(&**allocation).as_ref() == Some(key);
        // What is written with the service cannot be released by somebody who did not see it.
        let settled = match &allocation {
            None => false,
            Some(allocation) => {
                before.contains(&holding) && !(is_mine(allocation) && rest::is_unused(allocation.metadata()))
            }
        };
        if !settled {
            gains.push(Gain { holding, allocation });
        }
    }
    Ok(gains)
}

/// What a service was given stays, where its new state does not say otherwise.
pub(super) fn keep_given(old: &Service, new: &mut Service) {
    let is_empty = |text: &Option<String>| text.as_deref().unwrap_or_default().is_empty();
    let (before, now) = (&old.spec, &mut new.spec);
    if is_empty(&now.cluster_ip) && now.cluster_ips.is_empty() {
        now.cluster_ip.clone_from(&before.cluster_ip);
    }
    if now.cluster_ips.is_empty() && now.cluster_ip == before.cluster_ip {
        now.cluster_ips.clone_from(&before.cluster_ips);
    }
    if before.service_type() != ServiceType::NodePort || now.service_type() != ServiceType::NodePort {
        return;
    }
    for index in 0..now.ports.len() {
        let port = &now.ports[index];
        let is_same = |other: &&ServicePort| (other.port, other.protocol()) == (port.port, port.protocol());
        let given = before.ports.iter().find(is_same).and_then(|port| port.node_port);
        let clashes = |given: i32| {
            now.ports.iter().any(|other| other.node_port == Some(given) && other.protocol() == port.protocol())
        };
        if port.node_port.is_none() && given.is_some_and(|given| !clashes(given)) {
            now.ports[index].node_port = given;
        }
    }
}

/// Refuses what cannot be given as it is asked for.
fn check(key: &Key, service: &Service, old: Option<&Service>, on: Circumstances<'_>) -> Result<(), AllocateError> {
    let mut problems = Problems::default();
    if let Some(before) = old.and_then(|old| old.spec.cluster_ip.as_deref()).filter(|before| !before.is_empty())
        && service.spec.cluster_ip.as_deref() != Some(before)
    {
        let message = format!("must stay {before} once it is given: delete the service and create it anew");
        problems.field("spec.clusterIP", |problems| problems.report(message));
    }
    let before = old.map_or_else(Vec::new, |old| held_by(old));
    for (field, holding) in holdings(service).into_iter().filter(|(_, holding)| !before.contains(holding)) {
        let taker = on.taken.0.get(&holding);
        let message = if !on.config.may_give(holding) {
            outside(holding, on.config)
        } else if let Some(taker) = taker.filter(|taker| taker.service.as_ref() != Some(key)) {
            let who = taker.service.as_ref().map_or("no service".to_owned(), ToString::to_string);
            let rests = taker.allocation.as_ref().is_some_and(|found| rest::is_unused(found.metadata()));
            let until = if rests {
                format!(", which is gone: it is free {:?} after that", on.config.rest)
            } else {
                String::new()
            };
            format!("{holding} belongs to {who}{until}")
        } else {
            continue;
        };
        problems.field(&field, |problems| problems.report(message));
    }
    problems.into_result().map_err(|source| AllocateError::Refused { service: key.clone(), source })
}

fn outside(holding: Holding, config: &ServiceAddressConfig) -> String {
    let (first, last) = (config.node_ports.start(), config.node_ports.end());
    match holding {
        _ if config.reserved.contains(&holding) => {
            format!("{holding} is reserved: choose another, or none to be given one")
        }
        Holding::NodePort(port) => format!("{port} is outside of the node ports, which are {first} to {last}"),
        Holding::Address(address) => match config.range_of(address) {
            Some(range) => format!("{address} is the first or last address of {range}, which no service can have"),
            None => {
                let ranges: Vec<_> = config.ranges.iter().map(ToString::to_string).collect();
                format!("{address} is outside of the services' range, which is {}", ranges.join(" and "))
            }
        },
    }
}

/// An address of each range, if none is asked for.
fn give_addresses(key: &Key, service: &mut Service, on: Circumstances<'_>) -> Result<(), AllocateError> {
    if service.spec.is_headless() {
        return Ok(());
    }
    if addresses(&service.spec).is_empty() {
        service.spec.cluster_ips.clear();
        for range in &on.config.ranges {
            let pool = Pool::of_range(range);
            let holding = |place| range.address(place).map(Holding::Address);
            let is_free = |place| holding(place).is_some_and(|holding| is_free(holding, on));
            let place = pool.pick(is_free, on.entropy).ok_or_else(|| {
                let inside = |holding| matches!(holding, Holding::Address(address) if range.place(address).is_some());
                let (given, resting) = on.taken.count(inside);
                let what = format!("the {} addresses of {range}", pool.size());
                let remedy =
                    "delete services, make some headless by `clusterIP: None`, or give services a larger range";
                AllocateError::Exhausted { service: key.clone(), what, given, resting, rest: on.config.rest, remedy }
            })?;
            service.spec.cluster_ips.extend(range.address(place).map(|address| address.to_string()));
        }
        service.spec.cluster_ip = service.spec.cluster_ips.first().cloned();
    } else if service.spec.cluster_ips.is_empty() {
        service.spec.cluster_ips.extend(service.spec.cluster_ip.clone());
    }
    Ok(())
}

/// A node port for each port without one. Ports of one number, for two protocols, share one.
fn give_node_ports(key: &Key, service: &mut Service, on: Circumstances<'_>) -> Result<(), AllocateError> {
    if service.spec.service_type() != ServiceType::NodePort {
        return Ok(());
    }
    let pool = Pool::of_ports(&on.config.node_ports);
    for index in 0..service.spec.ports.len() {
        let ports = &service.spec.ports;
        let port = &ports[index];
        if port.node_port.is_some() {
            continue;
        }
        let used = |number| ports.iter().any(|other| other.node_port == Some(i32::from(number)));
        let shared = ports.iter().find_map(|other| {
            let number = other.node_port.filter(|_| other.port == port.port && other.protocol() != port.protocol())?;
            let clashes = |third: &ServicePort| third.node_port == Some(number) && third.protocol() == port.protocol();
            (!ports.iter().any(clashes)).then_some(number)
        });
        let number = |place: u128| u16::try_from(place).ok();
        let is_free = |place| number(place).is_some_and(|port| !used(port) && is_free(Holding::NodePort(port), on));
        let given = shared.or_else(|| pool.pick(is_free, on.entropy).and_then(number).map(i32::from));
        let given = given.ok_or_else(|| {
            let inside = |holding| matches!(holding, Holding::NodePort(port) if on.config.node_ports.contains(&port));
            let (given, resting) = on.taken.count(inside);
            let what = format!("the {} node ports from {}", pool.size(), on.config.node_ports.start());
            let remedy = "delete services of the type NodePort, or give services more node ports";
            AllocateError::Exhausted { service: key.clone(), what, given, resting, rest: on.config.rest, remedy }
        })?;
        service.spec.ports[index].node_port = Some(given);
    }
    Ok(())
}

fn is_free(holding: Holding, on: Circumstances<'_>) -> bool {
    !on.taken.0.contains_key(&holding) && on.config.may_give(holding)
}
