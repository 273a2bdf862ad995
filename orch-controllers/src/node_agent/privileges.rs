//! [`privileges`]: as whom a container runs, and what it may do.

use std::collections::BTreeSet;

use orch_core::object::{Container, Pod, PodSecurityContext};
use orch_core::runtime::Privileges;

/// As whom a container runs, and what it may do: as it says, or else as its pod says, or else the least.
///
/// One default is not Kubernetes': what does not ask for it cannot gain privileges by running a program with the
/// set-user-id bit. Under Kubernetes, what does not ask for the opposite can.
///
/// # Errors
/// A message for people: it is to run as root and must not.
pub(super) fn privileges(pod: &Pod, container: &Container) -> Result<Privileges, String> {
    let of_pod = pod.spec.security_context.clone().unwrap_or_default();
    let own = container.security_context.clone().unwrap_or_default();
    let user = number(own.run_as_user.or(of_pod.run_as_user))?;
    let non_root = own.run_as_non_root.or(of_pod.run_as_non_root).unwrap_or(false);
    if non_root && user == Some(0) {
        return Err(format!(
            "container's runAsUser breaks non-root policy (pod: \"{}\", container: {})",
            pod.metadata.name, container.name
        ));
    }
    let privileged = own.privileged();
    Ok(Privileges {
        user,
        group: number(own.run_as_group.or(of_pod.run_as_group))?,
        supplemental_groups: groups(&of_pod)?,
        non_root,
        add_capabilities: own.capabilities.add.iter().cloned().collect(),
        drop_capabilities: own.capabilities.drop.iter().cloned().collect(),
        read_only_root: own.read_only_root_filesystem(),
        may_gain: own.allow_privilege_escalation.unwrap_or(privileged),
        privileged,
    })
}

/// The group that owns the volumes of a pod, if it says so.
pub(super) fn volume_group(pod: &Pod) -> Result<Option<u32>, String> {
    number(pod.spec.security_context.as_ref().and_then(|context| context.fs_group))
}

fn groups(of_pod: &PodSecurityContext) -> Result<BTreeSet<u32>, String> {
    let groups = of_pod.supplemental_groups.iter().copied().chain(of_pod.fs_group);
    groups.map(|group| number(Some(group)).map(Option::unwrap_or_default)).collect()
}

fn number(id: Option<i64>) -> Result<Option<u32>, String> {
    let number = |id: i64| u32::try_from(id).map_err(|_| format!("{id} is no user or group: use 0 to 2147483647"));
    id.map(number).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(of_pod: &str, own: &str) -> Result<Privileges, String> {
        let text = format!(
            r#"{{"metadata": {{"name": "a"}},
                 "spec": {{"securityContext": {of_pod}, "containers": [{{"name": "web", "securityContext": {own}}}]}}}}"#
        );
        let pod: Pod = serde_json::from_str(&text).expect("a pod");
        privileges(&pod, &pod.spec.containers[0])
    }

    #[test]
    fn the_container_overrides_its_pod_and_the_default_is_the_least() {
        assert_eq!(told("null", "null"), Ok(Privileges::default()));
        let of_pod = r#"{"runAsUser": 1000, "runAsGroup": 2000, "fsGroup": 3000, "supplementalGroups": [4000]}"#;
        let merged = told(of_pod, r#"{"runAsUser": 1001, "readOnlyRootFilesystem": true}"#).expect("it can be told");
        assert_eq!((merged.user, merged.group, merged.read_only_root), (Some(1001), Some(2000), true));
        assert_eq!(merged.supplemental_groups, BTreeSet::from([3000, 4000]));
        let more =
            told("null", r#"{"capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]}}"#).expect("it can be told");
        assert_eq!((more.add_capabilities.len(), more.drop_capabilities.len()), (1, 1));
        assert!(!more.may_gain, "only who asks for it may gain privileges");
        assert!(told("null", r#"{"allowPrivilegeEscalation": true}"#).is_ok_and(|told| told.may_gain));
        assert!(told("null", r#"{"privileged": true}"#).is_ok_and(|told| told.may_gain && told.privileged));
    }

    #[test]
    fn root_is_refused_where_nobody_may_be_root() {
        let refused = "container's runAsUser breaks non-root policy (pod: \"a\", container: web)";
        assert_eq!(told(r#"{"runAsNonRoot": true}"#, r#"{"runAsUser": 0}"#), Err(refused.to_owned()));
        assert!(told(r#"{"runAsNonRoot": true, "runAsUser": 7}"#, "null").is_ok_and(|told| told.non_root));
        assert!(
            told(r#"{"runAsNonRoot": true}"#, "null").is_ok_and(|told| told.non_root),
            "the runtime must see to it"
        );
        assert!(told(r#"{"runAsNonRoot": true}"#, r#"{"runAsNonRoot": false, "runAsUser": 0}"#).is_ok());
    }
}
