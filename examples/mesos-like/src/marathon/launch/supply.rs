//! [`Supply`]: what is left of an offer.

use std::collections::BTreeSet;

use super::disks::{all_disk, instance_of};
use super::spot::Spot;
use crate::framework::{in_thousandths, reserved_for, scalar, take};
use crate::marathon::model::App;
use crate::wire::{Offer, Range, Ranges, Resource};

/// What is left of an offer.
#[derive(Clone, Debug)]
pub struct Supply {
    /// The offer, as it was made.
    pub offer: Offer,
    /// Where it is.
    pub spot: Spot,
    left: Vec<Resource>,
}

impl Supply {
    /// All of an offer.
    #[must_use]
    pub fn of(offer: Offer) -> Self {
        let (spot, left) = (Spot::of(&offer), offer.resources.clone());
        Self { offer, spot, left }
    }

    /// How much of a resource is left that is offered in one of these roles.
    #[must_use]
    pub fn amount(&self, name: &str, roles: &BTreeSet<String>) -> f64 {
        let amounts = self.usable(roles).filter(|resource| resource.name == name).map(scalar);
        in_thousandths(amounts.sum())
    }

    /// Whether anything is left that is offered in one of these roles.
    #[must_use]
    pub fn is_for(&self, roles: &BTreeSet<String>) -> bool {
        self.usable(roles).next().is_some()
    }

    /// Ports for an app's instance, in the order of the app's; the search begins at some number, so that ports that were just
    /// given back are not taken at once. A mapping without a port on the agent gets 0.
    #[must_use]
    pub fn ports(&self, app: &App, roles: &BTreeSet<String>, begin: u64) -> Option<Vec<u16>> {
        let free: Vec<(u64, u64)> =
            self.usable(roles).filter(|resource| resource.name == "ports").flat_map(spans).collect();
        let has = |port: u64| free.iter().any(|(first, last)| (*first..=*last).contains(&port));
        let wanted = wanted_ports(app);
        let mut taken: BTreeSet<u64> =
            wanted.iter().filter_map(|port| *port).filter(|port| *port > 0).map(u64::from).collect();
        if !taken.iter().all(|port| has(*port)) {
            return None;
        }
        let mut next = begin;
        let mut ports = Vec::with_capacity(wanted.len());
        for port in wanted {
            ports.push(match port {
                None => 0,
                Some(0) => {
                    let port = free_port(&free, &taken, next)?;
                    taken.insert(port);
                    next = port + 1;
                    u16::try_from(port).ok()?
                }
                Some(port) => port,
            });
        }
        Some(ports)
    }

    /// Takes what an app's instance needs, these ports among it. Reserved resources are taken first. Nothing is taken if
    /// something is missing.
    pub fn take(&mut self, app: &App, ports: &[u16], roles: &BTreeSet<String>) -> Option<Vec<Resource>> {
        let (before, mut taken) = (self.left.clone(), Vec::new());
        let amounts = [("cpus", app.cpus), ("mem", app.mem), ("disk", all_disk(app)), ("gpus", f64::from(app.gpus))];
        let mut take_amount = |(name, amount)| {
            let part = take(&mut self.left, name, amount, |resource| usable(resource, roles));
            part.map(|part| taken.extend(part)).is_some()
        };
        let all = amounts.into_iter().all(&mut take_amount)
            && ports.iter().filter(|port| **port > 0).all(|port| self.take_port(u64::from(*port), roles, &mut taken));
        if !all {
            self.left = before;
            return None;
        }
        Some(taken)
    }

    /// Takes these ports.
    pub fn take_ports(&mut self, ports: &[u16], roles: &BTreeSet<String>) -> Option<Vec<Resource>> {
        let (before, mut taken) = (self.left.clone(), Vec::new());
        if ports.iter().filter(|port| **port > 0).all(|port| self.take_port(u64::from(*port), roles, &mut taken)) {
            return Some(taken);
        }
        self.left = before;
        None
    }

    /// Whether there are resources that are such.
    pub(super) fn has(&self, is_such: impl Fn(&Resource) -> bool) -> bool {
        self.left.iter().any(is_such)
    }

    /// Takes all resources that are such.
    pub(super) fn take_where(&mut self, is_such: impl Fn(&Resource) -> bool) -> Vec<Resource> {
        self.left.extract_if(.., |resource| is_such(resource)).collect()
    }

    fn take_port(&mut self, port: u64, roles: &BTreeSet<String>, taken: &mut Vec<Resource>) -> bool {
        let holds = |resource: &&mut Resource| {
            resource.name == "ports"
                && usable(resource, roles)
                && spans(resource).any(|(first, last)| (first..=last).contains(&port))
        };
        let Some(resource) = self.left.iter_mut().find(holds) else { return false };
        let one = Ranges { range: vec![Range { begin: port, end: port }] };
        taken.push(Resource { ranges: Some(one), ..resource.clone() });
        let without = spans(resource).flat_map(|(first, last)| {
            let below = (first < port).then(|| Range { begin: first, end: last.min(port.saturating_sub(1)) });
            let above = (last > port).then(|| Range { begin: first.max(port + 1), end: last });
            match (first..=last).contains(&port) {
                true => [below, above],
                false => [Some(Range { begin: first, end: last }), None],
            }
        });
        let range = without.flatten().collect();
        resource.ranges = Some(Ranges { range });
        true
    }

    fn usable<'a>(&'a self, roles: &'a BTreeSet<String>) -> impl Iterator<Item = &'a Resource> {
        self.left.iter().filter(|resource| usable(resource, roles))
    }
}

/// The ports that an app wants on an agent: one that it names, any if 0, none.
fn wanted_ports(app: &App) -> Vec<Option<u16>> {
    if app.is_in_host_network() {
        let definitions = app.port_definitions.iter().flatten();
        return definitions.map(|definition| Some(if app.require_ports { definition.port } else { 0 })).collect();
    }
    let mappings = app.container.iter().flat_map(|container| &container.port_mappings);
    mappings.map(|mapping| mapping.host_port).collect()
}

fn free_port(free: &[(u64, u64)], taken: &BTreeSet<u64>, begin: u64) -> Option<u64> {
    let from = |begin: u64| {
        let ports = free
            .iter()
            .filter(move |(_, last)| *last >= begin)
            .flat_map(move |(first, last)| (*first).max(begin)..=*last);
        ports.into_iter().find(|port| !taken.contains(port))
    };
    let count: u64 = free.iter().map(|(first, last)| last - first + 1).sum();
    let lowest = free.iter().map(|(first, _)| *first).min()?;
    from(lowest + begin.saturating_sub(lowest) % count.max(1)).or_else(|| from(0))
}

/// What is reserved for an instance, disks that were made for somebody, and what can be taken away again, are not for others.
fn usable(resource: &Resource, roles: &BTreeSet<String>) -> bool {
    let role = reserved_for(resource).unwrap_or("*");
    let is_free = resource.disk.is_none() && resource.revocable.is_none() && instance_of(resource).is_none();
    is_free && roles.contains(role)
}

fn spans(resource: &Resource) -> impl Iterator<Item = (u64, u64)> {
    let ranges = resource.ranges.iter().flat_map(|ranges| &ranges.range);
    ranges
        .filter(|range| range.begin <= range.end && range.end <= u64::from(u16::MAX))
        .map(|range| (range.begin, range.end))
}
