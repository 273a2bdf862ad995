//! What there is in the kernel, and what there should be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use orch_core::network::Cidr;

/// The kernel keeps with each route who set it. This is nobody else's number.
pub(super) const PROTOCOL: u8 = 79;

/// The alias of devices that are ours.
pub(super) const ALIAS: &str = "made by orch-net";

/// The address of an Ethernet device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Mac(pub(super) [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which families of addresses are forwarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Forwarding {
    pub(super) v4: bool,
    pub(super) v6: bool,
}

/// What there is, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Observed {
    pub(super) links: Vec<Link>,
    pub(super) addresses: Vec<Address>,
    /// Those of the main table.
    pub(super) routes: Vec<Route>,
    /// Those that were set by somebody, of tunnels.
    pub(super) neighbours: Vec<Neighbour>,
    /// Those of tunnels.
    pub(super) forwards: Vec<Forward>,
    pub(super) forwarding: Forwarding,
}

/// A network device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) mtu: u32,
    pub(super) is_up: bool,
    pub(super) is_loopback: bool,
    pub(super) alias: Option<String>,
    pub(super) mac: Option<Mac>,
    pub(super) tunnel: Option<Tunnel>,
}

/// How a device of VXLAN was made. It cannot be altered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tunnel {
    pub(super) vni: u32,
    pub(super) port: u16,
    /// The device that carries it.
    pub(super) underlay: u32,
    pub(super) local: Option<IpAddr>,
    /// Whether it believes what passing packets say.
    pub(super) learns: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) link: u32,
    pub(super) address: IpAddr,
    pub(super) bits: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) range: Cidr,
    pub(super) via: Option<IpAddr>,
    pub(super) link: Option<u32>,
    pub(super) metric: u32,
    /// Who set it.
    pub(super) protocol: u8,
    /// Whether there is nothing more to it.
    pub(super) is_plain: bool,
}

impl Route {
    pub(super) fn is_ours(&self) -> bool {
        self.protocol == PROTOCOL
    }

    /// Whether it is where the kernel puts one of which no metric is said.
    pub(super) fn has_default_metric(&self) -> bool {
        self.metric == if self.range.is_ipv4() { 0 } else { 1024 }
    }
}

/// Which device has an address, said once and for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Neighbour {
    pub(super) link: u32,
    pub(super) address: IpAddr,
    pub(super) mac: Mac,
}

/// Which host has a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Forward {
    pub(super) link: u32,
    pub(super) mac: Mac,
    pub(super) to: IpAddr,
}

/// What there should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) device: Option<Device>,
    pub(super) leads: BTreeMap<Cidr, Lead>,
    pub(super) forwarding: Forwarding,
}

/// A device of VXLAN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) name: String,
    pub(super) tunnel: Tunnel,
    pub(super) mtu: u32,
    pub(super) mac: Mac,
    /// What the host itself sends to pods from.
    pub(super) addresses: BTreeSet<IpAddr>,
}

/// Where a range is led.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lead {
    pub(super) host: String,
    pub(super) way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To a host on the same link.
    Link { via: IpAddr, link: u32 },
    /// Through the tunnel. The device at its other end takes what is for the first address of the range, too.
    Tunnel { mac: Mac, to: IpAddr },
}

impl Observed {
    pub(super) fn link(&self, index: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }

    /// Our device: what bears our mark, or the one that is wanted and could not be marked any more.
    pub(super) fn our_devices<'a>(&'a self, wanted: Option<&'a Device>) -> impl Iterator<Item = &'a Link> {
        let is_ours = move |link: &&Link| {
            let unmarked = |device: &Device| link.name == device.name && link.mac == Some(device.mac);
            link.tunnel.is_some() && (link.alias.as_deref() == Some(ALIAS) || wanted.is_some_and(unmarked))
        };
        self.links.iter().filter(is_ours)
    }

    /// The link on which an address is reached without a router.
    pub(super) fn link_to(&self, address: IpAddr) -> Option<&Link> {
        let reaches = |found: &&Address| {
            Cidr::around(found.address, found.bits).is_some_and(|range| range.place(address).is_some())
        };
        let usable = |link: &&Link| link.is_up && !link.is_loopback && link.tunnel.is_none();
        let links = self.addresses.iter().filter(reaches);
        links.max_by_key(|found| found.bits).and_then(|found| self.link(found.link)).filter(usable)
    }

    /// The addresses with their links, for people.
    pub(super) fn links_for_people(&self) -> String {
        let shown = |found: &Address| {
            let link = self.link(found.link).filter(|link| !link.is_loopback)?;
            Some(format!("{} has {}/{}", link.name, found.address, found.bits))
        };
        let shown: Vec<_> = self.addresses.iter().filter_map(shown).collect();
        if shown.is_empty() { "it has no address".to_owned() } else { shown.join(", ") }
    }
}

impl Wanted {
    /// What there is of ours, so that it can be had again.
    pub(super) fn as_observed(observed: &Observed) -> Self {
        let link = observed.our_devices(None).next();
        let of_device = |route: &&Route| link.is_some_and(|link| route.link == Some(link.index));
        let through = |route: &Route| {
            let of_link = |index| link.is_some_and(|link| link.index == index);
            let neighbour =
                observed.neighbours.iter().find(|one| of_link(one.link) && Some(one.address) == route.via)?;
            let forward = observed.forwards.iter().find(|one| of_link(one.link) && one.mac == neighbour.mac)?;
            Some(Way::Tunnel { mac: neighbour.mac, to: forward.to })
        };
        let lead = |route: &Route| {
            let way =
                if of_device(&route) { through(route)? } else { Way::Link { via: route.via?, link: route.link? } };
            Some((route.range, Lead { host: String::new(), way }))
        };
        let device = link.and_then(|link| {
            let addresses =
                observed.addresses.iter().filter(|found| found.link == link.index).map(|found| found.address);
            Some(Device {
                name: link.name.clone(),
                tunnel: link.tunnel.clone()?,
                mtu: link.mtu,
                mac: link.mac?,
                addresses: addresses.filter(|address| !is_link_local(*address)).collect(),
            })
        });
        let leads = observed.routes.iter().filter(|route| route.is_ours()).filter_map(lead).collect();
        Self { device, leads, forwarding: Forwarding::default() }
    }

    /// The host that a device is of.
    pub(super) fn host_of(&self, mac: Mac) -> Option<&str> {
        let has = |lead: &&Lead| matches!(lead.way, Way::Tunnel { mac: its, .. } if its == mac);
        self.leads.values().find(has).map(|lead| lead.host.as_str())
    }
}

/// Whether Linux gives such an address to devices by itself.
pub(super) fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}
