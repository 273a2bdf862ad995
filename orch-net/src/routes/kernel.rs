//! [`Kernel`]: looks at the devices, addresses and routes of a network, and makes one change at a time, by netlink.
//!
//! It works in the network namespace of the thread that opens it: its sockets and files stay there.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures::TryStreamExt as _;
use nix::errno::Errno;
use orch_core::network::{Cidr, RoutesError};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::AddressHeaderFlags;
use rtnetlink::packet_route::link::LinkAttribute;
use rtnetlink::packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol};
use rtnetlink::{Handle, LinkUnspec, LinkVxlan, RouteMessageBuilder};

use super::forwarding::ForwardingFiles;
use super::model::{ALIAS, Device, Forward, Mac, Neighbour, Observed, PROTOCOL, Route, Wanted, Way};
use super::plan::{Change, host_bits};
use super::read;

/// A way to the kernel.
#[derive(Debug)]
pub(super) struct Kernel {
    handle: Handle,
    forwarding: ForwardingFiles,
}

/// The device through which tunnels lead, while changes are made.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Through(Option<u32>);

impl Through {
    pub(super) fn of(observed: &Observed, wanted: &Wanted) -> Self {
        let device = wanted.device.as_ref();
        let named = |link: &&super::model::Link| device.is_some_and(|device| device.name == link.name);
        Self(observed.our_devices(device).find(named).map(|link| link.index))
    }

    fn index(self) -> Result<u32, RoutesError> {
        let gone = || unavailable("the device of pod routes was removed meanwhile".to_owned(), true);
        self.0.ok_or_else(gone)
    }
}

impl Kernel {
    /// Needs an async runtime, which drives it.
    pub(super) fn open() -> Result<Self, RoutesError> {
        let failed = |error: io::Error| RoutesError::Unavailable {
            message: format!("cannot speak netlink: {error}"),
            transient: true,
            source: Some(Box::new(error)),
        };
        let (connection, handle, _) = rtnetlink::new_connection().map_err(failed)?;
        tokio::spawn(connection);
        Ok(Self { handle, forwarding: ForwardingFiles::open() })
    }

    /// Looks at everything. One at a time: the kernel refuses a second listing on the same socket.
    pub(super) async fn observe(&self) -> Result<Observed, RoutesError> {
        let links = self.handle.link().get().execute().try_collect::<Vec<_>>().await;
        let links: Vec<_> = links.map_err(|error| failed("list devices", &error))?.iter().map(read::link).collect();
        let addresses = self.handle.address().get().execute().try_collect::<Vec<_>>().await;
        let addresses = addresses.map_err(|error| failed("list addresses", &error))?;
        let mut routes = Vec::new();
        for message in [RouteMessageBuilder::<Ipv4Addr>::new().build(), RouteMessageBuilder::<Ipv6Addr>::new().build()]
        {
            let listed = self.handle.route().get(message).execute().try_collect::<Vec<_>>().await;
            routes.extend(listed.map_err(|error| failed("list routes", &error))?.iter().filter_map(read::route));
        }
        let mut observed = Observed {
            addresses: addresses.iter().filter_map(read::address).collect(),
            links,
            routes,
            forwarding: self.forwarding.are_on()?,
            ..Observed::default()
        };
        let tunnels = observed.links.iter().filter(|link| link.tunnel.is_some()).map(|link| link.index);
        let tunnels: BTreeSet<_> = tunnels.collect();
        if !tunnels.is_empty() {
            observed.neighbours = self.neighbours(&tunnels).await?;
            observed.forwards = self.forwards(&tunnels).await?;
        }
        Ok(observed)
    }

    async fn neighbours(&self, links: &BTreeSet<u32>) -> Result<Vec<Neighbour>, RoutesError> {
        let listed = self.handle.neighbours().get().execute().try_collect::<Vec<_>>().await;
        let listed = listed.map_err(|error| failed("list neighbours", &error))?;
        Ok(listed.iter().filter_map(read::neighbour).filter(|found| links.contains(&found.link)).collect())
    }

    async fn forwards(&self, links: &BTreeSet<u32>) -> Result<Vec<Forward>, RoutesError> {
        let listing = self.handle.neighbours().get().set_address_family(AddressFamily::Bridge);
        let listed = listing.execute().try_collect::<Vec<_>>().await;
        let listed = listed.map_err(|error| failed("list what bridges and tunnels know", &error))?;
        Ok(listed.iter().filter_map(read::forward).filter(|found| links.contains(&found.link)).collect())
    }

    /// Makes one change. That what is to be removed is gone already is no error.
    pub(super) async fn make(&self, change: &Change, through: &mut Through) -> Result<(), RoutesError> {
        match change {
            Change::TurnOnForwarding { is_ipv4 } => self.forwarding.turn_on(*is_ipv4),
            Change::RemoveDevice(link) => {
                gone_is_fine("remove a device", self.handle.link().del(*link).execute().await)
            }
            Change::AddDevice(device) => self.add_device(device, through).await,
            Change::PutDeviceRight(link, device) => self.put_device_right(*link, device).await,
            Change::SetDeviceAddress(link, mac) => {
                let message = LinkUnspec::new_with_index(*link).address(mac.0.to_vec()).build();
                let set = self.handle.link().set(message).execute().await;
                set.map_err(|error| failed("set the address of the device of pod routes", &error))
            }
            Change::AddAddress(address) => self.add_address(through.index()?, *address).await,
            Change::RemoveAddress { link, address, bits } => self.remove_address(*link, *address, *bits).await,
            Change::SetForward { mac, to } => {
                let entry = self.handle.neighbours().add_bridge(through.index()?, &mac.0).destination(*to);
                let set = entry.flags(NeighbourFlags::Own).replace().execute().await;
                set.map_err(|error| failed("say which host has a device", &error))
            }
            Change::RemoveForward(forward) => {
                let message = forward_message(*forward);
                gone_is_fine("forget which host has a device", self.handle.neighbours().del(message).execute().await)
            }
            Change::SetNeighbour { address, mac } => {
                let entry = self.handle.neighbours().add(through.index()?, *address).link_layer_address(&mac.0);
                let set = entry.replace().execute().await;
                set.map_err(|error| failed("say which device has an address", &error))
            }
            Change::RemoveNeighbour(neighbour) => {
                let message = neighbour_message(*neighbour);
                gone_is_fine(
                    "forget which device has an address",
                    self.handle.neighbours().del(message).execute().await,
                )
            }
            Change::AddRoute { range, way } => self.set_route(*range, *way, *through, false).await,
            Change::ReplaceRoute { range, way } => self.set_route(*range, *way, *through, true).await,
            Change::RemoveRoute(route) => {
                gone_is_fine("remove a route", self.handle.route().del(removal(route)).execute().await)
            }
        }
    }

    async fn add_device(&self, device: &Device, through: &mut Through) -> Result<(), RoutesError> {
        let tunnel = &device.tunnel;
        let made =
            LinkVxlan::new(&device.name, tunnel.vni).port(tunnel.port).dev(tunnel.underlay).learning(tunnel.learns);
        let made = match tunnel.local {
            Some(IpAddr::V4(address)) => made.local(address),
            Some(IpAddr::V6(address)) => made.local6(address),
            None => made,
        };
        let message = made.mtu(device.mtu).address(device.mac.0.to_vec()).build();
        let added = self.handle.link().add(message).execute().await;
        added.map_err(|error| match errno(&error) {
            Some(Errno::EEXIST) => unavailable(
                format!(
                    "another device has VNI {} at port {} already, or the name {}: choose others for pod routes",
                    tunnel.vni, tunnel.port, device.name
                ),
                true,
            ),
            _ => failed("make the device of pod routes", &error),
        })?;
        let look = self.handle.link().get().match_name(&device.name).execute().try_next().await;
        let link = look.map_err(|error| failed("look for the device of pod routes", &error))?;
        through.0 = link.map(|link| link.header.index);
        let index = through.index()?;
        // Linux takes no alias with the request that makes a device.
        self.put_device_right(index, device).await?;
        for address in &device.addresses {
            self.add_address(index, *address).await?;
        }
        Ok(())
    }

    async fn put_device_right(&self, link: u32, device: &Device) -> Result<(), RoutesError> {
        let marked = LinkUnspec::new_with_index(link).append_extra_attribute(LinkAttribute::IfAlias(ALIAS.to_owned()));
        let message = marked.mtu(device.mtu).up().build();
        let set = self.handle.link().set(message).execute().await;
        set.map_err(|error| failed("set up the device of pod routes", &error))
    }

    async fn add_address(&self, link: u32, address: IpAddr) -> Result<(), RoutesError> {
        let mut request = self.handle.address().add(link, address, host_bits(address)).replace();
        // Nobody else can have it, and looking for others would take a second.
        request.message_mut().header.flags |= AddressHeaderFlags::Nodad;
        request.execute().await.map_err(|error| failed("give the device of pod routes an address", &error))
    }

    async fn remove_address(&self, link: u32, address: IpAddr, bits: u8) -> Result<(), RoutesError> {
        let mut message = self.handle.address().add(link, address, bits);
        let removed = self.handle.address().del(message.message_mut().clone()).execute().await;
        gone_is_fine("remove an address", removed)
    }

    async fn set_route(&self, range: Cidr, way: Way, through: Through, replace: bool) -> Result<(), RoutesError> {
        let request = self.handle.route().add(route_to(range, way, through)?);
        let set = if replace { request.replace() } else { request }.execute().await;
        set.map_err(|error| failed(format_args!("set a route to {range}"), &error))
    }
}

fn route_to(range: Cidr, way: Way, through: Through) -> Result<RouteMessage, RoutesError> {
    let nowhere = || unavailable(format!("{range} has no first address"), false);
    let first = range.address(0).ok_or_else(nowhere)?;
    let (via, link) = match way {
        Way::Link { via, link } => (via, link),
        Way::Tunnel { .. } => (first, through.index()?),
    };
    let builder = RouteMessageBuilder::<IpAddr>::new().protocol(RouteProtocol::Other(PROTOCOL)).output_interface(link);
    let mixed = |_| unavailable(format!("{range} and {via} are of different families"), false);
    let builder = builder.destination_prefix(first, range.bits()).map_err(mixed)?.gateway(via).map_err(mixed)?;
    // The other end of the tunnel has no address on it that the kernel would know.
    let is_tunnel = matches!(way, Way::Tunnel { .. });
    Ok(if is_tunnel { builder.onlink() } else { builder }.build())
}

/// The message that removes exactly this route.
fn removal(route: &Route) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = if route.range.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.destination_prefix_length = route.range.bits();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Other(route.protocol);
    if let Some(first) = route.range.address(0) {
        message.attributes.push(RouteAttribute::Destination(RouteAddress::from(first)));
    }
    message.attributes.push(RouteAttribute::Priority(route.metric));
    message.attributes.extend(route.via.map(|via| RouteAttribute::Gateway(RouteAddress::from(via))));
    message.attributes.extend(route.link.map(RouteAttribute::Oif));
    message
}

fn neighbour_message(neighbour: Neighbour) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.ifindex = neighbour.link;
    let (family, address) = match neighbour.address {
        IpAddr::V4(address) => (AddressFamily::Inet, NeighbourAddress::Inet(address)),
        IpAddr::V6(address) => (AddressFamily::Inet6, NeighbourAddress::Inet6(address)),
    };
    message.header.family = family;
    message.attributes.push(NeighbourAttribute::Destination(address));
    message
}

fn forward_message(forward: Forward) -> NeighbourMessage {
    let Forward { link, mac: Mac(mac), to } = forward;
    let mut message = NeighbourMessage::default();
    message.header.ifindex = link;
    message.header.family = AddressFamily::Bridge;
    message.header.flags = NeighbourFlags::Own;
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.to_vec()));
    message.attributes.push(NeighbourAttribute::Destination(match to {
        IpAddr::V4(address) => NeighbourAddress::Inet(address),
        IpAddr::V6(address) => NeighbourAddress::Inet6(address),
    }));
    message
}

fn gone_is_fine(doing: &str, result: Result<(), rtnetlink::Error>) -> Result<(), RoutesError> {
    match result {
        Err(error)
            if !matches!(errno(&error), Some(Errno::ENODEV | Errno::ESRCH | Errno::ENOENT | Errno::EADDRNOTAVAIL)) =>
        {
            Err(failed(doing, &error))
        }
        _ => Ok(()),
    }
}

fn errno(error: &rtnetlink::Error) -> Option<Errno> {
    match error {
        rtnetlink::Error::NetlinkError(message) => Some(Errno::from_raw(-message.raw_code())),
        _ => None,
    }
}

fn failed(doing: impl std::fmt::Display, error: &rtnetlink::Error) -> RoutesError {
    let (advice, transient) = match errno(error) {
        Some(Errno::EPERM | Errno::EACCES) => ("; it takes the capability CAP_NET_ADMIN in the host's network", false),
        Some(Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT) => ("; the kernel lacks VXLAN or IPv6", false),
        _ => ("", true),
    };
    let source: Option<Box<dyn std::error::Error + Send + Sync>> = Some(Box::new(error.clone()));
    RoutesError::Unavailable { message: format!("cannot {doing}: {error}{advice}"), transient, source }
}

pub(super) fn unavailable(message: String, transient: bool) -> RoutesError {
    RoutesError::Unavailable { message, transient, source: None }
}
