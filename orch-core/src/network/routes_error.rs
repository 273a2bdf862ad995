//! [`RoutesError`].

use std::error::Error;

use super::Cidr;

/// Why a table does not hold. What held before still does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RoutesError {
    /// The table contradicts itself.
    #[error("host {host}: {message}")]
    InvalidTable {
        /// The host whose entry is wrong.
        host: String,
        /// What is wrong with it.
        message: String,
    },
    /// The table is in order, but asks for something that this implementation cannot do.
    #[error("host {host} cannot be led to: {message}")]
    Unsupported {
        /// The host whose entry asks for it.
        host: String,
        /// What cannot be done, and what can.
        message: String,
    },
    /// Somebody else leads a range of the table elsewhere.
    #[error("the pods of host {host} cannot be led to: {message}")]
    Occupied {
        /// The host whose range it is.
        host: String,
        /// The range.
        range: Cidr,
        /// Who leads it where, and what to do.
        message: String,
    },
    /// This host cannot do it.
    #[error("routes to pods are unavailable: {message}")]
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

impl RoutesError {
    /// Whether the same table may hold later without anything being changed by the caller.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::InvalidTable { .. } | Self::Unsupported { .. } => false,
            Self::Occupied { .. } => true,
            Self::Unavailable { transient, .. } => *transient,
        }
    }

    /// The host because of which the table does not hold, if it is because of one. The table may hold without it.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::InvalidTable { host, .. } | Self::Unsupported { host, .. } | Self::Occupied { host, .. } => {
                Some(host)
            }
            Self::Unavailable { .. } => None,
        }
    }
}
