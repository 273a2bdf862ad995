//! What a [`Refusal`] means.

use std::io;

use nix::errno::Errno;
use orch_core::proxy::ProxyError;

use crate::netlink::Refusal;

impl Refusal {
    /// Somebody changed a table since the generation that the transaction is about.
    pub(super) fn is_outdated(&self) -> bool {
        self.errno == Errno::ERESTART
    }
}

impl From<Refusal> for ProxyError {
    fn from(refusal: Refusal) -> Self {
        let (advice, transient) = match refusal.errno {
            Errno::EPERM | Errno::EACCES => ("; it takes the capability CAP_NET_ADMIN in the node's network", false),
            Errno::EPROTONOSUPPORT | Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT => {
                ("; the kernel needs nf_tables with NAT, Linux 5.10 or later", false)
            }
            // An expression that it has not got.
            Errno::ENOENT => (
                "; the kernel needs nf_tables with nat, masq, numgen, fib and reject, or another program alters \
                 the table at the same time",
                true,
            ),
            Errno::EMSGSIZE | Errno::ENOMEM | Errno::ENOBUFS => ("; there is not enough memory for the table", true),
            _ => ("", true),
        };
        let message = format!("nftables: {refusal}{advice}");
        Self::Unavailable { message, transient, source: Some(Box::new(io::Error::from(refusal.errno))) }
    }
}
