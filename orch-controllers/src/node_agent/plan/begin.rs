//! [`begin`]: the first look at a pod.

use orch_core::object::{Pod, RestartPolicy};
use orch_core::runtime::{PodUid, SandboxSpec};

use super::super::attempts::Attempts;
use super::super::environment::hostname;
use super::super::status::{Found, pod_status};
use super::{Look, Step, Steps, circumstances, fail, status_if_new};

/// The first look at a pod: it is told that it was taken on, and gets a sandbox.
pub(super) fn begin(pod: &Pod, uid: PodUid, look: Look<'_>) -> Steps {
    if let Some((reason, message)) = look.refusal {
        return fail(pod, reason, &format!("Pod was rejected: {message}"), look);
    }
    if pod.spec.restart_policy() == RestartPolicy::Never && Attempts::of(pod, None).any(|attempts| attempts.next() > 0)
    {
        let message = "The container could not be located when the pod was terminated";
        return fail(pod, "ContainerStatusUnknown", message, look);
    }
    let trouble = look.memory.trouble.as_ref().map(|trouble| trouble.message.clone()).unwrap_or_default();
    let first = if pod.spec.init_containers.is_empty() { "ContainerCreating" } else { "PodInitializing" };
    let found = Found {
        init: Attempts::of_init(pod, None)
            .map(|attempts| attempts.waiting("PodInitializing", trouble.clone()))
            .collect(),
        containers: Attempts::of(pod, None).map(|attempts| attempts.waiting(first, trouble.clone())).collect(),
        initialized: pod.spec.init_containers.is_empty(),
    };
    let mut steps = status_if_new(pod, pod_status(pod, &found, circumstances(look, None)));
    steps.push(Step::CreateSandbox(sandbox_spec(pod, uid)));
    Steps { steps, revisit_after: None }.then_look_again()
}

/// What the containers of the pod are to share.
pub(super) fn sandbox_spec(pod: &Pod, uid: PodUid) -> SandboxSpec {
    SandboxSpec {
        pod: uid,
        namespace: pod.metadata.namespace.clone().unwrap_or_default(),
        name: pod.metadata.name.clone(),
        hostname: hostname(pod),
        host_network: pod.spec.host_network,
    }
}
