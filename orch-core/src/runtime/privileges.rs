//! [`Privileges`]: as whom a container runs, and what it may do.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// As whom a container runs, and what it may do. The default is the least: no capability is added, and nothing can be
/// gained by running a program with the set-user-id bit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Privileges {
    /// The user; by default the image's, or the runtime's own where there is no image.
    pub user: Option<u32>,
    /// The group; by default the user's, or 0 where the user has none in the image.
    pub group: Option<u32>,
    /// Further groups.
    pub supplemental_groups: BTreeSet<u32>,
    /// Whether it must not be started as user 0, whoever says so.
    pub non_root: bool,
    /// Capabilities beyond those that the runtime gives to every container, without the prefix: `NET_ADMIN`. `ALL` is
    /// all that there are.
    pub add_capabilities: BTreeSet<String>,
    /// Capabilities that are taken away, as above. They are taken away before others are added.
    pub drop_capabilities: BTreeSet<String>,
    /// Whether its root file system can only be read.
    pub read_only_root: bool,
    /// Whether it may gain privileges that it was not started with.
    pub may_gain: bool,
    /// Whether it may do all that root on the node may.
    pub privileged: bool,
}
