//! Where things are: folders, and the addresses of pods and services.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use orch_core::network::Cidr;

use crate::runtimes::{LocalNode, RuntimeKind};

/// Where a cluster keeps its things.
///
/// All of 127.0.0.0/8 is this machine, so a cluster takes a block of 65,536 addresses from it: those ending in `.0.x` are
/// its services', those in `.n.x` the pods' of node n. The block follows from the state folder, so that clusters beside
/// each other seldom share one, and the same cluster finds its own again. Where two share one nevertheless, their services
/// seldom have the same address.
///
/// Where pods have networks of their own, they and the services that the kernel leads to have addresses of the same form in
/// 10.0.0.0/8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    state_dir: PathBuf,
    block: u8,
}

/// Longer ones the kernel does not take.
const SOCKET_PATH_MAX: usize = 108;

/// Blocks that are handed out: 127.0 and 127.1 are where everybody else on the machine is.
const BLOCKS: std::ops::RangeInclusive<u8> = 16..=239;

impl Layout {
    /// The layout of the cluster whose state is in this folder.
    pub(crate) fn new(state_dir: PathBuf) -> Self {
        let choices = u64::from(*BLOCKS.end() - *BLOCKS.start()) + 1;
        let choice = u8::try_from(hash(&state_dir) % choices).unwrap_or_default();
        Self { block: *BLOCKS.start() + choice, state_dir }
    }

    /// The layout in the folder that was chosen, or else in the one that belongs to the manifest.
    pub(crate) fn chosen(state_dir: Option<&Path>, manifest: &Path) -> Self {
        let folder = state_dir.map_or_else(|| Self::default_state_dir(manifest), Path::to_owned);
        Self::new(std::path::absolute(&folder).unwrap_or(folder))
    }

    /// The state folder of a manifest for which none was chosen.
    pub(crate) fn default_state_dir(manifest: &Path) -> PathBuf {
        let manifest = std::path::absolute(manifest).unwrap_or_else(|_| manifest.to_owned());
        // Two users have each their own, so that neither can prepare the other's.
        let user = nix::unistd::Uid::current();
        std::env::temp_dir().join(format!("k8s-like-{user}-{:016x}", hash(&manifest)))
    }

    /// The folder of everything.
    pub(crate) fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// The folder of a node's runtime. Each kind has its own: what one left is nothing to the other.
    pub(crate) fn node_dir(&self, node: u8, kind: RuntimeKind) -> PathBuf {
        let name = node_name(node);
        self.state_dir.join(match kind {
            RuntimeKind::Process => name,
            kind => format!("{name}.{}", kind.word()),
        })
    }

    /// Where the cluster answers. Paths of sockets must be short: where this one is not, it is below the temporary folder.
    pub(crate) fn socket(&self) -> PathBuf {
        let socket = self.state_dir.join("api.sock");
        if socket.as_os_str().len() < SOCKET_PATH_MAX {
            return socket;
        }
        let user = nix::unistd::Uid::current();
        std::env::temp_dir().join(format!("k8s-like-{user}-{:016x}.sock", hash(&self.state_dir)))
    }

    /// The folder of a node's volumes, whatever its runtime.
    pub(crate) fn volumes_dir(&self, node: u8) -> PathBuf {
        self.state_dir.join("volumes").join(node_name(node))
    }

    /// What marks a node's containers in a daemon that others use as well.
    pub(crate) fn mark(&self, node: u8) -> String {
        format!("k8s-like-{:08x}-{}", self.short_hash(), node_name(node))
    }

    /// The network device that a node's pods are connected by, where this program makes it.
    pub(crate) fn bridge(&self, node: u8) -> String {
        format!("k{:08x}n{node}", self.short_hash())
    }

    /// What marks what is this cluster's alone on this machine, in a few letters and digits.
    pub(crate) fn short_name(&self) -> String {
        format!("k8s-like-{:08x}", self.short_hash())
    }

    /// A node of a cluster that is all on this machine.
    pub(crate) fn node(&self, number: u8) -> LocalNode {
        LocalNode {
            number,
            name: node_name(number),
            ip: Ipv4Addr::LOCALHOST.into(),
            loopback: Some(range([127, self.block, number, 0])),
            subnet: range([10, self.block, number, 0]),
            is_bridged: false,
            mtu: None,
        }
    }

    fn short_hash(&self) -> u32 {
        u32::try_from(hash(&self.state_dir) & 0xffff_ffff).unwrap_or_default()
    }

    /// The addresses of services. They are given in random order, so two clusters that share a block seldom choose the
    /// same.
    pub(crate) fn service_addresses(&self) -> Cidr {
        range([127, self.block, 0, 0])
    }

    /// The addresses of services that the kernel leads to: it leads nothing that goes to loopback elsewhere.
    pub(crate) fn kernel_service_addresses(&self) -> Cidr {
        range([10, self.block, 0, 0])
    }

    /// All addresses that pods have where they have networks of their own.
    pub(crate) fn pod_networks(&self) -> Cidr {
        Cidr::new(Ipv4Addr::new(10, self.block, 0, 0).into(), 16).expect("a range that begins with its first address")
    }
}

fn range(first: [u8; 4]) -> Cidr {
    Cidr::new(Ipv4Addr::from(first).into(), 24).expect("a range that begins with its first address")
}

/// The name of a node; nodes count from 1.
pub(crate) fn node_name(node: u8) -> String {
    format!("node-{node}")
}

fn hash(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_finds_its_own_addresses_again_and_services_share_none_with_pods() {
        let layout = Layout::new("/var/lib/a".into());
        assert_eq!(layout, Layout::new("/var/lib/a".into()));
        let node = layout.node(1);
        let pods = node.loopback.expect("loopback addresses");
        assert!(BLOCKS.contains(&layout.block));
        assert_eq!(pods.to_string(), format!("127.{}.1.0/24", layout.block));
        assert_eq!(layout.service_addresses().to_string(), format!("127.{}.0.0/24", layout.block));
        assert!(!layout.service_addresses().overlaps(&pods));
        assert!(!layout.kernel_service_addresses().overlaps(&node.subnet));
        assert!(layout.pod_networks().overlaps(&node.subnet));
    }
}
