//! [`NodeSupply`]: a node, and what it has to divide.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::Resources;
use crate::clock::Timestamp;

/// The name of a node. In Mesos: an agent's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

impl NodeName {
    /// A name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for NodeName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for NodeName {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

/// A node, and what it has to divide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSupply {
    /// Its name.
    pub name: NodeName,
    /// All that it has, used or not, reserved or not.
    pub total: Resources,
    /// What else is so about it. If that changes, what was refused of it may be wanted now.
    pub attributes: BTreeMap<String, String>,
    /// The region it is in, if it says so.
    pub region: Option<String>,
}

impl NodeSupply {
    /// A node without attributes.
    #[must_use]
    pub fn new(name: impl Into<NodeName>, total: Resources) -> Self {
        Self { name: name.into(), total, attributes: BTreeMap::new(), region: None }
    }
}

/// When a node will be out of use, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailability {
    /// From when on.
    pub from: Timestamp,
    /// For how long; for ever by default.
    pub duration: Option<std::time::Duration>,
}
