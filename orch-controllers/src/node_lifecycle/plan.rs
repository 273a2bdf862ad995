//! What to do about a node and the pods on it.

use std::sync::Arc;
use std::time::Duration;

use orch_core::client::{ClientError, Grace};
use orch_core::clock::Timestamp;
use orch_core::controller::{Action, EventType, Plan, Report};
use orch_core::object::{
    ConditionStatus, Node, NodeCondition, Pod, PodCondition, Taint, TaintEffect, Time, find_condition,
    is_condition_true, set_condition,
};

/// What is known of a node beside what it says itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    /// Nothing was heard of it for the grace period.
    pub(super) silent: bool,
    /// So many nodes look dead that the fault is likely not theirs.
    pub(super) disrupted: bool,
    /// How long a pod without a toleration stays on a node that is not ready or unreachable.
    pub(super) toleration: Duration,
    /// The time.
    pub(super) now: Timestamp,
}

/// Makes the node say how it is. `None` if it does.
pub(super) fn describe(node: &Node, circumstances: Circumstances) -> Result<Option<Plan>, ClientError> {
    let mut new = node.clone();
    let falls_silent = circumstances.silent && ready(node) != Some(ConditionStatus::Unknown);
    if falls_silent {
        set_condition(&mut new.status.conditions, unknown(circumstances.now));
    }
    new.spec.taints = taints(&new, circumstances);
    if new == *node {
        return Ok(None);
    }
    let mut plan = Plan::nothing();
    plan.then(Action::update(node, new)?);
    if falls_silent {
        let message = "nothing is heard of the node any more: its lease is not renewed";
        plan.then(Action::Report(Report::about(node, EventType::Warning, "NodeNotReady", message)?));
    }
    Ok(Some(plan))
}

/// Removes the pods that do not tolerate the node as it is, and takes those that nobody can speak for out of service.
pub(super) fn clear(node: &Node, pods: &[Arc<Pod>], circumstances: Circumstances) -> Result<Plan, ClientError> {
    let mut plan = Plan::nothing();
    if circumstances.disrupted {
        return Ok(plan);
    }
    for pod in pods.iter().filter(|pod| !pod.status.phase().is_terminal()) {
        match time_left(pod, node, circumstances).filter(|_| !pod.metadata.is_deleting()) {
            Some(Duration::ZERO) => {
                plan.then(Action::delete(Arc::clone(pod)));
                let message = format!("it does not tolerate the taints of {}", node.metadata.name);
                plan.then(Action::Report(Report::about(&**pod, EventType::Normal, "TaintManagerEviction", message)?));
                continue;
            }
            Some(left) => plan.revisit(left),
            None => {}
        }
        let nobody_speaks = circumstances.silent && ready(node) == Some(ConditionStatus::Unknown);
        if nobody_speaks && pod.status.is_ready() {
            plan.then(Action::update(&**pod, unready(pod, circumstances.now))?);
        }
    }
    Ok(plan)
}

/// Removes what is left of the pods of a node that is no more: nobody else will. One that has finalizers is only marked, so
/// that whoever put them there can take them away.
pub(super) fn bury(pods: &[Arc<Pod>]) -> Plan {
    let mut plan = Plan::nothing();
    for pod in pods.iter().filter(|pod| pod.metadata.deletion_grace_period_seconds != Some(0)) {
        plan.then(Action::Delete { object: Arc::clone(pod) as _, grace: Grace::Now });
    }
    plan
}

/// What the node's agent, or this controller in its place, says about the node.
pub(super) fn ready(node: &Node) -> Option<ConditionStatus> {
    find_condition(&node.status.conditions, NodeCondition::READY).map(|condition| condition.status)
}

fn unknown(now: Timestamp) -> NodeCondition {
    NodeCondition {
        r#type: NodeCondition::READY.to_owned(),
        status: ConditionStatus::Unknown,
        last_heartbeat_time: None,
        last_transition_time: Some(now.into()),
        reason: Some("NodeStatusUnknown".to_owned()),
        message: Some("the node's agent stopped renewing its lease".to_owned()),
    }
}

fn unready(pod: &Pod, now: Timestamp) -> Pod {
    let mut new = pod.clone();
    let condition = PodCondition {
        r#type: PodCondition::READY.to_owned(),
        status: ConditionStatus::False,
        last_transition_time: Some(now.into()),
        reason: Some("NodeNotReady".to_owned()),
        message: Some("nothing is heard of the pod's node".to_owned()),
        ..PodCondition::default()
    };
    set_condition(&mut new.status.conditions, condition);
    new
}

/// What a node can be short of: the condition that tells it, and the taint that keeps pods away meanwhile.
const PRESSURES: [(&str, &str); 3] = [
    (NodeCondition::MEMORY_PRESSURE, Taint::MEMORY_PRESSURE),
    (NodeCondition::DISK_PRESSURE, Taint::DISK_PRESSURE),
    (NodeCondition::PID_PRESSURE, Taint::PID_PRESSURE),
];

/// The taints that the node should have. Those of others stay, in their order.
fn taints(node: &Node, Circumstances { disrupted, now, .. }: Circumstances) -> Vec<Taint> {
    let is_silent = ready(node) == Some(ConditionStatus::Unknown);
    let is_unready = ready(node) == Some(ConditionStatus::False);
    let own = [
        (Taint::UNSCHEDULABLE, TaintEffect::NoSchedule, node.spec.unschedulable),
        (Taint::NOT_READY, TaintEffect::NoSchedule, is_unready),
        (Taint::NOT_READY, TaintEffect::NoExecute, is_unready && !disrupted),
        (Taint::UNREACHABLE, TaintEffect::NoSchedule, is_silent),
        (Taint::UNREACHABLE, TaintEffect::NoExecute, is_silent && !disrupted),
    ];
    let conditions = &node.status.conditions;
    let pressures = PRESSURES.map(|(name, key)| (key, TaintEffect::NoSchedule, is_condition_true(conditions, name)));
    let mut taints = node.spec.taints.clone();
    for (key, effect, wanted) in own.into_iter().chain(pressures) {
        let is_it = |taint: &Taint| taint.key == key && taint.effect == effect;
        if !wanted {
            taints.retain(|taint| !is_it(taint));
        } else if !taints.iter().any(is_it) {
            taints.push(Taint { key: key.to_owned(), value: None, effect, time_added: None });
        }
    }
    // The tolerations of pods count from then, so it must outlive a restart of this controller.
    for taint in taints.iter_mut().filter(|taint| expels(taint)) {
        taint.time_added.get_or_insert(Time::from(now));
    }
    taints
}

/// How long the pod may stay on the node; `None` for ever. It must tolerate every taint, and of the tolerations that
/// match a taint the shortest counts, as in Kubernetes.
///
/// That a node is unreachable counts only while this controller itself finds it silent. Of a taint that an earlier one put
/// there the time may long be over, and the node be about to say that it is well.
fn time_left(pod: &Pod, node: &Node, circumstances: Circumstances) -> Option<Duration> {
    let counts = |taint: &&Taint| expels(taint) && (circumstances.silent || taint.key != Taint::UNREACHABLE);
    let expelling = node.spec.taints.iter().filter(counts);
    let left = expelling.filter_map(|taint| {
        let tolerated = tolerated(pod, taint, circumstances.toleration)?;
        let since = taint.time_added.map_or(circumstances.now, Time::timestamp);
        let passed = Duration::try_from(circumstances.now.duration_since(since)).unwrap_or_default();
        Some(tolerated.saturating_sub(passed))
    });
    left.min()
}

/// For how long the pod tolerates the taint; `None` for ever.
fn tolerated(pod: &Pod, taint: &Taint, default: Duration) -> Option<Duration> {
    let mut matching = pod.spec.tolerations.iter().filter(|toleration| toleration.tolerates(taint)).peekable();
    if matching.peek().is_none() {
        let is_own = matches!(taint.key.as_str(), Taint::NOT_READY | Taint::UNREACHABLE);
        return Some(if is_own { default } else { Duration::ZERO });
    }
    let seconds = matching.filter_map(|toleration| toleration.toleration_seconds).min()?;
    Some(Duration::from_secs(seconds.max(0).unsigned_abs()))
}

/// Whether pods that do not tolerate the taint have to leave the node.
pub(super) fn expels(taint: &Taint) -> bool {
    taint.effect == TaintEffect::NoExecute
}

/// Whether the node says that it is not well, or this controller said so.
pub(super) fn is_unwell(node: &Node) -> bool {
    ready(node).is_some() && !is_condition_true(&node.status.conditions, NodeCondition::READY)
}

#[cfg(test)]
mod tests {
    use orch_core::object::{Toleration, TolerationOperator, Uid};
    use orch_core::revision::Revision;

    use super::*;

    const NOW: i64 = 1_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("a time")
    }

    fn circumstances(silent: bool, disrupted: bool) -> Circumstances {
        Circumstances { silent, disrupted, toleration: Duration::from_secs(300), now: at(NOW) }
    }

    fn node(ready: Option<ConditionStatus>, taints: &[(&str, TaintEffect, Option<i64>)]) -> Node {
        let mut node = Node::default();
        node.metadata.name = "node-1".to_owned();
        node.metadata.uid = Some(Uid::new("1"));
        node.metadata.revision = Some(Revision(1));
        node.status.conditions.extend(ready.map(|status| NodeCondition {
            r#type: NodeCondition::READY.to_owned(),
            status,
            ..NodeCondition::default()
        }));
        let taint = |&(key, effect, added): &(&str, TaintEffect, Option<i64>)| Taint {
            key: key.to_owned(),
            value: None,
            effect,
            time_added: added.map(|seconds| at(seconds).into()),
        };
        node.spec.taints = taints.iter().map(taint).collect();
        node
    }

    fn pod(tolerations: Vec<Toleration>) -> Arc<Pod> {
        let mut pod = Pod::default();
        pod.metadata.name = "web".to_owned();
        pod.metadata.namespace = Some("shop".to_owned());
        pod.metadata.uid = Some(Uid::new("2"));
        pod.metadata.revision = Some(Revision(2));
        pod.spec.tolerations = tolerations;
        pod.status.conditions.push(PodCondition {
            r#type: PodCondition::READY.to_owned(),
            status: ConditionStatus::True,
            ..PodCondition::default()
        });
        Arc::new(pod)
    }

    /// The short names of a node's taints after the plan.
    fn described(node: &Node, circumstances: Circumstances) -> Option<String> {
        let plan = describe(node, circumstances).expect("a plan")?;
        let Some(Action::Update { object, .. }) = plan.actions.first() else { panic!("{plan:?}") };
        let node = object.downcast_ref::<Node>().expect("a node");
        let taints = node
            .spec
            .taints
            .iter()
            .map(|taint| format!("{}:{:?}", taint.key.trim_start_matches("node.kubernetes.io/"), taint.effect));
        Some(format!("{:?} {}", ready(node), taints.collect::<Vec<_>>().join(" ")))
    }

    #[test]
    fn taints_follow_from_what_is_known_of_the_node() {
        use ConditionStatus::{False, True, Unknown};
        use TaintEffect::{NoExecute, NoSchedule};
        let unreachable = [(Taint::UNREACHABLE, NoSchedule, None), (Taint::UNREACHABLE, NoExecute, Some(900))];
        let gpu = ("gpu", NoSchedule, None);
        for (before, silent, disrupted, expected) in [
            (node(None, &[]), false, false, None),
            (node(Some(True), &[gpu]), false, false, None),
            (
                node(Some(True), &[gpu]),
                true,
                false,
                Some("Some(Unknown) gpu:NoSchedule unreachable:NoSchedule unreachable:NoExecute"),
            ),
            (node(None, &[]), true, true, Some("Some(Unknown) unreachable:NoSchedule")),
            (node(Some(Unknown), &unreachable), true, false, None),
            (node(Some(Unknown), &unreachable), false, false, None),
            (node(Some(Unknown), &unreachable), true, true, Some("Some(Unknown) unreachable:NoSchedule")),
            (node(Some(True), &unreachable), false, false, Some("Some(True) ")),
            (
                node(Some(False), &unreachable),
                false,
                false,
                Some("Some(False) not-ready:NoSchedule not-ready:NoExecute"),
            ),
            (node(Some(True), &[("mine", NoExecute, None)]), false, false, Some("Some(True) mine:NoExecute")),
            (node(Some(True), &[("mine", NoExecute, Some(1))]), false, false, None),
        ] {
            let found = described(&before, circumstances(silent, disrupted));
            assert_eq!(found.as_deref(), expected, "{before:?} silent {silent} disrupted {disrupted}");
        }
    }

    #[test]
    fn a_cordoned_node_is_tainted_until_it_is_uncordoned() {
        let mut node = node(Some(ConditionStatus::True), &[]);
        node.spec.unschedulable = true;
        let calm = circumstances(false, false);
        assert_eq!(described(&node, calm).as_deref(), Some("Some(True) unschedulable:NoSchedule"));
        node.spec.taints = taints(&node, calm);
        assert_eq!(described(&node, calm), None);
        node.spec.unschedulable = false;
        assert_eq!(described(&node, calm).as_deref(), Some("Some(True) "));
    }

    #[test]
    fn a_node_under_pressure_is_tainted_until_it_has_enough_again() {
        let says = |mut node: Node, conditions: &[(&str, ConditionStatus)]| {
            for &(name, status) in conditions {
                let condition = NodeCondition { r#type: name.to_owned(), status, ..NodeCondition::default() };
                set_condition(&mut node.status.conditions, condition);
            }
            node
        };
        use ConditionStatus::{False, True, Unknown};
        use TaintEffect::{NoExecute, NoSchedule};
        let (memory, disk, pid) =
            (NodeCondition::MEMORY_PRESSURE, NodeCondition::DISK_PRESSURE, NodeCondition::PID_PRESSURE);
        let [short, others] = [(Taint::MEMORY_PRESSURE, NoSchedule, None), (Taint::DISK_PRESSURE, NoExecute, Some(1))];
        let unreachable = [(Taint::UNREACHABLE, NoSchedule, None), (Taint::UNREACHABLE, NoExecute, Some(900))];
        let of_both = [&unreachable[..], &[short]].concat();
        for (before, expected) in [
            (says(node(Some(True), &[]), &[(memory, False), (disk, Unknown)]), None),
            (says(node(Some(True), &[]), &[(memory, True)]), Some("Some(True) memory-pressure:NoSchedule")),
            (
                says(node(Some(True), &[]), &[(disk, True), (pid, True)]),
                Some("Some(True) disk-pressure:NoSchedule pid-pressure:NoSchedule"),
            ),
            (says(node(Some(True), &[short]), &[(memory, True)]), None),
            (says(node(Some(True), &[short, others]), &[(memory, False)]), Some("Some(True) disk-pressure:NoExecute")),
            (node(Some(True), &[short]), Some("Some(True) ")),
            (says(node(Some(Unknown), &of_both), &[(memory, True)]), None),
            (node(Some(Unknown), &of_both), Some("Some(Unknown) unreachable:NoSchedule unreachable:NoExecute")),
        ] {
            assert_eq!(described(&before, circumstances(false, false)).as_deref(), expected, "{before:?}");
        }
    }

    fn tolerating(key: &str, seconds: Option<i64>) -> Toleration {
        Toleration {
            key: Some(key.to_owned()),
            operator: Some(TolerationOperator::Exists),
            effect: Some(TaintEffect::NoExecute),
            toleration_seconds: seconds,
            ..Toleration::default()
        }
    }

    #[test]
    fn a_pod_stays_as_long_as_it_tolerates_every_taint() {
        let own = (Taint::UNREACHABLE, TaintEffect::NoExecute, Some(NOW - 100));
        let other = ("mine", TaintEffect::NoExecute, Some(NOW - 100));
        let unreachable = |seconds| tolerating(Taint::UNREACHABLE, seconds);
        let mine = |seconds| tolerating("mine", seconds);
        for (taints, tolerations, expected) in [
            (&[own][..], vec![], Some(200)),
            (&[own], vec![unreachable(Some(0))], Some(0)),
            (&[own], vec![unreachable(Some(-5))], Some(0)),
            (&[own], vec![unreachable(Some(150))], Some(50)),
            (&[own], vec![unreachable(None)], None),
            (&[own], vec![unreachable(None), unreachable(Some(150))], Some(50)),
            (&[other], vec![], Some(0)),
            (&[other], vec![mine(None)], None),
            (&[own, other], vec![mine(None)], Some(200)),
            (&[own, other], vec![mine(Some(130)), unreachable(None)], Some(30)),
            (&[(Taint::UNREACHABLE, TaintEffect::NoSchedule, None)], vec![], None),
        ] {
            let node = node(Some(ConditionStatus::Unknown), taints);
            let left = time_left(&pod(tolerations.clone()), &node, circumstances(true, false));
            assert_eq!(left.map(|left| left.as_secs()), expected, "{taints:?} {tolerations:?}");
        }
    }

    fn told(plan: &Plan) -> String {
        let words = plan.actions.iter().filter_map(|action| match action {
            Action::Delete { grace: Grace::Now, .. } => Some("remove"),
            Action::Delete { .. } => Some("delete"),
            Action::Update { .. } => Some("unready"),
            _ => None,
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn pods_leave_a_silent_node_and_are_not_sent_requests_meanwhile() {
        let since = |seconds| [(Taint::UNREACHABLE, TaintEffect::NoExecute, Some(NOW - seconds))];
        let unknown = Some(ConditionStatus::Unknown);
        let mut deleting = Pod::clone(&pod(vec![]));
        deleting.metadata.deletion_timestamp = Some(at(NOW).into());
        let deleting = Arc::new(deleting);
        for (node, pod, silent, disrupted, expected) in [
            (node(unknown, &since(300)), pod(vec![]), true, false, "delete"),
            (node(unknown, &since(299)), pod(vec![]), true, false, "unready"),
            (node(unknown, &since(299)), pod(vec![]), false, false, ""),
            // Taints of before this controller was started: it has not found the node silent yet.
            (node(unknown, &since(900)), pod(vec![]), false, false, ""),
            (node(unknown, &since(300)), pod(vec![]), true, true, ""),
            (node(unknown, &since(300)), deleting, true, false, "unready"),
            (node(unknown, &since(300)), pod(vec![tolerating(Taint::UNREACHABLE, None)]), true, false, "unready"),
        ] {
            let plan = clear(&node, std::slice::from_ref(&pod), circumstances(silent, disrupted)).expect("a plan");
            assert_eq!(told(&plan), expected, "{node:?} {pod:?}");
        }
    }

    #[test]
    fn what_is_left_of_the_pods_of_a_node_that_is_no_more_is_removed_once() {
        let mut held = Pod::clone(&pod(vec![]));
        held.metadata.finalizers.push("example.org/backup".to_owned());
        held.metadata.deletion_timestamp = Some(at(NOW).into());
        let mut marked = held.clone();
        marked.metadata.deletion_grace_period_seconds = Some(0);
        assert_eq!(told(&bury(&[pod(vec![]), Arc::new(held), Arc::new(marked)])), "remove remove");
    }
}
