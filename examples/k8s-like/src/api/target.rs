//! [`find`]: which node and which container a request is about.

use std::collections::BTreeSet;

use orch_core::object::Pod;
use orch_core::runtime::{ContainerId, ContainerName, ContainerStatus, SandboxStatus};

use super::problem::Problem;
use crate::runtimes::NodeBundle;

/// The pod that a request is about, and the node that it is on.
pub(super) async fn find<'a>(
    nodes: &'a [NodeBundle],
    namespace: &str,
    pod: &str,
) -> Result<(&'a NodeBundle, SandboxStatus), Problem> {
    let mut found: Option<(&NodeBundle, SandboxStatus)> = None;
    for node in nodes {
        for sandbox in node.runtime().list().await? {
            let is_it = sandbox.spec.namespace == namespace && sandbox.spec.name == pod;
            // An earlier pod of the same name may not be gone yet.
            if is_it && found.as_ref().is_none_or(|(_, known)| known.created_at < sandbox.created_at) {
                found = Some((node, sandbox));
            }
        }
    }
    found.ok_or_else(|| {
        Problem::not_found(format!(
            "pod {pod:?} of namespace {namespace:?} does not run on any node: `k8s-like get pods -A` lists those there are"
        ))
    })
}

/// The container that is meant when none is named: the one that the pod says, or its first.
pub(super) fn main_container(pod: &Pod) -> Option<String> {
    const CHOSEN: &str = "kubectl.kubernetes.io/default-container";
    let first = || Some(pod.spec.containers.first()?.name.clone());
    pod.metadata.annotations.get(CHOSEN).cloned().or_else(first)
}

/// The container of a pod: of this name, or, for `-`, the only one. With `previous`, the run before the latest.
pub(super) fn container(sandbox: &SandboxStatus, name: &str, previous: bool) -> Result<ContainerId, Problem> {
    let names: BTreeSet<&str> = sandbox.containers.iter().map(|container| container.id.name.as_str()).collect();
    let listed = || names.iter().copied().collect::<Vec<_>>().join(", ");
    let pod = &sandbox.spec.name;
    let name = match (name, names.len()) {
        ("-", 1) => names.first().copied().unwrap_or_default().to_owned(),
        ("-", 0) => return Err(Problem::bad_request(format!("no container of pod {pod} was started yet"))),
        ("-", _) => {
            let message = format!("pod {pod} has several containers, choose one with -c: {}", listed());
            return Err(Problem::bad_request(message));
        }
        (name, _) => name.to_owned(),
    };
    let name: ContainerName = name.parse().map_err(|error| Problem::bad_request(format!("{error}")))?;
    let mut runs: Vec<&ContainerStatus> =
        sandbox.containers.iter().filter(|container| container.id.name == name).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.id.attempt));
    match (runs.len(), previous) {
        (0, _) => Err(Problem::not_found(format!("pod {pod} has no container {name} that was started: {}", listed()))),
        (1, true) => Err(Problem::bad_request(format!("container {name} of pod {pod} has not run before"))),
        (_, previous) => Ok(runs[usize::from(previous)].id.clone()),
    }
}

#[cfg(test)]
mod tests {
    use orch_core::clock::Timestamp;
    use orch_core::runtime::{ContainerSpec, ContainerState, SandboxSpec};

    use super::*;

    fn sandbox(runs: &[(&str, u32)]) -> SandboxStatus {
        let pod = "u".parse().expect("a uid");
        let run = |(name, attempt): &(&str, u32)| ContainerStatus {
            id: ContainerId {
                pod: "u".parse().expect("a uid"),
                name: name.parse().expect("a name"),
                attempt: *attempt,
            },
            spec: ContainerSpec::default(),
            state: ContainerState::Running { started_at: Timestamp::UNIX_EPOCH },
            process: None,
            image_id: None,
        };
        SandboxStatus {
            spec: SandboxSpec {
                pod,
                namespace: "shop".into(),
                name: "web".into(),
                hostname: "web".into(),
                host_network: false,
                dns: None,
                domain: None,
                host_entries: Vec::new(),
            },
            ip: None,
            ready: true,
            created_at: Timestamp::UNIX_EPOCH,
            containers: runs.iter().map(run).collect(),
        }
    }

    #[test]
    fn a_container_is_found_by_name_or_alone_and_its_runs_by_their_order() {
        let alone = sandbox(&[("web", 0), ("web", 1), ("web", 2)]);
        let attempt = |name, previous| container(&alone, name, previous).map(|id| id.attempt);
        assert_eq!((attempt("-", false), attempt("web", true)), (Ok(2), Ok(1)));
        let message = |sandbox: &SandboxStatus, name, previous| {
            format!("{:?}", container(sandbox, name, previous).expect_err("it is refused"))
        };
        assert!(message(&alone, "no", false).contains("web"), "it names those there are");
        assert!(message(&alone, "../x", false).contains("not a valid"));
        assert!(message(&sandbox(&[("web", 0), ("log", 0)]), "-", false).contains("log, web"));
        assert!(message(&sandbox(&[("web", 0)]), "web", true).contains("has not run before"));
    }
}
