//! [`Network`]: joins pods to the network of their node.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_core::clock::SystemClock;
use orch_core::runtime::{PodUid, RuntimeError};
use rtnetlink::packet_route::link::{InfoData, InfoVeth};
use rtnetlink::{LinkMessageBuilder, LinkUnspec, LinkVeth};
use sha2::{Digest as _, Sha256};

use super::addresses::Addresses;
use super::bridge::{ethernet, place};
use super::config::PodNetwork;
use super::netlink::{Link, Netlink, unavailable};
use crate::namespace;

/// What a pod calls its device.
const POD_DEVICE: &str = "eth0";
/// Either makes a pod take a shorter way of which it is told.
const HEEDS_REDIRECTS: [&str; 2] = ["conf/all/accept_redirects", "conf/eth0/accept_redirects"];
/// How the alias of a pod's device begins, once the pod is joined.
const JOINED: &str = "pod of ";

/// The network of pods, as one runtime looks after it. The bridge is in the network namespace that `netlink` speaks of.
#[derive(Debug)]
pub(crate) struct Network {
    pub(super) config: PodNetwork,
    pub(super) netlink: Netlink,
    /// Tells the devices of this runtime from those of others.
    scope: String,
    /// Where it is written down who has which address.
    book: PathBuf,
    /// Held by who reads or changes that.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Held while one looks after the bridge: whether anybody has.
    pub(super) bridge: tokio::sync::Mutex<bool>,
}

/// Which devices are joined to which namespaces, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Joined(BTreeMap<String, u64>);

/// What the alias of a pod's device says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Port<'a> {
    pub(super) bridge: &'a str,
    /// The number of the namespace that the other end is in.
    namespace: u64,
}

impl Network {
    pub(crate) fn new(config: PodNetwork, netlink: Netlink, scope: impl Into<String>, root: &Path) -> Self {
        let (turn, bridge) = Default::default();
        Self { config, netlink, scope: scope.into(), book: root.join("addresses.json"), turn, bridge }
    }

    /// Who has which address. Nobody else gives any as long as this is held.
    pub(crate) async fn addresses(&self) -> Result<Addresses, RuntimeError> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        Addresses::take(self.book.clone(), self.config.clone(), Arc::new(SystemClock), turn).await
    }

    /// Which pods are joined. Whoever lost the bridge, because others removed it, gets it back.
    pub(crate) async fn joined(&self) -> Result<Joined, RuntimeError> {
        let links = self.netlink.links().await?;
        if let Err(error) = self.repair(&links).await {
            tracing::warn!(%error, "pods have lost their bridge");
        }
        Ok(Joined(links.iter().filter_map(|link| Some((link.name.clone(), Port::of(link)?.namespace))).collect()))
    }

    /// Whether the pod's namespace, which is at this path, is joined.
    pub(crate) fn is_joined(&self, joined: &Joined, pod: &PodUid, namespace: &Path) -> bool {
        let number = namespace::number(namespace);
        number.is_some() && joined.0.get(&self.device(pod)) == number.as_ref()
    }

    /// Joins a pod's namespace to the bridge; whatever there was of it is replaced.
    pub(crate) async fn join(&self, pod: &PodUid, namespace: &File, ip: Ipv4Addr) -> Result<(), RuntimeError> {
        let subnet = self.config.subnet();
        if subnet.place(ip.into()).is_none() {
            let message =
                format!("pod {pod} has the address {ip}, and the network of pods is {subnet} now: remove the pod");
            return Err(RuntimeError::Unavailable { message, transient: false, source: None });
        }
        let number = namespace.metadata().map_err(|error| unavailable("cannot look at a namespace", error))?.ino();
        let bridge = self.bridge().await?;
        self.leave(pod).await?;
        let device = self.device(pod);
        let peer = LinkMessageBuilder::<LinkUnspec>::new()
            .name(POD_DEVICE)
            .mtu(bridge.mtu)
            .address(ethernet(ip))
            .setns_by_fd(namespace.as_raw_fd())
            .build();
        let pair = LinkVeth::new(&device, POD_DEVICE).set_info_data(InfoData::Veth(InfoVeth::Peer(peer)));
        let pair = pair.mtu(bridge.mtu).controller(bridge.index).up().build();
        if !self.netlink.make("make a device for a pod", pair).await? {
            let message =
                format!("the network of pods: pod {pod} has a device {POD_DEVICE} already, made by somebody else");
            return Err(RuntimeError::Unavailable { message, transient: true, source: None });
        }
        self.prepare(&Netlink::inside(namespace).await?, ip).await?;
        // The alias comes last, and says that it is done.
        let port = place(self.netlink.own(&device).await?.index);
        let port = port.alias(Port::alias(self.config.bridge().as_str(), number));
        self.netlink.change("set up a pod's place at the bridge", port.build()).await
    }

    /// What a pod sees: its own address, and one neighbour, the gateway. So what it sends to another pod of the bridge, or to
    /// itself by way of a service, passes the node's routing as everything else does.
    async fn prepare(&self, inside: &Netlink, ip: Ipv4Addr) -> Result<(), RuntimeError> {
        // The gateway tells of a shorter way to a pod of the same bridge.
        for setting in HEEDS_REDIRECTS {
            inside.set(setting, "0", "without which a pod sends past services").await?;
        }
        let loopback = inside.own("lo").await?.index;
        inside.change("turn a pod's loopback on", LinkUnspec::new_with_index(loopback).up().build()).await?;
        let index = inside.own(POD_DEVICE).await?.index;
        inside.address(index, ip, 32).await?;
        inside.change("turn a pod's device on", LinkUnspec::new_with_index(index).up().build()).await?;
        inside.lead_to(self.config.gateway(), index).await
    }

    /// Removes a pod's device, if it is there, and with it the one in the pod.
    pub(crate) async fn leave(&self, pod: &PodUid) -> Result<(), RuntimeError> {
        let Some(link) = self.netlink.link(&self.device(pod)).await? else { return Ok(()) };
        self.netlink.delete("remove a pod's device", link.index).await
    }

    /// The pod's end of its network in the node's namespace: at most 15 characters.
    fn device(&self, pod: &PodUid) -> String {
        let digest = Sha256::digest(format!("{}/{pod}", self.scope));
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("orch{}", &digits[..11])
    }
}

impl<'a> Port<'a> {
    fn alias(bridge: &str, namespace: u64) -> String {
        format!("{JOINED}{bridge} in {namespace}")
    }

    /// `None` for a device of others, or of a pod that is not joined yet.
    pub(super) fn of(link: &'a Link) -> Option<Self> {
        let (bridge, namespace) = link.alias.strip_prefix(JOINED)?.split_once(" in ")?;
        Some(Self { bridge, namespace: namespace.parse().ok()? })
    }
}
