//! [`Omission`]: what a wrong runtime leaves out of a container without a word.

use orch_core::runtime::ContainerSpec;

/// What is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named as the field or what it asks for")]
pub enum Omission {
    Image,
    Mounts,
    ReadOnlyMounts,
    User,
    SupplementalGroups,
    NonRoot,
    AddedCapabilities,
    DroppedCapabilities,
    ReadOnlyRoot,
    NoNewPrivileges,
    Terminal,
    Input,
    ProcessLimit,
    MemoryLimit,
}

impl Omission {
    /// What the runtime makes of a spec.
    pub(super) fn leave_out(self, spec: &mut ContainerSpec) {
        let privileges = &mut spec.privileges;
        match self {
            Self::Image => spec.image = None,
            Self::Mounts => spec.mounts.clear(),
            Self::ReadOnlyMounts => spec.mounts.iter_mut().for_each(|mount| mount.read_only = false),
            Self::User => privileges.user = None,
            Self::SupplementalGroups => privileges.supplemental_groups.clear(),
            Self::NonRoot => privileges.non_root = false,
            Self::AddedCapabilities => privileges.add_capabilities.clear(),
            Self::DroppedCapabilities => privileges.drop_capabilities.clear(),
            Self::ReadOnlyRoot => privileges.read_only_root = false,
            Self::NoNewPrivileges => privileges.may_gain = true,
            Self::Terminal => spec.tty = false,
            Self::Input => spec.stdin = false,
            Self::ProcessLimit => spec.limits.processes = None,
            Self::MemoryLimit => spec.limits.memory_bytes = None,
        }
    }
}
