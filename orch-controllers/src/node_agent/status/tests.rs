//! What is told about pods.

use orch_core::object::{ObjectMeta, PodSpec};
use orch_core::runtime::{ContainerSpec, ContainerState as State};

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn attempt(number: u32, state: State) -> runtime::ContainerStatus {
    let id =
        ContainerId { pod: "uid-1".parse().expect("a uid"), name: "web".parse().expect("a name"), attempt: number };
    runtime::ContainerStatus { id, spec: ContainerSpec::default(), state, process: None, image_id: None }
}

fn ended(number: u32, reason: ExitReason, code: i32, message: &str) -> runtime::ContainerStatus {
    let state = State::Exited { reason, code, started_at: at(5), finished_at: at(9), message: message.to_owned() };
    attempt(number, state)
}

fn pod(policy: RestartPolicy) -> Pod {
    let container = Container { name: "web".into(), image: Some("web:1".into()), ..Container::default() };
    let metadata = ObjectMeta { name: "a".into(), generation: Some(3), ..ObjectMeta::default() };
    let spec = PodSpec { containers: vec![container], restart_policy: Some(policy), ..PodSpec::default() };
    Pod { metadata, spec, ..Pod::default() }
}

fn around(second: i64) -> Circumstances<'static> {
    static SAID: BTreeMap<ContainerId, String> = BTreeMap::new();
    Circumstances {
        sandbox_ready: true,
        messages: &SAID,
        host_ip: [192, 168, 0, 1].into(),
        pod_ip: Some([10, 0, 0, 7].into()),
        container_id_prefix: "process",
        over: false,
        ended_because: None,
        now: at(second),
    }
}

fn observed<'a>(
    pod: &'a Pod,
    latest: &'a runtime::ContainerStatus,
    previous: Option<&'a runtime::ContainerStatus>,
) -> Observed<'a> {
    let runs = latest.state.is_running();
    Observed {
        container: &pod.spec.containers[0],
        latest: Some(latest),
        previous,
        stored: pod.status.container_statuses.first(),
        waiting: None,
        started: runs,
        ready: runs,
    }
}

/// The status of a pod of which this is the only container.
fn status_of(pod: &Pod, observed: Observed<'_>, second: i64) -> PodStatus {
    pod_status(pod, &Observations { init: Vec::new(), containers: vec![observed] }, around(second))
}

#[test]
fn a_running_pod_is_told_as_kubernetes_tells_it() {
    let mut pod = pod(RestartPolicy::Always);
    let scheduled = PodCondition { r#type: "PodScheduled".into(), status: ConditionStatus::True, ..Default::default() };
    pod.status.conditions = vec![scheduled];
    let (previous, latest) =
        (ended(1, ExitReason::Signaled, 137, ""), attempt(2, State::Running { started_at: at(10) }));
    let status = status_of(&pod, observed(&pod, &latest, Some(&previous)), 11);
    let found = serde_json::to_value(&status).expect("JSON");
    let condition = |name: &str| {
        serde_json::json!({"type": name, "status": "True", "observedGeneration": 3,
                           "lastTransitionTime": "1970-01-01T00:00:11Z"})
    };
    let expected = serde_json::json!({
        "phase": "Running",
        "observedGeneration": 3,
        "conditions": [{"type": "PodScheduled", "status": "True"},
            condition("PodReadyToStartContainers"), condition("Initialized"), condition("Ready"),
            condition("ContainersReady")],
        "hostIP": "192.168.0.1",
        "podIP": "10.0.0.7",
        "podIPs": [{"ip": "10.0.0.7"}],
        "startTime": "1970-01-01T00:00:11Z",
        "qosClass": "BestEffort",
        "containerStatuses": [{
            "name": "web", "image": "web:1", "imageID": "", "ready": true, "started": true, "restartCount": 2,
            "containerID": "process://uid-1/web/2",
            "state": {"running": {"startedAt": "1970-01-01T00:00:10Z"}},
            "lastState": {"terminated": {
                "exitCode": 137, "signal": 9, "reason": "Error", "containerID": "process://uid-1/web/1",
                "startedAt": "1970-01-01T00:00:05Z", "finishedAt": "1970-01-01T00:00:09Z",
            }},
        }],
    });
    assert_eq!(found, expected);
    let told = Pod { status: status.clone(), ..pod };
    assert_eq!(status_of(&told, observed(&told, &latest, Some(&previous)), 99), status, "nothing is new");
}

#[test]
fn ends_have_kubernetes_reasons() {
    for (reason, code, word) in [
        (ExitReason::Exited, 0, "Completed"),
        (ExitReason::Exited, 3, "Error"),
        (ExitReason::Signaled, 143, "Error"),
        (ExitReason::OutOfMemory, 137, "OOMKilled"),
        (ExitReason::StartError, 128, "StartError"),
        (ExitReason::Unknown, 137, "ContainerStatusUnknown"),
    ] {
        let pod = pod(RestartPolicy::Never);
        let latest = ended(0, reason, code, "why");
        let status = status_of(&pod, observed(&pod, &latest, None), 11);
        let terminated = status.container_statuses[0].state.terminated.clone().expect("it ended");
        assert_eq!((terminated.reason.as_deref(), terminated.exit_code), (Some(word), code));
        assert_eq!(terminated.message.as_deref(), Some("why"));
        let phase = if code == 0 { PodPhase::Succeeded } else { PodPhase::Failed };
        assert_eq!(status.phase(), phase);
    }
}

#[test]
fn conditions_keep_the_time_of_their_last_transition() {
    let pod = pod(RestartPolicy::Always);
    let latest = attempt(0, State::Running { started_at: at(10) });
    let told = |pod: &Pod, ready, second| {
        let observed = Observed { ready, ..observed(pod, &latest, None) };
        Pod { status: status_of(pod, observed, second), ..pod.clone() }
    };
    let since = |pod: &Pod, name| {
        let condition = orch_core::object::find_condition(&pod.status.conditions, name).expect("a condition");
        condition.last_transition_time.expect("a time").timestamp().as_second()
    };
    let unready = told(&pod, false, 11);
    let ready = told(&told(&unready, false, 12), true, 13);
    let still = told(&ready, true, 14);
    assert_eq!([since(&unready, "Ready"), since(&ready, "Ready"), since(&still, "Ready")], [11, 13, 13]);
    assert_eq!(since(&still, "Initialized"), 11);
    let condition = orch_core::object::find_condition(&unready.status.conditions, "ContainersReady").expect("there");
    assert_eq!(condition.reason.as_deref(), Some("ContainersNotReady"));
    assert_eq!(condition.message.as_deref(), Some("containers with unready status: [web]"));
}

#[test]
fn phases_follow_kubernetes_table() {
    use PodPhase::{Failed, Pending, Running, Succeeded};
    use RestartPolicy::{Always, Never, OnFailure};
    let one = |letter: char| {
        let terminated =
            |code| ContainerState::terminated(ContainerStateTerminated { exit_code: code, ..Default::default() });
        let (state, last_state) = match letter {
            'r' => (ContainerState::running(at(1).into()), ContainerState::default()),
            's' => (terminated(0), ContainerState::default()),
            'f' => (terminated(1), ContainerState::default()),
            'b' => (ContainerState::waiting("CrashLoopBackOff", None), terminated(1)),
            _ => (ContainerState::waiting("ContainerCreating", None), ContainerState::default()),
        };
        ContainerStatus { state, last_state, ..ContainerStatus::default() }
    };
    // running, succeeded, failed, backing off, waiting; whether it is over.
    for (policy, containers, over, expected) in [
        (Always, "w", false, Pending),
        (Always, "rw", false, Pending),
        (Always, "rr", false, Running),
        (Always, "rf", false, Running),
        (Always, "ss", false, Running),
        (Always, "b", false, Running),
        (Always, "ss", true, Succeeded),
        (Always, "sf", true, Failed),
        (Always, "b", true, Failed),
        (OnFailure, "ss", false, Succeeded),
        (OnFailure, "sf", false, Running),
        (OnFailure, "sb", false, Running),
        (OnFailure, "sf", true, Failed),
        (Never, "rs", false, Running),
        (Never, "ss", false, Succeeded),
        (Never, "sf", false, Failed),
    ] {
        let statuses: Vec<ContainerStatus> = containers.chars().map(one).collect();
        assert_eq!(phase(policy, &[], &statuses, over), expected, "{policy:?} {containers} {over}");
    }
}
