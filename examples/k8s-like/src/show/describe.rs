//! What a person should hear about a change.

use orch_core::controller::Change;
use orch_core::object::{
    Deployment, DeploymentCondition, Event, EventType, Namespace, Node, NodeCondition, Pod, Time, find_condition,
    is_condition_true,
};

/// The lines to show for a change; most changes need none. Events of before `since` are old news.
pub(super) fn describe(change: &Change, since: Time) -> Vec<String> {
    let (old, new) = (change.previous(), change.current());
    let (Some(any), name) = (new.or(old), change.key()) else { return Vec::new() };
    let name = match name.namespace() {
        Some(namespace) => format!("{namespace}/{}", name.name()),
        None => name.name().to_owned(),
    };
    if any.downcast_ref::<Pod>().is_some() {
        let (old, new) = (old.and_then(|o| o.downcast_ref()), new.and_then(|o| o.downcast_ref()));
        return pod(&name, old, new);
    }
    if any.downcast_ref::<Deployment>().is_some() {
        let (old, new) = (old.and_then(|o| o.downcast_ref()), new.and_then(|o| o.downcast_ref()));
        return deployment(&name, old, new);
    }
    if any.downcast_ref::<Node>().is_some() {
        let (old, new) = (old.and_then(|o| o.downcast_ref()), new.and_then(|o| o.downcast_ref()));
        return node(&name, old, new);
    }
    if any.downcast_ref::<Namespace>().is_some() && new.is_none() {
        return vec![format!("namespace {name} is gone")];
    }
    match new.and_then(|object| object.downcast_ref::<Event>()) {
        Some(event) if event.last_timestamp.is_some_and(|last| last < since) => Vec::new(),
        Some(event) => warning(event, old.and_then(|object| object.downcast_ref::<Event>())),
        None => Vec::new(),
    }
}

fn pod(name: &str, old: Option<&Pod>, new: Option<&Pod>) -> Vec<String> {
    let Some(new) = new else { return vec![format!("pod {name} is gone")] };
    let mut lines = Vec::new();
    let mut say = |what: String| lines.push(format!("pod {name} {what}"));
    let was = |test: fn(&Pod) -> bool| old.is_some_and(test);
    if let Some(node) = &new.spec.node_name
        && !was(|old| old.spec.node_name.is_some())
    {
        say(format!("is placed on {node}"));
    }
    let restarts = |pod: &Pod| pod.status.container_statuses.iter().map(|status| status.restart_count).sum::<i32>();
    let before = old.map_or(0, restarts);
    if restarts(new) > before {
        say(format!("was restarted ({} times so far){}", restarts(new), last_end(new)));
    }
    let waits = |pod: &Pod| {
        let waiting = pod.status.container_statuses.iter().find_map(|status| status.state.waiting.clone())?;
        let reason = waiting.reason.filter(|reason| reason != "ContainerCreating" && reason != "PodInitializing")?;
        Some((reason, waiting.message.unwrap_or_default()))
    };
    if let Some((reason, message)) = waits(new)
        && old.and_then(waits).is_none_or(|(before, _)| before != reason)
    {
        say(format!("waits: {reason}{}{message}", if message.is_empty() { "" } else { ": " }));
    }
    let (ready, was_ready) = (new.status.is_ready(), was(|old| old.status.is_ready()));
    let deleting = new.metadata.is_deleting();
    if ready && !was_ready {
        let address = new.status.pod_ip.as_deref().unwrap_or("no address");
        say(format!("is ready at {address}"));
    } else if was_ready && !ready && !deleting {
        say("is not ready any more".to_owned());
    }
    if deleting && !was(|old| old.metadata.is_deleting()) {
        say("is ending".to_owned());
    }
    let phase = new.status.phase();
    if phase.is_terminal() && !deleting && old.is_none_or(|old| old.status.phase() != phase) {
        say(format!(
            "ended: {phase:?}{}",
            new.status.message.as_ref().map_or(String::new(), |text| format!(": {text}"))
        ));
    }
    lines
}

/// How the container that was restarted last had ended.
fn last_end(pod: &Pod) -> String {
    let ended = pod.status.container_statuses.iter().find_map(|status| status.last_state.terminated.as_ref());
    ended.map_or(String::new(), |ended| {
        let message =
            ended.message.as_deref().filter(|text| !text.is_empty()).map_or(String::new(), |text| format!(", {text}"));
        format!(", it had ended with exit code {}{message}", ended.exit_code)
    })
}

fn deployment(name: &str, old: Option<&Deployment>, new: Option<&Deployment>) -> Vec<String> {
    let Some(new) = new else { return vec![format!("deployment {name} is gone")] };
    let state = |deployment: &Deployment| {
        let status = &deployment.status;
        (deployment.spec.replicas(), status.updated_replicas, status.ready_replicas, status.replicas)
    };
    let complete = |deployment: &Deployment| {
        let (wanted, updated, ready, all) = state(deployment);
        deployment.status.observed_generation == deployment.metadata.generation
            && (updated, ready, all) == (wanted, wanted, wanted)
    };
    let counts = |deployment: &Deployment| {
        let (wanted, updated, ready, all) = state(deployment);
        let old_pods = if all > updated { format!(", {} of the old version", all - updated) } else { String::new() };
        format!("deployment {name}: {ready} of {wanted} ready{old_pods}")
    };
    let mut lines = Vec::new();
    if old.is_none_or(|old| counts(old) != counts(new)) {
        lines.push(counts(new));
    }
    if complete(new) && !old.is_some_and(complete) {
        lines.push(format!("deployment {name} is complete"));
    }
    let stalled = |deployment: &Deployment| {
        let progressing = find_condition(&deployment.status.conditions, DeploymentCondition::PROGRESSING)?;
        (progressing.reason.as_deref() == Some("ProgressDeadlineExceeded"))
            .then(|| progressing.message.clone().unwrap_or_default())
    };
    if let Some(message) = stalled(new)
        && old.and_then(stalled).is_none()
    {
        lines.push(format!("deployment {name} is STALLED: {message}"));
    }
    lines
}

fn node(name: &str, old: Option<&Node>, new: Option<&Node>) -> Vec<String> {
    let ready = |node: &Node| is_condition_true(&node.status.conditions, NodeCondition::READY);
    match (old.is_some_and(ready), new.map(ready)) {
        (_, None) => vec![format!("node {name} is gone")],
        (false, Some(true)) => vec![format!("node {name} is ready")],
        (true, Some(false)) => vec![format!("node {name} is not ready any more")],
        _ => Vec::new(),
    }
}

fn warning(event: &Event, old: Option<&Event>) -> Vec<String> {
    // A repeated event only counts up; it was shown when it came first.
    if event.event_type() != EventType::Warning || old.is_some() {
        return Vec::new();
    }
    let about = &event.involved_object;
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    vec![format!(
        "warning: {} {}: {}: {}",
        text(&about.kind).to_lowercase(),
        about.namespace.iter().cloned().chain(about.name.clone()).collect::<Vec<_>>().join("/"),
        text(&event.reason),
        text(&event.message)
    )]
}
