//! [`ContainerdConfig`]: where containerd is, what is ours in it, and what pods get.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// How a [`ContainerdRuntime`](super::ContainerdRuntime) works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerdConfig {
    /// The socket that containerd listens on.
    pub socket: PathBuf,
    /// containerd's namespace in which everything of this runtime is. What is in it must be made by nobody else.
    pub namespace: ContainerdNamespace,
    /// The folder of what containerd does not keep: logs, the files that all containers of a pod see, and the pods'
    /// network namespaces. It is made if it is not there, readable by its owner only.
    pub root: PathBuf,
    /// What makes root file systems out of layers: `overlayfs`, or `native` where that is not to be had.
    pub snapshotter: Snapshotter,
    /// The network of pods. Runtimes on one machine need networks that do not overlap.
    pub network: PodNetwork,
    /// The program that writes the logs of each container.
    pub logger: Logger,
    /// Of each attempt's output the last bytes are kept: at least this many, and about twice as many at most.
    pub log_bytes: u64,
    /// The control group below which those of containers are made, `/orch` by default: an absolute path below the root of
    /// each hierarchy.
    pub cgroup_parent: PathBuf,
    /// How long containerd may take for what it does on its own disk; 10 seconds by default.
    pub timeout: Duration,
    /// How long it may take to make or remove a container; 2 minutes by default.
    pub start_timeout: Duration,
    /// The most bytes that an image may have, compressed or not; 64 GiB by default.
    pub image_bytes: u64,
}

impl ContainerdConfig {
    /// The defaults: Debian's socket, namespace `orch`, overlayfs, `10.88.0.0/16` on the bridge `orch0`, the current
    /// program writes logs, 10 MiB of each.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            socket: "/run/containerd/containerd.sock".into(),
            namespace: ContainerdNamespace("orch".to_owned()),
            root: root.into(),
            snapshotter: Snapshotter::Overlayfs,
            network: PodNetwork::default(),
            logger: Logger::CurrentExe,
            log_bytes: 10 << 20,
            cgroup_parent: "/orch".into(),
            timeout: Duration::from_secs(10),
            start_timeout: Duration::from_secs(120),
            image_bytes: 64 << 30,
        }
    }
}

/// The program that writes the logs of a container, and outlives the process that uses the runtime. See
/// [`run_logger_if_asked`](super::run_logger_if_asked).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Logger {
    /// The program that runs now. Its `main` must begin with [`run_logger_if_asked`](super::run_logger_if_asked).
    CurrentExe,
    /// Another program of which `main` begins so, such as this crate's binary `orch-logger`.
    Path(PathBuf),
}

/// What makes root file systems out of layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Snapshotter {
    /// The kernel shows layers as one: nothing is copied.
    #[default]
    Overlayfs,
    /// Every container gets a copy of its image.
    Native,
}

impl Snapshotter {
    /// What containerd calls it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overlayfs => "overlayfs",
            Self::Native => "native",
        }
    }
}

/// A namespace of containerd, checked: 1 to 40 of `a-z`, `0-9` and single `-`, `.` between them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContainerdNamespace(String);

impl ContainerdNamespace {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ContainerdNamespace {
    type Err = ContainerdConfigError;

    fn from_str(text: &str) -> Result<Self, ContainerdConfigError> {
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = text.len() <= 40 && text.split(['-', '.']).all(|part| !part.is_empty() && part.bytes().all(word));
        if fits { Ok(Self(text.to_owned())) } else { Err(ContainerdConfigError::Namespace { text: text.to_owned() }) }
    }
}

impl fmt::Display for ContainerdNamespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The network that pods are in: one bridge, a pair of virtual devices for each pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodNetwork {
    /// The bridge, which is made if it is not there.
    pub bridge: BridgeName,
    /// The addresses of pods. The first one is the bridge's own, and the pods' gateway.
    pub subnet: Subnet,
}

impl Default for PodNetwork {
    fn default() -> Self {
        let subnet = Subnet { base: Ipv4Addr::new(10, 88, 0, 0), bits: 16 };
        Self { bridge: BridgeName("orch0".to_owned()), subnet }
    }
}

/// The name of a network device, checked: 1 to 15 letters, digits, `-` and `_`, beginning with a letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BridgeName(String);

impl BridgeName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BridgeName {
    type Err = ContainerdConfigError;

    fn from_str(text: &str) -> Result<Self, ContainerdConfigError> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        if begins && text.len() <= 15 && text.bytes().all(word) {
            return Ok(Self(text.to_owned()));
        }
        Err(ContainerdConfigError::Bridge { text: text.to_owned() })
    }
}

impl fmt::Display for BridgeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A range of IPv4 addresses: `10.88.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    base: Ipv4Addr,
    bits: u8,
}

impl Subnet {
    /// How many bits all of its addresses have in common.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.bits
    }

    /// The first address that can be used: the gateway's.
    #[must_use]
    pub fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.base) + 1)
    }

    /// The pods' addresses: all but the network's own, the gateway's and the last, which means everybody.
    pub(super) fn pods(self) -> std::ops::Range<u32> {
        let size = 1u32 << (32 - self.bits);
        let base = u32::from(self.base);
        base + 2..base + (size - 1)
    }
}

impl FromStr for Subnet {
    type Err = ContainerdConfigError;

    fn from_str(text: &str) -> Result<Self, ContainerdConfigError> {
        let parsed = || {
            let (base, bits) = text.split_once('/')?;
            let (base, bits): (Ipv4Addr, u8) = (base.parse().ok()?, bits.parse().ok()?);
            let fits = (8..=29).contains(&bits) && u32::from(base).trailing_zeros() >= u32::from(32 - bits);
            fits.then_some(Self { base, bits })
        };
        parsed().ok_or_else(|| ContainerdConfigError::Subnet { text: text.to_owned() })
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

/// What is wrong with a part of a [`ContainerdConfig`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContainerdConfigError {
    /// A namespace that is none.
    #[error(
        "{text:?} is no namespace of containerd: use at most 40 of a-z and 0-9, with single '-' or '.' between them"
    )]
    Namespace {
        /// The text as given.
        text: String,
    },
    /// A name that no bridge can have.
    #[error("{text:?} is no name of a bridge: use at most 15 letters, digits, '-' and '_', beginning with a letter")]
    Bridge {
        /// The text as given.
        text: String,
    },
    /// A range that is none.
    #[error("{text:?} is no subnet: write an IPv4 network of 8 to 29 bits by its first address, as in 10.88.0.0/16")]
    Subnet {
        /// The text as given.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_be_something_else_are_refused() {
        for text in ["", "-a", "a--b", "A", "a/b", "../a", &"a".repeat(41)] {
            assert!(text.parse::<ContainerdNamespace>().is_err(), "{text:?}");
        }
        for text in ["", "0a", "a b", "a/b", "..", "abcdefghijklmnop"] {
            assert!(text.parse::<BridgeName>().is_err(), "{text:?}");
        }
        for text in ["", "10.88.0.0", "10.88.0.1/16", "10.88.0.0/30", "10.0.0.0/7", "::/16", "10.88.0.0/x"] {
            assert!(text.parse::<Subnet>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn of_a_subnet_all_but_three_addresses_are_pods() {
        let subnet: Subnet = "10.1.2.8/29".parse().expect("a subnet");
        let pods: Vec<String> = subnet.pods().map(|pod| Ipv4Addr::from(pod).to_string()).collect();
        assert_eq!(pods, ["10.1.2.10", "10.1.2.11", "10.1.2.12", "10.1.2.13", "10.1.2.14"]);
        assert_eq!((subnet.gateway().to_string(), subnet.to_string()), ("10.1.2.9".into(), "10.1.2.8/29".into()));
    }
}
