//! Service proxies: a whole service table made true on one node; routes between the pods of different hosts; and a name
//! server.
//!
//! - [`MemoryProxy`] answers where a connection would go, for tests and simulations;
//! - `NftablesProxy` (feature `nftables`) has the kernel lead connections, by tables of nftables;
//! - [`UserspaceProxy`] listens on the services' addresses and relays TCP connections and UDP datagrams. It needs no
//!   privileges.
//! - `IptablesProxy` (feature `iptables`) makes them rules of the kernel, through the programs of iptables.
//!
//! Pods of different hosts reach each other by
//!
//! - [`MemoryRoutes`], which say where a packet would go;
//! - `DirectRoutes` (feature `routes`), plain routes between hosts on one link;
//! - `VxlanRoutes` (feature `routes`), routes through a tunnel, to hosts anywhere.
//!
//! With the feature `dns`, `DnsServer` answers for the names of services and pods.
#![forbid(unsafe_code)]

mod balance;
#[cfg(any(feature = "iptables", feature = "nftables"))]
mod conntrack;
#[cfg(feature = "dns")]
mod dns;
#[cfg(any(feature = "iptables", feature = "nftables"))]
mod family;
#[cfg(feature = "iptables")]
mod iptables;
mod memory;
mod memory_routes;
#[cfg(any(feature = "iptables", feature = "nftables"))]
mod netlink;
#[cfg(feature = "nftables")]
mod nftables;
#[cfg(feature = "routes")]
mod routes;
mod served;
mod userspace;

#[cfg(feature = "dns")]
pub use dns::{DnsConfig, DnsError, DnsServer};
#[cfg(feature = "iptables")]
pub use iptables::{IptablesConfig, IptablesProxy, LastSync, NodeAddresses};
pub use memory::{MemoryConnection, MemoryProxy};
pub use memory_routes::{MemoryNetwork, MemoryRoutes};
#[cfg(feature = "nftables")]
pub use nftables::{InvalidTableName, NftablesConfig, NftablesProxy, TableName, Transaction};
#[cfg(feature = "routes")]
pub use routes::{DirectConfig, DirectRoutes, VxlanConfig, VxlanRoutes};
pub use served::{PortChange, Served};
pub use userspace::{FlowLimits, UserspaceConfig, UserspaceProxy};

#[cfg(doctest)]
#[doc = include_str!("../../docs/guides/proxy.md")]
struct Guide;
