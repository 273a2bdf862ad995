//! [`DnsError`].

use std::io;
use std::net::SocketAddr;

/// Why a [`DnsServer`](super::DnsServer) does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DnsError {
    /// Another process listens there.
    #[error("cannot answer at {address}: another process listens there; stop it or choose another address or port")]
    AddressInUse {
        /// The address.
        address: SocketAddr,
    },
    /// The process may not listen there.
    #[error("this process may not listen at {address}; choose a port from 1024 on, or allow it to bind lower ones")]
    NotAllowed {
        /// The address.
        address: SocketAddr,
    },
    /// It would ask itself for names outside its zone, for ever.
    #[error(
        "upstream {upstream} is this name server itself: name another one, or none to refuse names outside the zone"
    )]
    AsksItself {
        /// The upstream.
        upstream: SocketAddr,
    },
    /// The node cannot do it.
    #[error("cannot listen at {address}: choose an address of this node")]
    Unavailable {
        /// The address.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl DnsError {
    /// Whether trying again may help without anything being changed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::AddressInUse { .. })
    }
}
