//! [`ProxyError`].

use std::error::Error;
use std::net::SocketAddr;

use super::ServicePortName;

/// Why a table is not served. What was served before is served on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The table contradicts itself.
    #[error("service port {name}: {message}")]
    InvalidTable {
        /// The service port that is wrong.
        name: ServicePortName,
        /// What is wrong with it.
        message: String,
    },
    /// The table is in order, but asks for something that this proxy cannot do.
    #[error("service port {name} cannot be served by this proxy: {message}")]
    Unsupported {
        /// The service port that asks for it.
        name: ServicePortName,
        /// What cannot be done, and what can.
        message: String,
    },
    /// Another process listens at an address of the table.
    #[error(
        "service port {name} cannot be served: {address} is in use by another process; stop it or choose another port"
    )]
    AddressInUse {
        /// The service port.
        name: ServicePortName,
        /// Its address.
        address: SocketAddr,
    },
    /// The node cannot do it.
    #[error("the proxy is unavailable: {message}")]
    Unavailable {
        /// What happened, and what to look at.
        message: String,
        /// Whether trying again may help without anything being changed.
        transient: bool,
        /// The cause.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

impl ProxyError {
    /// Whether the same table may be served later without anything being changed by the caller.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::InvalidTable { .. } | Self::Unsupported { .. } => false,
            Self::AddressInUse { .. } => true,
            Self::Unavailable { transient, .. } => *transient,
        }
    }

    /// The service port because of which the table is not served, if it is because of one. The table may be served
    /// without it.
    #[must_use]
    pub fn service_port(&self) -> Option<&ServicePortName> {
        match self {
            Self::InvalidTable { name, .. } | Self::Unsupported { name, .. } | Self::AddressInUse { name, .. } => {
                Some(name)
            }
            Self::Unavailable { .. } => None,
        }
    }
}
