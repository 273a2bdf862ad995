//! What the kernel lists, in the words of the model. What does not matter is left out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use orch_core::network::Cidr;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{InfoData, InfoVxlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use rtnetlink::packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteType};

use super::model::{Address, Forward, Link, Mac, Neighbour, Route, Tunnel};

pub(super) fn link(message: &LinkMessage) -> Link {
    let mut link = Link {
        index: message.header.index,
        name: String::new(),
        mtu: 0,
        is_up: message.header.flags.contains(LinkFlags::Up),
        is_loopback: message.header.flags.contains(LinkFlags::Loopback),
        alias: None,
        mac: None,
        tunnel: None,
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::IfAlias(alias) => link.alias = Some(alias.clone()),
            LinkAttribute::Address(address) => link.mac = mac(address),
            LinkAttribute::LinkInfo(infos) => link.tunnel = infos.iter().find_map(tunnel),
            _ => {}
        }
    }
    link
}

fn tunnel(info: &LinkInfo) -> Option<Tunnel> {
    let LinkInfo::Data(InfoData::Vxlan(data)) = info else { return None };
    let mut tunnel = Tunnel { vni: 0, port: 0, underlay: 0, local: None, learns: false };
    for one in data {
        match one {
            InfoVxlan::Id(vni) => tunnel.vni = *vni,
            InfoVxlan::Port(port) => tunnel.port = *port,
            InfoVxlan::Link(index) => tunnel.underlay = *index,
            InfoVxlan::Local(address) => tunnel.local = Some((*address).into()),
            InfoVxlan::Local6(address) => tunnel.local = Some((*address).into()),
            InfoVxlan::Learning(learns) => tunnel.learns = *learns,
            _ => {}
        }
    }
    Some(tunnel)
}

pub(super) fn address(message: &AddressMessage) -> Option<Address> {
    // Where the two differ, the other one is that of the far end.
    let own = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let given = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Address(address) => Some(*address),
        _ => None,
    });
    Some(Address { link: message.header.index, address: own.or(given)?, bits: message.header.prefix_len })
}

pub(super) fn route(message: &RouteMessage) -> Option<Route> {
    let header = &message.header;
    let nowhere: IpAddr = match header.address_family {
        AddressFamily::Inet => Ipv4Addr::UNSPECIFIED.into(),
        AddressFamily::Inet6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => return None,
    };
    let (mut first, mut via, mut link, mut metric, mut table) = (nowhere, None, None, 0, u32::from(header.table));
    let mut is_plain = header.kind == RouteType::Unicast && header.tos == 0;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(destination) => first = ip(destination)?,
            RouteAttribute::Gateway(gateway) => via = ip(gateway),
            RouteAttribute::Oif(index) => link = Some(*index),
            RouteAttribute::Priority(priority) => metric = *priority,
            RouteAttribute::Table(number) => table = *number,
            RouteAttribute::MultiPath(_)
            | RouteAttribute::Encap(_)
            | RouteAttribute::Via(_)
            | RouteAttribute::NhId(_)
            | RouteAttribute::PrefSource(_) => is_plain = false,
            _ => {}
        }
    }
    if table != u32::from(RouteHeader::RT_TABLE_MAIN) {
        return None;
    }
    let range = Cidr::new(first, header.destination_prefix_length).ok()?;
    Some(Route { range, via, link, metric, protocol: header.protocol.into(), is_plain })
}

pub(super) fn neighbour(message: &NeighbourMessage) -> Option<Neighbour> {
    if message.header.state != NeighbourState::Permanent {
        return None;
    }
    let (address, mac) = entry(message);
    Some(Neighbour { link: message.header.ifindex, address: address?, mac: mac? })
}

pub(super) fn forward(message: &NeighbourMessage) -> Option<Forward> {
    let (address, mac) = entry(message);
    Some(Forward { link: message.header.ifindex, mac: mac?, to: address? })
}

fn entry(message: &NeighbourMessage) -> (Option<IpAddr>, Option<Mac>) {
    let (mut address, mut found) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(one)) => address = Some(IpAddr::V4(*one)),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(one)) => address = Some(IpAddr::V6(*one)),
            // Of a bridge's family the length alone tells which it is.
            NeighbourAttribute::Destination(NeighbourAddress::Other(bytes)) => address = from_bytes(bytes),
            NeighbourAttribute::LinkLayerAddress(bytes) => found = mac(bytes),
            _ => {}
        }
    }
    (address, found)
}

fn from_bytes(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

fn mac(bytes: &[u8]) -> Option<Mac> {
    bytes.try_into().ok().map(Mac)
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}
