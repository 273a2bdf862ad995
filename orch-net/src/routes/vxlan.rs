//! [`VxlanRoutes`]: routes through a tunnel, to hosts anywhere.

mod config;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use orch_core::network::{HostTable, PodRoutes, RoutesError, RoutesReport};
use sha2::{Digest as _, Sha256};

pub use config::VxlanConfig;

use super::kernel::unavailable;
use super::model::{Device, Lead, Link, Mac, Observed, Tunnel, Wanted, Way};
use super::syncer::{Kind, Syncer};
use super::wanted::{forwarding_for, refuse_own_addresses};

/// What VXLAN puts around a packet: an Ethernet header (14), its own (8), and those of UDP (8) and IP (20 or 40).
const OVERHEAD_V4: u32 = 50;
const OVERHEAD_V6: u32 = 70;

/// What IPv6 asks of every link (RFC 8200), and IPv4 of every host (RFC 1122).
const MTU_MIN_V6: u32 = 1280;
const MTU_MIN_V4: u32 = 576;

/// Routes through a device of VXLAN (RFC 7348): packets to pods travel inside of UDP from host to host, over any number of
/// routers. They may be smaller by what that takes: 50 bytes, or 70 where the hosts speak IPv6 with each other.
///
/// Beyond what all pod routes promise:
///
/// - Nothing is learned and nothing asked around: the device's address follows from the host's name, and who has which is
///   set with the routes. All hosts need the same [`VxlanConfig`].
/// - The hosts speak IPv4 with each other if all have such an address, and otherwise IPv6 if all have.
/// - The host itself reaches pods from the first address of its own pod range, which no pod must have.
/// - There is one device, and its routes stand in the main table with the protocol number 79. Both are known, also to one
///   that comes after it: dropping it leaves them, and only [`clear`](PodRoutes::clear) removes them.
/// - The host is told to forward packets of the families that are in the table.
///
/// Packets are not encrypted, and the port must not be open to others than the hosts. It works in the network namespace of
/// the thread that opens it, and takes the capability `CAP_NET_ADMIN` there.
#[derive(Debug)]
pub struct VxlanRoutes(Syncer<VxlanConfig>);

impl VxlanRoutes {
    /// Routes that lead nowhere yet. Call it in an async runtime.
    ///
    /// # Errors
    /// [`RoutesError::Unavailable`].
    pub fn open(config: VxlanConfig) -> Result<Self, RoutesError> {
        let check_every = config.check_every;
        Syncer::open(config, check_every).map(Self)
    }
}

#[async_trait]
impl PodRoutes for VxlanRoutes {
    async fn sync(&self, table: Arc<HostTable>) -> Result<RoutesReport, RoutesError> {
        self.0.sync(table).await
    }

    async fn clear(&self) -> Result<(), RoutesError> {
        self.0.clear().await
    }

    fn drifted(&self) -> BoxStream<'static, ()> {
        self.0.drifted()
    }
}

impl Kind for VxlanConfig {
    fn wanted(&self, table: &HostTable, observed: &Observed) -> Result<Wanted, RoutesError> {
        if table.others().all(|(_, host)| host.pod_ranges.is_empty()) {
            return Ok(Wanted::default());
        }
        refuse_own_addresses(table, observed)?;
        let is_ipv4 = family_between_hosts(table)?;
        let mut wanted = Wanted { forwarding: forwarding_for(table), ..Wanted::default() };
        wanted.device = Some(self.device(table, observed, is_ipv4)?);
        let mut macs = BTreeMap::from([(mac_of(table.own_name()), table.own_name())]);
        for (name, host) in table.others() {
            let Some(to) = host.address(is_ipv4) else { continue };
            let mac = mac_of(name);
            if let Some(other) = macs.insert(mac, name) {
                let message =
                    format!("its name gives the same device address {mac} as that of {other}: rename one of them");
                return Err(RoutesError::Unsupported { host: name.to_owned(), message });
            }
            for range in &host.pod_ranges {
                wanted.leads.insert(*range, Lead { host: name.to_owned(), way: Way::Tunnel { mac, to } });
            }
        }
        Ok(wanted)
    }
}

impl VxlanConfig {
    fn device(&self, table: &HostTable, observed: &Observed, is_ipv4: bool) -> Result<Device, RoutesError> {
        let (underlay, local) = underlay(table, observed, is_ipv4)?;
        let own_ranges = table.own().into_iter().flat_map(|host| &host.pod_ranges);
        let mut addresses = BTreeMap::new();
        for first in own_ranges.filter_map(|range| range.address(0)) {
            addresses.entry(first.is_ipv4()).or_insert(first);
        }
        Ok(Device {
            name: self.device.to_string(),
            tunnel: Tunnel {
                vni: self.vni,
                port: self.port,
                underlay: underlay.index,
                local: Some(local),
                learns: false,
            },
            mtu: self.mtu_over(table, underlay, is_ipv4)?,
            mac: mac_of(table.own_name()),
            addresses: addresses.into_values().collect(),
        })
    }

    /// How large a packet may be that is carried over this link.
    fn mtu_over(&self, table: &HostTable, underlay: &Link, is_ipv4: bool) -> Result<u32, RoutesError> {
        let overhead = if is_ipv4 { OVERHEAD_V4 } else { OVERHEAD_V6 };
        let most = underlay.mtu.saturating_sub(overhead);
        let mtu = self.mtu.unwrap_or(most);
        let Link { name, mtu: carried, .. } = underlay;
        if mtu > most {
            let message = format!(
                "an MTU of {mtu} does not fit into {name}, which carries {carried} bytes, {overhead} of them for VXLAN: set \
                 at most {most}, or none"
            );
            return Err(unavailable(message, true));
        }
        let has_v6 = table.iter().flat_map(|(_, host)| &host.pod_ranges).any(|range| !range.is_ipv4());
        let least = if has_v6 { MTU_MIN_V6 } else { MTU_MIN_V4 };
        if mtu < least {
            let message = format!(
                "over {name}, which carries {carried} bytes, packets to pods could have {mtu} at most, and must be allowed \
                 {least}: raise its MTU, or the one that is set"
            );
            return Err(unavailable(message, true));
        }
        Ok(mtu)
    }
}

/// The family in which all hosts with pods have an address: IPv4, if both would do.
fn family_between_hosts(table: &HostTable) -> Result<bool, RoutesError> {
    let lacks = |is_ipv4: bool| {
        let with_pods = table.iter().filter(|(_, host)| !host.pod_ranges.is_empty());
        with_pods.filter(move |(_, host)| host.address(is_ipv4).is_none()).map(|(name, _)| name).next()
    };
    match (lacks(true), lacks(false)) {
        (None, _) => Ok(true),
        (_, None) => Ok(false),
        (Some(without_v4), Some(without_v6)) => {
            // The own host cannot be left out.
            let host = if without_v4 == table.own_name() { without_v6 } else { without_v4 };
            let message = format!(
                "host {without_v4} has no IPv4 address and host {without_v6} no IPv6 address, so that there is none in which \
                 all hosts speak with each other: give one of them the other's"
            );
            Err(RoutesError::Unsupported { host: host.to_owned(), message })
        }
    }
}

/// The link over which this host speaks with the others, and its address there.
fn underlay<'a>(table: &HostTable, observed: &'a Observed, is_ipv4: bool) -> Result<(&'a Link, IpAddr), RoutesError> {
    let name = table.own_name();
    let local = table.own().and_then(|own| own.address(is_ipv4)).ok_or_else(|| {
        let family = if is_ipv4 { "IPv4" } else { "IPv6" };
        let message =
            format!("this host, {name}, has no {family} address in the table yet: a node tells its own by its status");
        unavailable(message, true)
    })?;
    let found = observed.addresses.iter().find(|found| found.address == local);
    let link = found.and_then(|found| observed.link(found.link)).ok_or_else(|| {
        let links = observed.links_for_people();
        let message =
            format!("this host, {name}, should have the address {local}, and has not ({links}): correct one of them");
        unavailable(message, true)
    })?;
    Ok((link, local))
}

/// The address of a host's device: one that is administered locally, for one device.
fn mac_of(host: &str) -> Mac {
    let hash = Sha256::digest(host);
    let mut mac = [0; 6];
    mac.iter_mut().zip(&hash).for_each(|(byte, hashed)| *byte = *hashed);
    mac[0] = mac[0] & 0xFC | 0x02;
    Mac(mac)
}
