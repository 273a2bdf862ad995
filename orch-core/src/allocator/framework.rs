//! [`Framework`]: who places tasks on what it is offered.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{Quantities, Role};

/// Tells a framework from the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameworkId(Arc<str>);

impl FrameworkId {
    /// An id.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FrameworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for FrameworkId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for FrameworkId {
    fn from(id: &str) -> Self {
        Self::new(id)
    }
}

/// Who places tasks on what it is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framework {
    /// Tells it from the others.
    pub id: FrameworkId,
    /// The roles that it wants offers in.
    pub roles: BTreeMap<Role, Subscription>,
    /// What it can deal with.
    pub capabilities: Capabilities,
}

impl Framework {
    /// A framework that wants offers in these roles, and can deal with nothing special.
    #[must_use]
    pub fn new(id: impl Into<FrameworkId>, roles: impl IntoIterator<Item = Role>) -> Self {
        let roles = roles.into_iter().map(|role| (role, Subscription::default())).collect();
        Self { id: id.into(), roles, capabilities: Capabilities::default() }
    }
}

/// How a framework wants offers in a role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// Not now.
    pub suppressed: bool,
    /// What makes an offer worth while: any of these. By default, what the allocator's settings say.
    pub min_allocatable: Option<Vec<Quantities>>,
}

/// What a framework can deal with. What it cannot is not offered to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Capabilities {
    /// Nodes with GPUs: others keep off them, so that they are free for those who need them.
    pub gpus: bool,
    /// Nodes in another region than the allocator's.
    pub other_regions: bool,
    /// Resources that may be taken back at any time.
    pub revocable: bool,
    /// Reservations that refine others.
    pub refined_reservations: bool,
}
