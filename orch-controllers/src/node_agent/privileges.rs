//! [`privileges`]: as whom a container runs and what it may do, from what the pod and the container say.

use std::collections::BTreeSet;

use orch_core::object::{Container, Pod};
use orch_core::runtime::Privileges;

/// What the container says counts before what the pod says. Unlike in Kubernetes, nothing can gain privileges that it was
/// not started with unless the container says that it may.
pub(super) fn privileges(pod: &Pod, container: &Container) -> Privileges {
    let of_pod = pod.spec.security_context.clone().unwrap_or_default();
    let own = container.security_context.clone().unwrap_or_default();
    let id = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
    let mut groups: BTreeSet<u32> = of_pod.supplemental_groups.iter().filter_map(|group| id(Some(*group))).collect();
    groups.extend(id(of_pod.fs_group));
    Privileges {
        user: id(own.run_as_user.or(of_pod.run_as_user)),
        group: id(own.run_as_group.or(of_pod.run_as_group)),
        supplemental_groups: groups,
        non_root: own.run_as_non_root.or(of_pod.run_as_non_root).unwrap_or(false),
        add_capabilities: own.capabilities.add.iter().cloned().collect(),
        drop_capabilities: own.capabilities.drop.iter().cloned().collect(),
        read_only_root: own.read_only_root_filesystem(),
        may_gain: own.privileged() || own.allow_privilege_escalation.unwrap_or(false),
        privileged: own.privileged(),
    }
}

#[cfg(test)]
mod tests {
    use orch_core::object::{PodSecurityContext, PodSpec, SecurityContext};

    use super::*;

    #[test]
    fn without_a_word_a_container_gets_the_least() {
        assert_eq!(privileges(&Pod::default(), &Container::default()), Privileges::default());
    }

    #[test]
    fn the_container_is_heard_before_the_pod() {
        let of_pod = PodSecurityContext {
            run_as_user: Some(1000),
            run_as_group: Some(1000),
            run_as_non_root: Some(true),
            supplemental_groups: vec![5],
            fs_group: Some(7),
        };
        let spec = PodSpec { security_context: Some(of_pod), ..PodSpec::default() };
        let pod = Pod { spec, ..Pod::default() };
        let own = SecurityContext {
            run_as_user: Some(0),
            run_as_non_root: Some(false),
            privileged: Some(true),
            ..SecurityContext::default()
        };
        let container = Container { security_context: Some(own), ..Container::default() };
        let given = privileges(&pod, &container);
        assert_eq!((given.user, given.group, given.non_root), (Some(0), Some(1000), false));
        assert_eq!(given.supplemental_groups, [5, 7].into());
        assert!(given.privileged && given.may_gain);
    }
}
