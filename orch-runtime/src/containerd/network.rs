//! [`Network`]: the bridge, and each pod's devices, addresses and route. [`next_free`] chooses an address.
//!
//! The bridge is in the network namespace of the thread that opened the runtime: its sockets stay there.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd as _;
use std::path::Path;

use futures::TryStreamExt as _;
use nix::errno::Errno;
use rtnetlink::packet_route::link::{InfoData, InfoVeth, LinkAttribute, LinkMessage};
use rtnetlink::{Handle, LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder};
use tokio::sync::OnceCell;

use super::config::{PodNetwork, Subnet};
use super::error::{Failure, Meaning};
use super::namespace;

/// What a pod calls its device.
const POD_DEVICE: &str = "eth0";
/// The alias of a bridge that a runtime made: others' are not ours to remove.
const MADE: &str = "made by orch-runtime";

/// The network of pods.
#[derive(Debug)]
pub(super) struct Network {
    config: PodNetwork,
    handle: Handle,
    bridge: OnceCell<()>,
    /// Held while devices are listed: the kernel refuses a second listing on the same socket.
    listing: tokio::sync::Mutex<()>,
}

impl Network {
    pub(super) fn open(config: &PodNetwork) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::new(Meaning::Refused, format!("cannot speak netlink: {error}"));
        let (connection, handle, _) = rtnetlink::new_connection().map_err(failed)?;
        tokio::spawn(connection);
        Ok(Self { config: config.clone(), handle, bridge: OnceCell::new(), listing: tokio::sync::Mutex::default() })
    }

    /// The names of all devices of the node.
    pub(super) async fn devices(&self) -> Result<BTreeSet<String>, Failure> {
        Ok(self.links().await?.iter().filter_map(|link| name(link).map(str::to_owned)).collect())
    }

    async fn links(&self) -> Result<Vec<LinkMessage>, Failure> {
        let _one_at_a_time = self.listing.lock().await;
        self.handle.link().get().execute().try_collect().await.map_err(|error| failed("list devices", &error))
    }

    /// Joins a pod's namespace to the bridge; whatever there was of it is replaced.
    pub(super) async fn join(&self, device: &str, namespace: &Path, ip: Ipv4Addr) -> Result<(), Failure> {
        let bridge = self.bridge().await?;
        self.leave(device).await?;
        let file = File::open(namespace).map_err(|error| Failure::io("cannot open", namespace, error))?;
        let peer = LinkMessageBuilder::<LinkUnspec>::new().name(POD_DEVICE).setns_by_fd(file.as_raw_fd()).build();
        let pair = LinkVeth::new(device, POD_DEVICE).set_info_data(InfoData::Veth(InfoVeth::Peer(peer)));
        let added = self.handle.link().add(pair.controller(bridge).up().build()).execute().await;
        added.map_err(|error| failed("make a device for a pod", &error))?;
        let inside = handle_inside(namespace).await?;
        up(&inside, "lo", None).await?;
        let index = up(&inside, POD_DEVICE, Some((ip, self.config.subnet))).await?;
        let route =
            RouteMessageBuilder::<Ipv4Addr>::new().gateway(self.config.subnet.gateway()).output_interface(index);
        let added = inside.route().add(route.build()).execute().await;
        added.map_err(|error| failed("set a pod's route", &error))
    }

    /// Removes a pod's device, if it is there, and with it the one in the pod.
    pub(super) async fn leave(&self, device: &str) -> Result<(), Failure> {
        let Some(index) = index(&self.handle, device).await? else { return Ok(()) };
        delete(&self.handle, index).await.map_err(|error| failed("remove a pod's device", &error))
    }

    /// Removes the bridge if a runtime made it and nothing is joined to it. It is made again when a pod is to join, and none
    /// may join meanwhile.
    pub(super) async fn close(&self) -> Result<(), Failure> {
        let links = self.links().await?;
        let is_ours = |link: &&LinkMessage| {
            name(link) == Some(self.config.bridge.as_str())
                && link.attributes.contains(&LinkAttribute::IfAlias(MADE.to_owned()))
        };
        let Some(index) = links.iter().find(is_ours).map(|link| link.header.index) else { return Ok(()) };
        if links.iter().any(|link| link.attributes.contains(&LinkAttribute::Controller(index))) {
            return Ok(());
        }
        delete(&self.handle, index).await.map_err(|error| failed("remove the bridge", &error))
    }

    /// The bridge, made if it is not there.
    async fn bridge(&self) -> Result<u32, Failure> {
        let name = self.config.bridge.as_str();
        // That others removed it is seen when a pod is to join: then it is made again.
        if let (Some(()), Some(index)) = (self.bridge.get(), index(&self.handle, name).await?) {
            return Ok(index);
        }
        let mut made = false;
        if index(&self.handle, name).await?.is_none() {
            match self.handle.link().add(LinkBridge::new(name).build()).execute().await {
                Err(error) if errno(&error) != Some(Errno::EEXIST) => return Err(failed("make the bridge", &error)),
                result => made = result.is_ok(),
            }
        }
        let subnet = self.config.subnet;
        let index = up(&self.handle, name, Some((subnet.gateway(), subnet))).await?;
        if made {
            // Linux takes no alias with the request that makes a device.
            let marked =
                LinkUnspec::new_with_index(index).append_extra_attribute(LinkAttribute::IfAlias(MADE.to_owned()));
            let marked = self.handle.link().set(marked.build()).execute().await;
            marked.map_err(|error| failed("mark the bridge", &error))?;
        }
        // Another task may have come first.
        let _ = self.bridge.set(());
        Ok(index)
    }
}

/// The next address after the last one that was given, so that one that was given back is not used again soon.
pub(super) fn next_free(subnet: Subnet, last: Option<Ipv4Addr>, used: &BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
    let pods = subnet.pods();
    let after = last.map(|last| u32::from(last) + 1).filter(|after| pods.contains(after)).unwrap_or(pods.start);
    (after..pods.end).chain(pods.start..after).map(Ipv4Addr::from).find(|address| !used.contains(address))
}

/// Netlink in a pod's namespace.
async fn handle_inside(namespace: &Path) -> Result<Handle, Failure> {
    let (runtime, path) = (tokio::runtime::Handle::current(), namespace.to_owned());
    let opened = tokio::task::spawn_blocking(move || {
        namespace::inside(&path, move || {
            let _entered = runtime.enter();
            let (connection, handle, _) = rtnetlink::new_connection()?;
            runtime.spawn(connection);
            Ok(handle)
        })
    });
    let opened = opened.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    opened.map_err(|error| Failure::io("cannot enter the network of", namespace, error))
}

/// Gives a device its address, and turns it on. Returns its index.
async fn up(handle: &Handle, device: &str, address: Option<(Ipv4Addr, Subnet)>) -> Result<u32, Failure> {
    let Some(index) = index(handle, device).await? else {
        let message = format!("the device {device} is gone: somebody else removed it");
        return Err(Failure::new(Meaning::Transient, message));
    };
    if let Some((ip, subnet)) = address {
        match handle.address().add(index, IpAddr::V4(ip), subnet.bits()).execute().await {
            Err(error) if errno(&error) != Some(Errno::EEXIST) => return Err(failed("set an address", &error)),
            _ => {}
        }
    }
    let turned_on = handle.link().set(LinkUnspec::new_with_index(index).up().build()).execute().await;
    turned_on.map_err(|error| failed("turn a device on", &error))?;
    Ok(index)
}

/// Removes a device. One that is gone is removed.
async fn delete(handle: &Handle, index: u32) -> Result<(), rtnetlink::Error> {
    match handle.link().del(index).execute().await {
        Err(error) if errno(&error) == Some(Errno::ENODEV) => Ok(()),
        result => result,
    }
}

async fn index(handle: &Handle, device: &str) -> Result<Option<u32>, Failure> {
    match handle.link().get().match_name(device.to_owned()).execute().try_next().await {
        Ok(link) => Ok(link.map(|link| link.header.index)),
        Err(error) if errno(&error) == Some(Errno::ENODEV) => Ok(None),
        Err(error) => Err(failed("look for a device", &error)),
    }
}

fn name(link: &LinkMessage) -> Option<&str> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.as_str()),
        _ => None,
    })
}

fn errno(error: &rtnetlink::Error) -> Option<Errno> {
    match error {
        rtnetlink::Error::NetlinkError(message) => Some(Errno::from_raw(-message.raw_code())),
        _ => None,
    }
}

fn failed(doing: &str, error: &rtnetlink::Error) -> Failure {
    let lasting = matches!(errno(error), Some(Errno::EPERM | Errno::EOPNOTSUPP));
    let meaning = if lasting { Meaning::Refused } else { Meaning::Transient };
    Failure::new(meaning, format!("the network of pods: cannot {doing}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_given_in_turn_until_there_is_none() {
        let subnet: Subnet = "10.1.2.8/29".parse().expect("a subnet");
        let (mut used, mut last) = (BTreeSet::new(), None);
        for expected in ["10.1.2.10", "10.1.2.11", "10.1.2.12", "10.1.2.13", "10.1.2.14"] {
            let address = next_free(subnet, last, &used).expect("an address");
            assert_eq!(address.to_string(), expected);
            used.insert(address);
            last = Some(address);
        }
        assert_eq!(next_free(subnet, last, &used), None);
        used.remove(&"10.1.2.10".parse().expect("an address"));
        assert_eq!(next_free(subnet, last, &used).expect("an address").to_string(), "10.1.2.10");
    }
}
