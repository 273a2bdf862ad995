//! [`plan`]: from what there is to what there should be, in the fewest steps, and in an order in which whatever stays
//! is led all the time. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use orch_core::network::{Cidr, RoutesError};

use super::model::{ALIAS, Device, Forward, Lead, Link, Mac, Neighbour, Observed, Route, Wanted, Way, is_link_local};

/// One step. What is of the device is meant of the one that is there by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    TurnOnForwarding {
        is_ipv4: bool,
    },
    RemoveDevice(u32),
    AddDevice(Device),
    /// Its size, its mark, and that it is on.
    PutDeviceRight(u32, Device),
    /// After it Linux knows of no neighbour there any more, even if the address was the same before.
    SetDeviceAddress(u32, Mac),
    AddAddress(IpAddr),
    RemoveAddress {
        link: u32,
        address: IpAddr,
        bits: u8,
    },
    SetForward {
        mac: Mac,
        to: IpAddr,
    },
    RemoveForward(Forward),
    SetNeighbour {
        address: IpAddr,
        mac: Mac,
    },
    RemoveNeighbour(Neighbour),
    AddRoute {
        range: Cidr,
        way: Way,
    },
    ReplaceRoute {
        range: Cidr,
        way: Way,
    },
    RemoveRoute(Route),
}

/// What leads from `observed` to `wanted`.
///
/// # Errors
/// When something of others is in the way.
pub(super) fn plan(observed: &Observed, wanted: &Wanted) -> Result<Vec<Change>, RoutesError> {
    refuse_occupied(observed, wanted)?;
    let mut changes = Vec::new();
    for (is_ipv4, is_wanted, is_on) in
        [(true, wanted.forwarding.v4, observed.forwarding.v4), (false, wanted.forwarding.v6, observed.forwarding.v6)]
    {
        if is_wanted && !is_on {
            changes.push(Change::TurnOnForwarding { is_ipv4 });
        }
    }
    let device = plan_device(observed, wanted, &mut changes)?;
    let mut removals = Vec::new();
    if let Some(device) = device {
        plan_neighbours(observed, wanted, device, (&mut changes, &mut removals));
        plan_forwards(observed, wanted, device.index, (&mut changes, &mut removals));
    } else {
        let macs: BTreeMap<_, _> = tunnels(wanted).map(|(_, mac, to)| (mac, to)).collect();
        changes.extend(macs.into_iter().map(|(mac, to)| Change::SetForward { mac, to }));
        changes.extend(tunnels(wanted).map(|(address, mac, _)| Change::SetNeighbour { address, mac }));
    }
    plan_routes(observed, wanted, device.map(|device| device.index), &mut changes);
    // What led through them is led elsewhere by now.
    changes.extend(removals);
    changes.extend(leftover_devices(observed, wanted, device).map(|link| Change::RemoveDevice(link.index)));
    Ok(changes)
}

/// What others have is theirs.
fn refuse_occupied(observed: &Observed, wanted: &Wanted) -> Result<(), RoutesError> {
    let theirs = observed.routes.iter().filter(|route| !route.is_ours());
    let Some((route, lead)) = theirs.filter_map(|route| Some((route, wanted.leads.get(&route.range)?))).next() else {
        return Ok(());
    };
    let link = route.link.and_then(|index| observed.link(index)).map_or("no device", |link| link.name.as_str());
    let via = route.via.map_or_else(String::new, |via| format!("{via} on "));
    let message = format!(
        "somebody else leads its pod range {} to {via}{link} (route protocol {}): remove that route if nobody needs it, or \
         give the host another range",
        route.range, route.protocol
    );
    Err(RoutesError::Occupied { host: lead.host.clone(), range: route.range, message })
}

/// Plans the device, and returns the one that stays: what is set of it is set still.
fn plan_device<'a>(
    observed: &'a Observed,
    wanted: &'a Wanted,
    changes: &mut Vec<Change>,
) -> Result<Option<&'a Link>, RoutesError> {
    let Some(device) = &wanted.device else { return Ok(None) };
    let ours: Vec<_> = observed.our_devices(Some(device)).collect();
    if let Some(link) = observed.links.iter().find(|link| link.name == device.name && !ours.contains(link)) {
        let message = format!(
            "there is a device {} already, which this did not make: remove it, or choose another name for the device of \
             pod routes",
            link.name
        );
        return Err(RoutesError::Unavailable { message, transient: true, source: None });
    }
    let stays = ours.iter().find(|link| link.name == device.name && link.tunnel.as_ref() == Some(&device.tunnel));
    let Some(link) = stays else {
        // Before the new one: two of the same number and port cannot be.
        changes.extend(ours.iter().map(|link| Change::RemoveDevice(link.index)));
        changes.push(Change::AddDevice(device.clone()));
        return Ok(None);
    };
    if link.mac != Some(device.mac) {
        changes.push(Change::SetDeviceAddress(link.index, device.mac));
    }
    let is_right = link.mtu == device.mtu && link.is_up && link.alias.as_deref() == Some(ALIAS);
    if !is_right {
        changes.push(Change::PutDeviceRight(link.index, device.clone()));
    }
    let of_device = observed.addresses.iter().filter(|found| found.link == link.index);
    let there: BTreeSet<_> = of_device.map(|found| (found.address, found.bits)).collect();
    for address in device.addresses.iter().filter(|address| !there.contains(&(**address, host_bits(**address)))) {
        changes.push(Change::AddAddress(*address));
    }
    for (address, bits) in there {
        let is_wanted = device.addresses.contains(&address) && bits == host_bits(address);
        if !is_wanted && !is_link_local(address) {
            changes.push(Change::RemoveAddress { link: link.index, address, bits });
        }
    }
    Ok(Some(link))
}

/// Devices of ours that are not wanted, and are not removed yet.
fn leftover_devices<'a>(
    observed: &'a Observed,
    wanted: &'a Wanted,
    stays: Option<&'a Link>,
) -> impl Iterator<Item = &'a Link> {
    let replaced = wanted.device.is_some() && stays.is_none();
    let ours = observed.our_devices(wanted.device.as_ref());
    ours.filter(move |link| !replaced && stays.is_none_or(|stays| stays.index != link.index))
}

fn plan_neighbours(
    observed: &Observed,
    wanted: &Wanted,
    device: &Link,
    (changes, removals): (&mut Vec<Change>, &mut Vec<Change>),
) {
    let asked: BTreeMap<_, _> = tunnels(wanted).map(|(address, mac, _)| (address, mac)).collect();
    // Linux forgets all of a device whose address changes, or that was off.
    let forgotten = !device.is_up || wanted.device.as_ref().is_some_and(|wanted| device.mac != Some(wanted.mac));
    let mine = observed.neighbours.iter().filter(|found| found.link == device.index && !forgotten);
    let there: BTreeMap<_, _> = mine.map(|found| (found.address, *found)).collect();
    for (address, mac) in &asked {
        if there.get(address).is_none_or(|found| found.mac != *mac) {
            changes.push(Change::SetNeighbour { address: *address, mac: *mac });
        }
    }
    let gone = there.values().filter(|found| !asked.contains_key(&found.address));
    removals.extend(gone.map(|found| Change::RemoveNeighbour(*found)));
}

fn plan_forwards(
    observed: &Observed,
    wanted: &Wanted,
    device: u32,
    (changes, removals): (&mut Vec<Change>, &mut Vec<Change>),
) {
    let asked: BTreeMap<_, _> = tunnels(wanted).map(|(_, mac, to)| (mac, to)).collect();
    let mut there: BTreeMap<Mac, BTreeSet<Forward>> = BTreeMap::new();
    for found in observed.forwards.iter().filter(|found| found.link == device) {
        there.entry(found.mac).or_default().insert(*found);
    }
    for (mac, to) in &asked {
        let found = there.remove(mac).unwrap_or_default();
        // One that is wrong is replaced; of several, which one would be is not known.
        if found.len() > 1 {
            changes.extend(found.iter().filter(|one| one.to != *to).map(|one| Change::RemoveForward(*one)));
        }
        if found.iter().all(|one| one.to != *to) {
            changes.push(Change::SetForward { mac: *mac, to: *to });
        }
    }
    removals.extend(there.into_values().flatten().map(Change::RemoveForward));
}

fn plan_routes(observed: &Observed, wanted: &Wanted, device: Option<u32>, changes: &mut Vec<Change>) {
    // What leads through a device that is replaced goes with the old one.
    let replaced = wanted.device.is_some() && device.is_none();
    let is_ours = |index| observed.our_devices(wanted.device.as_ref()).any(|link| link.index == index);
    let is_there = |route: &&Route| !(replaced && route.link.is_some_and(is_ours));
    let mut ours: BTreeMap<Cidr, Vec<&Route>> = BTreeMap::new();
    for route in observed.routes.iter().filter(|route| route.is_ours()).filter(is_there) {
        ours.entry(route.range).or_default().push(route);
    }
    let mut removals = Vec::new();
    for (range, Lead { way, .. }) in &wanted.leads {
        let there = ours.remove(range).unwrap_or_default();
        let range = *range;
        let is_right = |route: &&&Route| is_as_wanted(route, *way, device);
        let kept = there.iter().find(is_right).or_else(|| there.iter().find(|route| route.has_default_metric()));
        match kept {
            None => changes.push(Change::AddRoute { range, way: *way }),
            Some(route) if !is_right(&route) => changes.push(Change::ReplaceRoute { range, way: *way }),
            Some(_) => {}
        }
        let superfluous = there.iter().filter(|route| kept.is_none_or(|kept| !std::ptr::eq(**route, *kept)));
        removals.extend(superfluous.map(|route| Change::RemoveRoute((*route).clone())));
    }
    changes.extend(removals);
    changes.extend(ours.into_values().flatten().map(|route| Change::RemoveRoute(route.clone())));
}

fn is_as_wanted(route: &Route, way: Way, device: Option<u32>) -> bool {
    let (via, link) = match way {
        Way::Link { via, link } => (Some(via), Some(link)),
        Way::Tunnel { .. } => (route.range.address(0), device),
    };
    route.is_plain && route.has_default_metric() && route.via == via && route.link == link
}

/// What is led through the tunnel: the address that it is sent to there, whose device that is, and on which host.
fn tunnels(wanted: &Wanted) -> impl Iterator<Item = (IpAddr, Mac, IpAddr)> {
    wanted.leads.iter().filter_map(|(range, lead)| match lead.way {
        Way::Tunnel { mac, to } => Some((range.address(0)?, mac, to)),
        Way::Link { .. } => None,
    })
}

/// How many bits an address by itself has.
pub(super) fn host_bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests;
