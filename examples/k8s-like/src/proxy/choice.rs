//! [`ProxyKind`]: what leads to services.

use std::fmt;

use nix::unistd::geteuid;

use crate::runtimes::RuntimeKind;

/// What leads to services, as it is said on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum ProxyKind {
    /// This program: it listens on the services' addresses, and passes on what comes
    Userspace,
    /// The kernel, by rules of iptables
    Iptables,
    /// The kernel, by tables of nftables
    Nftables,
}

impl ProxyKind {
    pub(crate) const ALL: [Self; 3] = [Self::Userspace, Self::Iptables, Self::Nftables];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Userspace => "userspace",
            Self::Iptables => "iptables",
            Self::Nftables => "nftables",
        }
    }

    /// Whether the kernel does it.
    pub(crate) fn is_kernels(self) -> bool {
        self != Self::Userspace
    }

    /// Before anything is started: whether it can lead to pods of this runtime, which have loopback addresses or not.
    pub(crate) fn check(self, runtime: RuntimeKind, on_loopback: bool) -> Result<(), ProxyChoiceError> {
        match self {
            Self::Userspace => Ok(()),
            kernel if !geteuid().is_root() => Err(ProxyChoiceError::NotRoot { kernel }),
            kernel if runtime == RuntimeKind::Process && on_loopback => Err(ProxyChoiceError::Loopback { kernel }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for ProxyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Why a proxy cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ProxyChoiceError {
    /// The kernel obeys root alone.
    #[error("--proxy {kernel} needs root: run as root, or choose --proxy userspace")]
    NotRoot { kernel: ProxyKind },
    /// What goes to loopback never leaves a network stack, so the kernel leads nothing there.
    #[error(
        "--proxy {kernel} leads to no loopback address, and pods of --runtime process have no other here: choose --runtime \
         containerd or --runtime docker, or --proxy userspace"
    )]
    Loopback { kernel: ProxyKind },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_refused_with_what_to_choose() {
        assert!(ProxyKind::Userspace.check(RuntimeKind::Process, true).is_ok());
        let error = ProxyKind::Nftables.check(RuntimeKind::Process, true).expect_err("refused").to_string();
        assert!(error.contains("--proxy nftables") && error.contains("or") && error.contains("userspace"), "{error}");
        for kind in ProxyKind::ALL {
            let checked = kind.check(RuntimeKind::Containerd, true);
            assert_eq!(checked.is_ok(), geteuid().is_root() || !kind.is_kernels(), "{kind}: {checked:?}");
        }
    }
}
