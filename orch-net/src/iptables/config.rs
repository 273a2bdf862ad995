//! [`IptablesConfig`].

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How an [`IptablesProxy`](super::IptablesProxy) behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IptablesConfig {
    /// The addresses of the node at which node ports are served; by default [all](NodeAddresses::All).
    pub node_addresses: NodeAddresses,
    /// The networks of pods, each an address and how many of its bits are the network's. Who connects to a service's
    /// address from elsewhere is led on with an address of the node, so that the answer comes back this way. By default
    /// none are known, and everybody keeps their address there.
    pub pod_networks: BTreeSet<(IpAddr, u8)>,
    /// The bits of a packet's mark which say that it leaves with an address of the node; 0x1000 by default. No other
    /// program may use them.
    pub masquerade_mark: u32,
    /// How often the rules are read, and put right if somebody else changed them; every minute by default. `None`: only
    /// when [`check`](super::IptablesProxy::check) is called, at the first sync, and after one that failed.
    pub check_interval: Option<Duration>,
    /// How long a program may take for one change; 60 s by default. A first sync of ten thousand services takes some seconds.
    pub timeout: Duration,
    /// The folder that `iptables-restore`, `ip6tables-restore` and the like are in. By default they are looked for on
    /// the `PATH`.
    pub programs: Option<PathBuf>,
    /// What those programs have in their environment, besides what this process has.
    pub environment: BTreeMap<OsString, OsString>,
}

/// At which addresses of the node its ports are served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NodeAddresses {
    /// At every one, whichever it has at the moment, but not at those of loopback.
    #[default]
    All,
    /// At these.
    These(BTreeSet<IpAddr>),
}

impl Default for IptablesConfig {
    fn default() -> Self {
        Self {
            node_addresses: NodeAddresses::All,
            pod_networks: BTreeSet::new(),
            masquerade_mark: 0x1000,
            check_interval: Some(Duration::from_secs(60)),
            timeout: Duration::from_secs(60),
            programs: None,
            environment: BTreeMap::new(),
        }
    }
}
