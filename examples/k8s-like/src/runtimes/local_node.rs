//! [`LocalNode`]: a node that runs from a state folder.

use std::net::IpAddr;

use orch_core::network::Cidr;

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
    /// Loopback addresses, for pods that are processes. `None`: those have the node's.
    pub(crate) loopback: Option<Cidr>,
    /// Addresses of pods that have networks of their own.
    pub(crate) subnet: Cidr,
}

impl LocalNode {
    /// The only node of its machine, to which a control plane gave this range of pod addresses.
    pub(crate) fn member(name: String, ip: IpAddr, range: Cidr) -> Self {
        Self { number: 1, name, ip, loopback: None, subnet: range }
    }
}
