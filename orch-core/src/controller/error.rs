//! [`ControllerError`].

use std::error::Error;

use crate::client::ClientError;
use crate::key::KeyError;

/// Why a key could not be reconciled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControllerError {
    /// A read or write of objects.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An object names another one by text that is no name.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Something outside the store.
    #[error("{message}")]
    Outside {
        /// What failed, and what to do about it.
        message: String,
        /// Whether trying again may help without anything being changed.
        transient: bool,
        /// The cause.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

impl ControllerError {
    /// Something outside the store failed.
    pub fn outside(error: impl Error + Send + Sync + 'static, transient: bool) -> Self {
        Self::Outside { message: error.to_string(), transient, source: Some(Box::new(error)) }
    }

    /// Whether the state changed under the decision, so that reading again and deciding anew is the remedy.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Client(error) if error.is_conflict())
    }

    /// Whether trying again may help without anything being changed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Client(error) => error.is_transient() || error.is_conflict(),
            Self::Key(_) => false,
            Self::Outside { transient, .. } => *transient,
        }
    }
}
