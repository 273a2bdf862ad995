//! [`ProcessNetwork`], and what it means for a pod.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

use nix::sched::CloneFlags;
use nix::unistd::geteuid;
use orch_core::runtime::{PodUid, RuntimeError, SandboxSpec};

use super::AddressRange;
use super::pod::Pod;
use super::record::{RootFolder, SandboxRecord, make_folder};
use super::trouble::unavailable;
use crate::namespace;
use crate::pod_network::{Joined, Netlink, Network, PodNetwork};

/// What network the pods of a [`ProcessRuntime`](super::ProcessRuntime) have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProcessNetwork {
    /// The machine's own, and no addresses.
    #[default]
    Host,
    /// The machine's own, and a loopback address for each pod. Runtimes on one machine need ranges that do not overlap.
    Loopback(AddressRange),
    /// One of their own, joined to a bridge, except for those that ask for the machine's. It needs root. Runtimes on one
    /// machine need networks that do not overlap. The bridge is in the network of the thread that opens the runtime.
    Bridge(PodNetwork),
}

/// How a runtime gives pods their networks.
#[derive(Debug)]
pub(super) enum Connected {
    No,
    /// The address given last, or where to begin.
    Loopback(AddressRange, std::sync::Mutex<Option<Ipv4Addr>>),
    Bridge(Box<Network>),
}

/// What can be told of pods' networks at one moment.
#[derive(Debug, Default)]
pub(super) struct Networks(Joined);

impl ProcessNetwork {
    /// What of it belongs to the thread that opens the runtime.
    pub(super) fn netlink(&self) -> Result<Option<Netlink>, RuntimeError> {
        let Self::Bridge(network) = self else { return Ok(None) };
        if !geteuid().is_root() {
            let message = format!(
                "pods can be joined to the bridge {} by root alone: run the runtime as root, or give pods loopback addresses",
                network.bridge()
            );
            return Err(RuntimeError::Unavailable { message, transient: false, source: None });
        }
        Netlink::here().map(Some)
    }

    /// `latest` is the address of the pod that was made last.
    pub(super) fn connect(
        &self,
        netlink: Option<Netlink>,
        root: &RootFolder,
        latest: Option<Ipv4Addr>,
    ) -> Result<Connected, RuntimeError> {
        Ok(match (self, netlink) {
            (Self::Loopback(range), _) => {
                let begin = latest.unwrap_or_else(|| range.address(super::hash(&root.0)));
                Connected::Loopback(*range, Some(begin).into())
            }
            (Self::Bridge(network), Some(netlink)) => {
                let folder = root.namespaces();
                make_folder(&folder).map_err(|error| unavailable("cannot make", &folder, error))?;
                let scope = root.0.to_string_lossy();
                Connected::Bridge(Box::new(Network::new(network.clone(), netlink, scope, &root.0)))
            }
            _ => Connected::No,
        })
    }
}

impl Connected {
    fn bridge(&self) -> Option<&Network> {
        match self {
            Self::Bridge(network) => Some(network),
            _ => None,
        }
    }

    /// The address of a new pod, and whether it has a network of its own. Nobody else is asking.
    pub(super) async fn address(
        &self,
        spec: &SandboxSpec,
        pods: &BTreeMap<PodUid, Option<Ipv4Addr>>,
    ) -> Result<(Option<Ipv4Addr>, bool), RuntimeError> {
        match self {
            Self::Bridge(network) if !spec.host_network => {
                let address = network.addresses().await?.give(&spec.pod).await?;
                Ok((Some(address), true))
            }
            Self::Loopback(range, last) => {
                let mut last = last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let used = pods.values().flatten().copied().collect();
                let address = range.next_free(*last, &used).ok_or_else(|| {
                    let message =
                        format!("every address of {range} belongs to a pod: remove pods, or choose a larger range");
                    RuntimeError::Exhausted { what: "pod address", message }
                })?;
                *last = Some(address);
                Ok((Some(address), false))
            }
            _ => Ok((None, false)),
        }
    }

    /// Finds the pods' networks, and removes those of pods that there are no more.
    pub(super) async fn settle(
        &self,
        root: &RootFolder,
        pods: &BTreeMap<PodUid, Option<Ipv4Addr>>,
    ) -> Result<(), RuntimeError> {
        let folder = root.namespaces();
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(|error| unavailable("cannot read", &folder, error))?,
        };
        for entry in entries {
            let entry = entry.map_err(|error| unavailable("cannot read", &folder, error))?;
            let name = entry.file_name();
            let pod = name.to_str().and_then(|name| name.strip_prefix("net.")?.parse::<PodUid>().ok());
            if let Some(pod) = pod.filter(|pod| !pods.contains_key(pod)) {
                self.leave(root, &pod).await?;
            }
        }
        match self.bridge() {
            Some(network) => network.addresses().await?.settle(pods).await,
            None => Ok(()),
        }
    }

    /// What can be told now.
    pub(super) async fn look(&self) -> Result<Networks, RuntimeError> {
        match self.bridge() {
            Some(network) => Ok(Networks(network.joined().await?)),
            None => Ok(Networks::default()),
        }
    }

    /// Whether a pod's network is there.
    pub(super) fn is_there(&self, root: &RootFolder, networks: &Networks, record: &SandboxRecord) -> bool {
        let path = root.network(&record.spec.pod);
        match self.bridge() {
            _ if !record.own_network => true,
            Some(network) => network.is_joined(&networks.0, &record.spec.pod, &path),
            None => namespace::is_there(&path),
        }
    }

    /// Makes a pod's network, whatever there is of it already.
    pub(super) async fn make(&self, root: &RootFolder, record: &SandboxRecord) -> Result<(), RuntimeError> {
        let (Some(ip), true) = (record.ip, record.own_network) else { return Ok(()) };
        let pod = &record.spec.pod;
        let Some(network) = self.bridge() else {
            let message = format!(
                "pod {pod} had a network of its own, which this runtime does not make: remove it, or give the runtime a bridge"
            );
            return Err(RuntimeError::Unavailable { message, transient: false, source: None });
        };
        let path = root.network(pod);
        let made = on_disk(&path, |path| {
            namespace::make(vec![(CloneFlags::CLONE_NEWNET, path.to_owned())])?;
            File::open(path)
        });
        let net = made.await.map_err(|error| unavailable("cannot make a network namespace at", &path, error))?;
        network.join(pod, &net, ip).await
    }

    /// Removes a pod's network.
    pub(super) async fn leave(&self, root: &RootFolder, pod: &PodUid) -> Result<(), RuntimeError> {
        if let Some(network) = self.bridge() {
            network.leave(pod).await?;
        }
        let path = root.network(pod);
        let removed = on_disk(&path, namespace::remove).await;
        removed.map_err(|error| unavailable("cannot remove the network namespace at", &path, error))
    }

    /// The pod's address rests from now on.
    pub(super) async fn give_back(&self, pod: &PodUid) -> Result<(), RuntimeError> {
        match self.bridge() {
            Some(network) => network.addresses().await?.give_back(pod).await,
            None => Ok(()),
        }
    }

    /// Removes what all pods share, now that there is none.
    pub(super) async fn close(&self) -> Result<(), RuntimeError> {
        match self.bridge() {
            Some(network) => network.close().await,
            None => Ok(()),
        }
    }
}

/// The address of each pod.
pub(super) fn addresses<'a>(pods: impl Iterator<Item = &'a std::sync::Arc<Pod>>) -> BTreeMap<PodUid, Option<Ipv4Addr>> {
    pods.map(|pod| (pod.record.spec.pod.clone(), pod.record.ip)).collect()
}

async fn on_disk<T: Send + 'static>(
    path: &Path,
    act: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let path = path.to_owned();
    let done = tokio::task::spawn_blocking(move || act(&path)).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error)))
}
