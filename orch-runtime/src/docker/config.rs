//! [`DockerConfig`]: where the daemon is, and what containers get.

use std::path::PathBuf;
use std::time::Duration;

use super::Scope;
use crate::pod_network::PodNetwork;

/// How a [`DockerRuntime`](super::DockerRuntime) works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerConfig {
    /// The daemon's socket.
    pub socket: PathBuf,
    /// The folder in which it is written down what was started, so that nothing is started again after its container
    /// was removed. It is made if it is not there, readable by its owner only. One runtime at a time may use it.
    pub root: PathBuf,
    /// What tells the containers of this runtime from those of others on the same daemon.
    pub scope: Scope,
    /// A network of this runtime's own for pods: a bridge that the daemon knows nothing of, in the network of the thread that
    /// opens the runtime. `None`: pods are in a network of the daemon's.
    ///
    /// What pods send is routed, to their neighbours, too, so it passes Docker's firewall. Where Docker was the first to turn
    /// routing on, that drops what is not its own (`iptables -S FORWARD` shows `-P FORWARD DROP`), and pods reach one another
    /// and the world only once it is told to let them: `iptables -I DOCKER-USER -i BRIDGE -j ACCEPT`, and the same with `-o`.
    /// The runtime does not change others' rules.
    pub network: Option<PodNetwork>,
    /// The daemon's network that pods get their addresses from where there is no other.
    pub daemon_network: String,
    /// How long the daemon may take for a request that does not wait for a container; starting one is the longest.
    pub timeout: Duration,
    /// Of each attempt's output the last bytes are kept: about this many, and at most twice as many.
    pub log_bytes: u64,
}

impl DockerConfig {
    /// The defaults: the usual socket, Docker's network `bridge`, two minutes, 10 MiB of output.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>, scope: Scope) -> Self {
        Self {
            socket: PathBuf::from("/var/run/docker.sock"),
            root: root.into(),
            scope,
            network: None,
            daemon_network: "bridge".to_owned(),
            timeout: Duration::from_secs(120),
            log_bytes: 10 << 20,
        }
    }
}
