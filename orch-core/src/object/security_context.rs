//! [`SecurityContext`], [`PodSecurityContext`]: as whom containers run, and what they are allowed.

use serde::{Deserialize, Serialize};

use super::null::{is_default, null_as_default};
use crate::validation::Problems;

/// The largest number of a user or group.
const ID_MAX: i64 = i32::MAX as i64;

/// As whom the containers of a pod run, unless a container says otherwise, and what holds for all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodSecurityContext {
    /// The user, by number; the image's by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_as_user: Option<i64>,
    /// The primary group, by number; the image's by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_as_group: Option<i64>,
    /// Whether a container that would run as root must not start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_as_non_root: Option<bool>,
    /// Groups besides the primary one.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub supplemental_groups: Vec<i64>,
    /// The group that owns the pod's volumes, and that every container is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fs_group: Option<i64>,
}

impl PodSecurityContext {
    pub(super) fn validate(&self, problems: &mut Problems) {
        problems.within("runAsUser", self.run_as_user, 0..=ID_MAX);
        problems.within("runAsGroup", self.run_as_group, 0..=ID_MAX);
        problems.within("fsGroup", self.fs_group, 0..=ID_MAX);
        problems.each("supplementalGroups", &self.supplemental_groups, |problems, group| {
            if !(0..=ID_MAX).contains(group) {
                problems.report(format!("must be from 0 to {ID_MAX}, got {group}"));
            }
        });
    }
}

/// As whom a container runs, and what it is allowed. What is absent is as the pod says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecurityContext {
    /// The user, by number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_as_user: Option<i64>,
    /// The primary group, by number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_as_group: Option<i64>,
    /// Whether the container must not start if it would run as root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_as_non_root: Option<bool>,
    /// Whether it may do whatever root on the node may; see [`privileged`](Self::privileged).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privileged: Option<bool>,
    /// Whether a program in it can gain rights, such as by the set-user-id bit; see
    /// [`allow_privilege_escalation`](Self::allow_privilege_escalation).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_privilege_escalation: Option<bool>,
    /// Whether it cannot write outside of its volumes; see
    /// [`read_only_root_filesystem`](Self::read_only_root_filesystem).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only_root_filesystem: Option<bool>,
    /// Which of root's rights it has.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub capabilities: Capabilities,
}

impl SecurityContext {
    /// Whether the container may do whatever root on the node may; no by default.
    #[must_use]
    pub fn privileged(&self) -> bool {
        self.privileged.unwrap_or(false)
    }

    /// Whether a program in the container can gain rights; yes by default.
    #[must_use]
    pub fn allow_privilege_escalation(&self) -> bool {
        self.allow_privilege_escalation.unwrap_or(true)
    }

    /// Whether the container cannot write outside of its volumes; no by default.
    #[must_use]
    pub fn read_only_root_filesystem(&self) -> bool {
        self.read_only_root_filesystem.unwrap_or(false)
    }

    pub(super) fn validate(&self, problems: &mut Problems) {
        problems.within("runAsUser", self.run_as_user, 0..=ID_MAX);
        problems.within("runAsGroup", self.run_as_group, 0..=ID_MAX);
        if !self.allow_privilege_escalation() {
            let message = if self.privileged() {
                Some("must not be false when privileged is true")
            } else if self.capabilities.add.iter().any(|name| matches!(name.as_str(), "SYS_ADMIN" | "ALL")) {
                Some("must not be false when capabilities.add has SYS_ADMIN or ALL")
            } else {
                None
            };
            if let Some(message) = message {
                problems.field("allowPrivilegeEscalation", |problems| problems.report(message));
            }
        }
        problems.field("capabilities", |problems| {
            problems.each("add", &self.capabilities.add, |problems, name| validate_capability(name, problems));
            problems.each("drop", &self.capabilities.drop, |problems, name| validate_capability(name, problems));
        });
    }
}

/// Which of root's rights a container has, beside and instead of those that the runtime gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Capabilities {
    /// Those it has besides: `NET_ADMIN`. `ALL` stands for all.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<String>,
    /// Those it has not. `ALL` stands for all; what is added stays.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
}

fn validate_capability(name: &str, problems: &mut Problems) {
    let word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    if !word || name.starts_with("CAP_") {
        problems
            .report(format!("must be the name of a capability without CAP_, for example \"NET_ADMIN\", got {name:?}"));
    }
}
