//! A kernel in memory obeys the changes: whatever there was, there is what is wanted then, and nothing of others changed.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::model::{Address, Forwarding, PROTOCOL, Tunnel};
use super::*;

const UNDERLAY: u32 = 2;
const DEVICE: u32 = 7;

fn tunnel(vni: u32) -> Tunnel {
    Tunnel { vni, port: 4789, underlay: UNDERLAY, local: Some([192, 0, 2, 1].into()), learns: false }
}

fn device(mtu: u32) -> Device {
    let (mac, addresses) = (Mac([2, 0, 0, 0, 0, 0]), BTreeSet::from([[10, 244, 0, 0].into()]));
    Device { name: "orch-vxlan".to_owned(), tunnel: tunnel(79), mtu, mac, addresses }
}

fn range(number: u8) -> Cidr {
    Cidr::around([10, 244, number, 0].into(), 24).expect("a range")
}

fn mac(number: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, number])
}

fn wanted(through_tunnel: bool, hosts: &BTreeSet<(u8, u8)>) -> Wanted {
    let lead = |(number, at): &(u8, u8)| {
        let to = [192, 0, 2, *at].into();
        let way =
            if through_tunnel { Way::Tunnel { mac: mac(*number), to } } else { Way::Link { via: to, link: UNDERLAY } };
        (range(*number), Lead { host: number.to_string(), way })
    };
    Wanted {
        device: through_tunnel.then(|| device(1450)),
        leads: hosts.iter().map(lead).collect(),
        forwarding: Forwarding { v4: true, v6: false },
    }
}

/// Does to `there` what the kernel would.
fn obey(there: &mut Observed, change: &Change) {
    let through = there.links.iter().find(|link| link.name == "orch-vxlan").map(|link| link.index);
    let device = || through.expect("the device is there when it is needed");
    match change.clone() {
        Change::TurnOnForwarding { .. } => there.forwarding.v4 = true,
        Change::RemoveDevice(index) => {
            there.links.retain(|link| link.index != index);
            there.addresses.retain(|one| one.link != index);
            there.routes.retain(|one| one.link != Some(index));
            there.neighbours.retain(|one| one.link != index);
            there.forwards.retain(|one| one.link != index);
        }
        Change::AddDevice(made) => {
            assert_eq!(through, None, "two devices cannot have the same name");
            let index = there.links.iter().map(|link| link.index).max().unwrap_or_default() + 1;
            there.links.push(link(index, &made));
            there.addresses.extend(made.addresses.iter().map(|one| Address { link: index, address: *one, bits: 32 }));
        }
        Change::PutDeviceRight(index, made) => {
            let old = there.links.iter_mut().find(|link| link.index == index).expect("it is there");
            *old = Link { tunnel: old.tunnel.clone(), mac: old.mac, ..link(index, &made) };
        }
        Change::SetDeviceAddress(index, mac) => {
            there.neighbours.retain(|one| one.link != index);
            there.links.iter_mut().filter(|link| link.index == index).for_each(|link| link.mac = Some(mac));
        }
        Change::AddAddress(address) => there.addresses.push(Address { link: device(), address, bits: 32 }),
        Change::RemoveAddress { link, address, .. } => {
            there.addresses.retain(|one| (one.link, one.address) != (link, address));
        }
        Change::SetForward { mac, to } => {
            there.forwards.retain(|one| (one.link, one.mac) != (device(), mac));
            there.forwards.push(Forward { link: device(), mac, to });
        }
        Change::RemoveForward(forward) => there.forwards.retain(|one| *one != forward),
        Change::SetNeighbour { address, mac } => {
            there.neighbours.retain(|one| (one.link, one.address) != (device(), address));
            there.neighbours.push(Neighbour { link: device(), address, mac });
        }
        Change::RemoveNeighbour(neighbour) => there.neighbours.retain(|one| *one != neighbour),
        Change::AddRoute { range, way } => {
            assert!(there.routes.iter().all(|one| one.range != range || one.metric != 0), "{range} has a route");
            there.routes.push(route(range, way, through));
        }
        Change::ReplaceRoute { range, way } => {
            let old = there.routes.iter_mut().find(|one| one.range == range && one.metric == 0).expect("there is one");
            assert!(old.is_ours(), "others' routes are never replaced");
            *old = route(range, way, through);
        }
        Change::RemoveRoute(route) => {
            assert!(route.is_ours(), "others' routes are never removed");
            there.routes.retain(|one| *one != route);
        }
    }
}

fn link(index: u32, device: &Device) -> Link {
    Link {
        index,
        name: device.name.clone(),
        mtu: device.mtu,
        is_up: true,
        is_loopback: false,
        alias: Some(ALIAS.to_owned()),
        mac: Some(device.mac),
        tunnel: Some(device.tunnel.clone()),
    }
}

fn route(range: Cidr, way: Way, through: Option<u32>) -> Route {
    let (via, link) = match way {
        Way::Link { via, link } => (Some(via), Some(link)),
        Way::Tunnel { .. } => (range.address(0), through),
    };
    Route { range, via, link, metric: 0, protocol: PROTOCOL, is_plain: true }
}

/// What others may have done, and earlier processes left.
fn spoiled(deeds: &[(u8, u8)], there: &mut Observed) {
    for (deed, number) in deeds {
        let number = *number;
        let of_range = |route: &Route| route.range == range(number);
        match deed {
            0 => there.routes.retain(|route| !of_range(route)),
            1 => there.routes.iter_mut().filter(|route| of_range(route)).for_each(|route| route.via = None),
            2 => there.routes.iter_mut().filter(|route| of_range(route)).for_each(|route| route.is_plain = false),
            3 => there.neighbours.retain(|one| one.mac != mac(number)),
            4 => there.forwards.iter_mut().filter(|one| one.mac == mac(number)).for_each(|one| one.to = [9; 4].into()),
            5 => there.links.iter_mut().filter(|link| link.tunnel.is_some()).for_each(|link| link.mtu = 1500),
            6 => there
                .links
                .iter_mut()
                .filter(|link| link.tunnel.is_some())
                .for_each(|link| link.tunnel = Some(tunnel(5))),
            // By one of the two it must be known.
            7 => {
                there.links.iter_mut().filter(|link| link.mac == Some(device(0).mac)).for_each(|link| link.alias = None)
            }
            8 => there.addresses.clear(),
            9 => there.routes.push(Route {
                range: range(number),
                via: None,
                link: Some(UNDERLAY),
                metric: 7,
                protocol: PROTOCOL,
                is_plain: true,
            }),
            10 => there.forwarding = Forwarding::default(),
            _ => there.links.iter_mut().filter(|link| link.alias.is_some()).for_each(|link| link.mac = Some(mac(99))),
        }
    }
}

fn hosts() -> impl Strategy<Value = BTreeSet<(u8, u8)>> {
    let numbers = prop::collection::btree_map(1..6_u8, 1..9_u8, 0..5);
    numbers.prop_map(|hosts| hosts.into_iter().collect())
}

proptest! {
    #[test]
    fn whatever_there_was_there_is_what_is_wanted(
        (before, after) in (hosts(), hosts()),
        (was_tunnel, is_tunnel) in any::<(bool, bool)>(),
        deeds in prop::collection::vec((0..12_u8, 1..6_u8), 0..6),
    ) {
        let mut there = Observed::default();
        let others = Route { range: range(200), via: None, link: Some(UNDERLAY), metric: 0, protocol: 4, is_plain: true };
        there.routes.push(others.clone());
        for change in plan(&there, &wanted(was_tunnel, &before)).expect("a plan") {
            obey(&mut there, &change);
        }
        prop_assert_eq!(plan(&there, &wanted(was_tunnel, &before)).expect("a plan"), Vec::new());
        spoiled(&deeds, &mut there);
        let wanted = wanted(is_tunnel, &after);
        for change in plan(&there, &wanted).expect("a plan") {
            obey(&mut there, &change);
        }
        let index = there.links.iter().find(|link| link.name == "orch-vxlan").map(|link| link.index);
        let mut expected: Vec<_> = wanted.leads.iter().map(|(range, lead)| route(*range, lead.way, index)).collect();
        expected.push(others);
        expected.sort_by_key(|route| route.range);
        there.routes.sort_by_key(|route| route.range);
        prop_assert_eq!(&there.routes, &expected);
        let unmarked = !is_tunnel && deeds.iter().any(|(deed, _)| *deed == 7);
        prop_assert!(index.is_some() == is_tunnel || unmarked, "a device that nobody knows is nobody's");
        let pairs: BTreeSet<_> = there.forwards.iter().map(|one| (one.mac, one.to)).collect();
        let asked: BTreeSet<_> = tunnels(&wanted).map(|(_, mac, to)| (mac, to)).collect();
        prop_assert!(pairs == asked || unmarked);
        prop_assert!(plan(&there, &wanted).expect("a plan").is_empty(), "then nothing is left to be done");
    }
}

#[test]
fn what_stays_is_not_touched() {
    let mut there = Observed::default();
    let one = BTreeSet::from([(1, 1), (2, 2)]);
    for change in plan(&there, &wanted(true, &one)).expect("a plan") {
        obey(&mut there, &change);
    }
    let changes = plan(&there, &wanted(true, &BTreeSet::from([(1, 1), (3, 3)]))).expect("a plan");
    let shown = format!("{changes:?}");
    assert_eq!(changes.len(), 6, "each of two hosts is an entry, a neighbour and a route: {shown}");
    assert!(!shown.contains("10.244.1.0"), "{shown}");
    let new = changes.iter().position(|change| matches!(change, Change::AddRoute { .. }));
    let known = changes.iter().position(|change| matches!(change, Change::SetForward { .. }));
    assert!(known < new, "who has it is known before anything is sent there: {shown}");
}

#[test]
fn what_is_of_others_is_in_the_way() {
    let others = Route {
        range: range(1),
        via: Some([192, 0, 2, 9].into()),
        link: None,
        metric: 50,
        protocol: 4,
        is_plain: true,
    };
    let there = Observed { routes: vec![others], ..Observed::default() };
    let error = plan(&there, &wanted(false, &BTreeSet::from([(1, 1)]))).expect_err("it is theirs").to_string();
    assert!(
        error.contains("leads its pod range 10.244.1.0/24 to 192.0.2.9 on no device (route protocol 4)"),
        "{error}"
    );
    let mut theirs = link(DEVICE, &device(1450));
    (theirs.alias, theirs.mac) = (None, None);
    let there = Observed { links: vec![theirs], ..Observed::default() };
    let error = plan(&there, &wanted(true, &BTreeSet::from([(1, 1)]))).expect_err("it is theirs").to_string();
    assert!(error.contains("a device orch-vxlan already, which this did not make"), "{error}");
}
