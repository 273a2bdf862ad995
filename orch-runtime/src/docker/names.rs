//! [`Scope`], and what the containers of a scope are called and marked with.

use std::fmt;
use std::str::FromStr;

use orch_core::runtime::{ContainerId, ContainerName, PodUid};

/// Tells the containers of one runtime from those of others on the same daemon: 1 to 63 of `a-z`, `0-9` and `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope(ContainerName);

/// Why text is no [`Scope`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a scope: use 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit")]
pub struct ScopeError(String);

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        text.parse().map(Self).map_err(|_| ScopeError(text.to_owned()))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Labels of every container of ours.
pub(super) mod label {
    /// The scope.
    pub(in super::super) const SCOPE: &str = "orch.scope";
    /// The pod's uid.
    pub(in super::super) const POD: &str = "orch.pod";
    /// The pod's sandbox, as JSON.
    pub(in super::super) const SANDBOX: &str = "orch.sandbox";
    /// The pod's address, where the network is not Docker's.
    pub(in super::super) const IP: &str = "orch.ip";
    /// The container's name within the pod; a sandbox has none.
    pub(in super::super) const CONTAINER: &str = "orch.container";
    /// The attempt.
    pub(in super::super) const ATTEMPT: &str = "orch.attempt";
    /// What was asked to run, as JSON.
    pub(in super::super) const SPEC: &str = "orch.spec";
}

impl Scope {
    /// The name of a pod's sandbox in Docker. The daemon refuses a second one of that name.
    pub(super) fn sandbox(&self, pod: &PodUid) -> String {
        format!("orch.{self}.{pod}")
    }

    /// The name of an attempt in Docker.
    pub(super) fn container(&self, id: &ContainerId) -> String {
        format!("orch.{self}.{}.{}.{}", id.pod, id.name, id.attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_such_that_docker_takes_them_and_never_equal_by_chance() {
        let scope: Scope = "node-1".parse().expect("a scope");
        let id = |pod: &str, name: &str| ContainerId {
            pod: pod.parse().expect("a uid"),
            name: name.parse().expect("a name"),
            attempt: 4_000_000_000,
        };
        assert_eq!(scope.container(&id("a", "web")), "orch.node-1.a.web.4000000000");
        assert_eq!(scope.sandbox(&id("a", "web").pod), "orch.node-1.a");
        let long = "x".repeat(63);
        let name = scope.container(&id(&long, &long));
        assert!(name.len() < 255 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)));
        // No part has a dot, so the number of parts and each of them can be told.
        for text in ["", "a.b", "A", "a/b", "-a", "a b", &"x".repeat(64)] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }
}
