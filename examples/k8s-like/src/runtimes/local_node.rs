//! [`LocalNode`]: a node that runs from a state folder.

use std::net::IpAddr;

use orch_core::network::Cidr;

use super::RuntimeKind;

/// A node that runs from a state folder of this machine: what the rest of the cluster knows it by, and where its pods get
/// their addresses from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalNode {
    /// Which one of this state folder, counted from 1: its records are found by it.
    pub(crate) number: u8,
    /// The name of its object.
    pub(crate) name: String,
    /// Its own address, which pods have that get none.
    pub(crate) ip: IpAddr,
    /// Loopback addresses, for pods that are processes and not joined to a bridge. `None`: those have the node's.
    pub(crate) loopback: Option<Cidr>,
    /// Addresses of pods that have networks of their own.
    pub(crate) subnet: Cidr,
    /// Whether processes and containers of Docker are joined to the node's bridge, as containers of containerd always are.
    pub(crate) is_bridged: bool,
    /// How large a packet of a pod may be, if that is not what the machine's link carries.
    pub(crate) mtu: Option<u32>,
}

impl LocalNode {
    /// Whether pods have networks of their own on the node's bridge.
    pub(crate) fn has_bridge(&self, runtime: RuntimeKind) -> bool {
        self.is_bridged || runtime == RuntimeKind::Containerd
    }
}
