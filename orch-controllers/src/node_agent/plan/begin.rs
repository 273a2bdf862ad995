//! A pod of which nothing is on the node yet.

use orch_core::object::{Pod, RestartPolicy};
use orch_core::runtime::{PodUid, SandboxSpec, SandboxStatus};

use super::super::attempts::Attempts;
use super::super::environment::hostname;
use super::super::names::{Names, names};
use super::super::status::{Observations, pod_status};
use super::super::troubles::Subject;
use super::{Look, Step, Steps, circumstances, creating, fail, warning};

/// The first look at a pod: it is told that it was taken on, and gets a sandbox.
pub(super) fn begin(pod: &Pod, uid: PodUid, look: Look<'_>) -> Steps {
    if let Some((reason, message)) = look.refusal {
        return fail(pod, reason, &format!("Pod was rejected: {message}"), look);
    }
    if pod.spec.restart_policy() == RestartPolicy::Never && Attempts::of(pod, None).iter().any(|of| of.next() > 0) {
        let message = "The container could not be located when the pod was terminated";
        return fail(pod, "ContainerStatusUnknown", message, look);
    }
    let observed = all_wait(pod, None, look);
    let mut steps = Steps::default();
    let Names { warnings, .. } = names(pod, look.config, look.found.node_dns.as_ref());
    let news = warnings.into_iter().map(|(reason, message)| warning(reason, message)).collect();
    steps.tell(pod, pod_status(pod, &observed, circumstances(look, None)), news);
    steps.tell_troubles(&uid, &look.found.troubles);
    steps.then(Step::CreateSandbox(sandbox(pod, uid, look)));
    steps.then_look_again()
}

/// All containers wait for a sandbox, and for what keeps it from being made.
pub(super) fn all_wait<'a>(pod: &'a Pod, sandbox: Option<&'a SandboxStatus>, look: Look<'_>) -> Observations<'a> {
    let trouble = look.found.troubles.get(&Subject::Sandbox);
    let message = trouble.map_or("", |trouble| trouble.message.as_str());
    let waiting = |of: Attempts<'a>| of.waiting(creating(pod), message.to_owned());
    Observations {
        init: Attempts::of_init(pod, sandbox).into_iter().map(waiting).collect(),
        containers: Attempts::of(pod, sandbox).into_iter().map(waiting).collect(),
    }
}

/// What is asked for: the shared part of the pod.
pub(super) fn sandbox(pod: &Pod, uid: PodUid, look: Look<'_>) -> SandboxSpec {
    let Names { dns, domain, host_entries, .. } = names(pod, look.config, look.found.node_dns.as_ref());
    SandboxSpec {
        pod: uid,
        namespace: pod.metadata.namespace.clone().unwrap_or_default(),
        name: pod.metadata.name.clone(),
        hostname: hostname(pod),
        host_network: pod.spec.host_network,
        dns,
        domain,
        host_entries,
    }
}
