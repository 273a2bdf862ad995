//! Tables of what is decided about a pod.

use orch_core::object::{Container, DnsPolicy, ExecAction, ObjectMeta, PodPhase, PodSpec, Probe, RestartPolicy, Uid};
use orch_core::runtime::{ContainerState, ContainerStatus, ExitReason};

use super::super::probe::ProbeKind;
use super::end::grace_left;
use super::*;

mod containers;
mod hooks;
mod images;
mod sandboxes;

/// The time of every decision, in seconds.
const NOW: i64 = 10_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn uid() -> PodUid {
    "uid-1".parse().expect("a uid")
}

fn id(name: &str, attempt: u32) -> ContainerId {
    ContainerId { pod: uid(), name: name.parse().expect("a name"), attempt }
}

fn pod(policy: RestartPolicy, containers: &[&str]) -> Pod {
    let metadata = ObjectMeta {
        name: "a".into(),
        namespace: Some("shop".into()),
        uid: Some(Uid::new("uid-1")),
        ..ObjectMeta::default()
    };
    let container = |name: &&str| Container { name: (*name).to_owned(), ..Container::default() };
    let containers = containers.iter().map(container).collect();
    // What people are told of a cluster without name servers has a test of its own.
    let dns_policy = Some(DnsPolicy::Default);
    let spec = PodSpec { containers, restart_policy: Some(policy), dns_policy, ..PodSpec::default() };
    Pod { metadata, spec, ..Pod::default() }
}

fn deleting(mut pod: Pod, due: i64, grace: i64) -> Pod {
    pod.metadata.deletion_timestamp = Some(at(due).into());
    pod.metadata.deletion_grace_period_seconds = Some(grace);
    pod
}

fn running(name: &str, attempt: u32, started: i64) -> ContainerStatus {
    let state = ContainerState::Running { started_at: at(started) };
    ContainerStatus { id: id(name, attempt), spec: ContainerSpec::default(), state, process: None, image_id: None }
}

fn exited(name: &str, attempt: u32, started: i64, finished: i64, code: i32) -> ContainerStatus {
    let (started_at, finished_at) = (at(started), at(finished));
    let state =
        ContainerState::Exited { reason: ExitReason::Exited, code, started_at, finished_at, message: String::new() };
    ContainerStatus { id: id(name, attempt), spec: ContainerSpec::default(), state, process: None, image_id: None }
}

fn sandbox(containers: &[ContainerStatus]) -> SandboxStatus {
    let spec = SandboxSpec {
        pod: uid(),
        namespace: "shop".into(),
        name: "a".into(),
        hostname: "a".into(),
        host_network: false,
        dns: None,
        domain: None,
        host_entries: Vec::new(),
    };
    SandboxStatus {
        spec,
        ip: Some([10, 0, 0, 7].into()),
        ready: true,
        created_at: at(0),
        containers: containers.to_vec(),
    }
}

/// What is decided, and the status that is written with it or that the pod has.
fn decide(pod: &Pod, sandbox: Option<&SandboxStatus>, verdicts: &[(ProbeId, Verdict)]) -> (Vec<String>, PodStatus) {
    let found = Found { verdicts: verdicts.iter().cloned().collect(), ..Found::default() };
    decide_on(pod, sandbox, &found, word)
}

/// The same with everything that was found, in the words that are asked for; those without any are left out.
fn decide_on(
    pod: &Pod,
    sandbox: Option<&SandboxStatus>,
    found: &Found,
    word: fn(&Step) -> String,
) -> (Vec<String>, PodStatus) {
    let config = NodeAgentConfig::new("node-1", [192, 168, 0, 1].into());
    let look = Look { config: &config, pod: Some(pod), sandbox, strays: &[], refusal: None, found, now: at(NOW) };
    let decided = plan(look);
    let mut status = pod.status.clone();
    let mut words: Vec<String> = decided.steps.iter().map(word).filter(|word| !word.is_empty()).collect();
    for step in decided.steps {
        if let Step::Status(new) = step {
            status = *new;
        }
    }
    words.extend(decided.revisit_after.map(|after| format!("again in {} s", after.as_secs())));
    (words, status)
}

/// What people are told, and nothing else.
fn told(step: &Step) -> String {
    match step {
        Step::Report(_, reason, message) => format!("{reason}: {message}"),
        _ => String::new(),
    }
}

fn word(step: &Step) -> String {
    match step {
        Step::ClearStray(stray) => format!("clear {}", stray.spec.pod),
        Step::Status(status) => format!("status {:?}", status.phase()),
        Step::CreateSandbox(_) => "sandbox".into(),
        Step::MakeVolumes(_, volumes) => {
            let names: Vec<&str> = volumes.iter().map(|(name, _)| name.as_str()).collect();
            format!("make {}", names.join(", "))
        }
        Step::Pull(_, pulls) => {
            let pulls = pulls.iter().map(|pull| format!("{}/{} try {}", pull.id.name, pull.id.attempt, pull.failures));
            format!("pull {}", pulls.collect::<Vec<_>>().join(", "))
        }
        Step::Start(start) => format!("start {}/{}", start.id.name, start.id.attempt),
        Step::Hook(_, hooks) => {
            let hooks = hooks.iter().map(|hook| format!("{}/{}", hook.id.name, hook.id.attempt));
            format!("hook {}", hooks.collect::<Vec<_>>().join(", "))
        }
        Step::Stop(stops) => {
            let stops = stops.iter().map(|Stop { id, grace, hook }| {
                let hook = if hook.is_some() { " after its hook" } else { "" };
                format!("{}/{} in {}{hook}", id.name, id.attempt, grace.as_secs())
            });
            format!("stop {}", stops.collect::<Vec<_>>().join(", "))
        }
        Step::Forget(id) => format!("forget {}/{}", id.name, id.attempt),
        Step::Ask(_, inquiries) => {
            let kinds = inquiries.iter().map(|inquiry| inquiry.id.kind.word());
            format!("ask {}", kinds.collect::<Vec<_>>().join(", "))
        }
        Step::RemoveSandbox(_) => "remove".into(),
        Step::RemoveVolumes(_) => "remove volumes".into(),
        Step::Delete => "delete".into(),
        Step::Report(_, "Killing", why) => why.clone(),
        Step::Report(..) => String::new(),
        Step::Told(..) => "told".into(),
    }
}

/// The steps without the status.
fn acts(pod: &Pod, sandbox: Option<&SandboxStatus>) -> Vec<String> {
    let (mut words, _) = decide(pod, sandbox, &[]);
    words.retain(|word| !word.starts_with("status"));
    words
}

/// The pod with the status that was decided on.
fn with_status(pod: &Pod, sandbox: &SandboxStatus, verdicts: &[(ProbeId, Verdict)]) -> Pod {
    Pod { status: decide(pod, Some(sandbox), verdicts).1, ..pod.clone() }
}

#[test]
fn a_pod_gets_a_sandbox_then_its_containers_then_its_status() {
    let pod = pod(RestartPolicy::Always, &["web", "log"]);
    let (words, status) = decide(&pod, None, &[]);
    assert_eq!(words, ["status Pending", "sandbox", "again in 0 s"]);
    assert_eq!(status.start_time.expect("taken on").timestamp(), at(NOW));
    let begun = Pod { status, ..pod };
    assert_eq!(decide(&begun, None, &[]).0, ["sandbox", "again in 0 s"], "told once");
    assert_eq!(decide(&begun, Some(&sandbox(&[])), &[]).0, ["start web/0", "start log/0", "again in 0 s"]);
    let both = sandbox(&[running("log", 0, NOW), running("web", 0, NOW)]);
    assert_eq!(decide(&begun, Some(&both), &[]).0, ["status Running"]);
    assert_eq!(decide(&with_status(&begun, &both, &[]), Some(&both), &[]).0, [""; 0]);
}

#[test]
fn strays_go_before_anything_is_started() {
    let config = NodeAgentConfig::new("node-1", [192, 168, 0, 1].into());
    let pod = pod(RestartPolicy::Always, &["web"]);
    let found = Found::default();
    let strays = [sandbox(&[running("web", 0, 0)])];
    for pod in [Some(&pod), None] {
        let look =
            Look { config: &config, pod, sandbox: None, strays: &strays, refusal: None, found: &found, now: at(NOW) };
        let decided = plan(look);
        assert_eq!(decided.steps.iter().map(word).collect::<Vec<_>>(), ["clear uid-1"]);
        assert_eq!(decided.revisit_after, Some(Duration::ZERO));
    }
}

#[test]
fn the_restart_policy_decides_what_is_started_again() {
    use RestartPolicy::{Always, Never, OnFailure};
    for (policy, code, expected, phase) in [
        (Always, 0, &["start web/1", "again in 0 s"][..], PodPhase::Pending),
        (Always, 1, &["start web/1", "again in 0 s"], PodPhase::Pending),
        (OnFailure, 0, &[], PodPhase::Succeeded),
        (OnFailure, 1, &["start web/1", "again in 0 s"], PodPhase::Pending),
        (Never, 0, &[], PodPhase::Succeeded),
        (Never, 1, &[], PodPhase::Failed),
    ] {
        let pod = pod(policy, &["web"]);
        let ended = sandbox(&[exited("web", 0, NOW - 5, NOW - 1, code)]);
        assert_eq!(acts(&pod, Some(&ended)), expected, "{policy:?} {code}");
        let status = decide(&pod, Some(&ended), &[]).1;
        assert_eq!(status.phase(), phase, "{policy:?} {code}");
        if phase.is_terminal() {
            let over = Pod { status, ..pod };
            assert_eq!(decide(&over, Some(&ended), &[]).0, [""; 0], "it is told once");
        }
    }
}

#[test]
fn a_crash_loop_waits_in_kubernetes_words() {
    let pod = pod(RestartPolicy::Always, &["web"]);
    let ended = sandbox(&[exited("web", 0, NOW - 40, NOW - 20, 1), exited("web", 1, NOW - 19, NOW - 4, 1)]);
    let (words, status) = decide(&pod, Some(&ended), &[]);
    assert_eq!(words, ["status Running", "again in 6 s"]);
    let container = &status.container_statuses[0];
    let waiting = container.state.waiting.as_ref().expect("it waits");
    assert_eq!(waiting.reason.as_deref(), Some("CrashLoopBackOff"));
    let message = "back-off 10s restarting failed container=web pod=a_shop(uid-1)";
    assert_eq!(waiting.message.as_deref(), Some(message));
    assert_eq!(container.last_state.terminated.as_ref().map(|last| last.exit_code), Some(1));
    assert_eq!(container.restart_count, 1);
    let due = sandbox(&[exited("web", 1, NOW - 19, NOW - 10, 1)]);
    assert_eq!(acts(&pod, Some(&due)), ["start web/2", "again in 0 s"]);
    let later = sandbox(&[exited("web", 1, NOW + 3_590, NOW + 3_600, 1)]);
    assert_eq!(acts(&pod, Some(&later)), ["again in 10 s"], "a clock set back makes an age nothing, not negative");
}

#[test]
fn all_attempts_but_the_last_two_are_forgotten() {
    let pod = pod(RestartPolicy::Always, &["web"]);
    let attempts = [exited("web", 3, 1, 2, 1), exited("web", 4, 3, 4, 1), running("web", 5, 5)];
    assert_eq!(acts(&pod, Some(&sandbox(&attempts))), ["forget web/3"]);
}

#[test]
fn a_pod_that_is_deleted_goes_step_by_step() {
    let alive = pod(RestartPolicy::Always, &["web", "log"]);
    let runs = sandbox(&[running("log", 0, 0), running("web", 0, 0)]);
    let pod = deleting(with_status(&alive, &runs, &[]), NOW + 20, 30);
    let stop = ["Stopping container log", "Stopping container web", "stop log/0 in 21, web/0 in 21", "again in 0 s"];
    assert_eq!(decide(&pod, Some(&runs), &[]).0, stop);
    let half = sandbox(&[exited("log", 0, 0, 9, 0), running("web", 0, 0)]);
    assert_eq!(acts(&pod, Some(&half)), ["Stopping container web", "stop web/0 in 21", "again in 0 s"]);
    let ended = sandbox(&[exited("log", 0, 0, 9, 0), exited("web", 0, 0, 9, 143)]);
    assert_eq!(decide(&pod, Some(&ended), &[]).0, ["status Failed", "remove", "again in 0 s"]);
    let told = with_status(&pod, &ended, &[]);
    assert_eq!(decide(&told, Some(&ended), &[]).0, ["remove", "again in 0 s"]);
    assert_eq!(decide(&told, None, &[]).0, ["delete"]);
}

#[test]
fn nothing_of_a_pod_that_is_deleted_is_started() {
    let pod = deleting(pod(RestartPolicy::Always, &["web", "log"]), NOW + 30, 30);
    assert_eq!(decide(&pod, None, &[]).0, ["delete"]);
    assert_eq!(decide(&pod, Some(&sandbox(&[])), &[]).0, ["remove", "again in 0 s"]);
}

#[test]
fn the_grace_that_is_left_counts_from_the_request_and_never_exceeds_it() {
    for (due, grace, left) in [(NOW + 30, 30, 30), (NOW + 5, 30, 6), (NOW - 100, 30, 0), (NOW + 1_000, 30, 30)] {
        let pod = deleting(pod(RestartPolicy::Always, &["web"]), due, grace);
        assert_eq!(grace_left(&pod, at(NOW)).as_secs(), left, "due in {}", due - NOW);
    }
}

#[test]
fn a_pod_held_back_by_a_finalizer_is_asked_to_go_once() {
    let mut pod = deleting(pod(RestartPolicy::Always, &["web"]), NOW, 30);
    pod.metadata.finalizers = vec!["example.org/hold".into()];
    assert_eq!(acts(&pod, None), ["delete"]);
    assert_eq!(acts(&deleting(pod, NOW, 0), None), [""; 0]);
}

#[test]
fn a_pod_past_its_deadline_is_ended_and_failed() {
    let mut pod = pod(RestartPolicy::Always, &["web"]);
    pod.spec.active_deadline_seconds = Some(60);
    pod.status.start_time = Some(at(NOW - 50).into());
    let runs = sandbox(&[running("web", 0, NOW - 50)]);
    assert_eq!(acts(&pod, Some(&runs)), ["again in 10 s"]);
    pod.status.start_time = Some(at(NOW - 60).into());
    assert_eq!(acts(&pod, Some(&runs)), ["Stopping container web", "stop web/0 in 30", "again in 0 s"]);
    let ended = sandbox(&[exited("web", 0, NOW - 50, NOW, 143)]);
    for sandbox in [Some(&ended), None] {
        let (words, status) = decide(&pod, sandbox, &[]);
        assert_eq!(words, ["status Failed"]);
        assert_eq!(status.reason.as_deref(), Some("DeadlineExceeded"));
    }
}

fn probed(kind: ProbeKind, threshold: i32) -> Pod {
    let mut pod = pod(RestartPolicy::Always, &["web"]);
    let exec = Some(ExecAction { command: vec!["well".into()] });
    let probe = Probe { exec, failure_threshold: Some(threshold), ..Probe::default() };
    let container = &mut pod.spec.containers[0];
    match kind {
        ProbeKind::Startup => container.startup_probe = Some(probe),
        ProbeKind::Liveness => container.liveness_probe = Some(probe),
        ProbeKind::Readiness => container.readiness_probe = Some(probe),
    }
    pod
}

fn said(kind: ProbeKind, verdict: Verdict) -> (ProbeId, Verdict) {
    (ProbeId { container: id("web", 0), kind }, verdict)
}

#[test]
fn readiness_gates_ready_and_survives_a_restart_of_the_agent() {
    let pod = probed(ProbeKind::Readiness, 1);
    let runs = sandbox(&[running("web", 0, 0)]);
    let ready = |status: PodStatus| (status.container_statuses[0].ready, status.is_ready());
    let (words, status) = decide(&pod, Some(&runs), &[]);
    assert_eq!((words, ready(status)), (vec!["status Running".into(), "ask readiness".into()], (false, false)));
    let well = [said(ProbeKind::Readiness, Verdict::Success)];
    let known = with_status(&pod, &runs, &well);
    assert_eq!(ready(known.status.clone()), (true, true));
    let (words, status) = decide(&known, Some(&runs), &[]);
    assert_eq!((words, ready(status)), (vec!["ask readiness".into()], (true, true)), "asked anew, not unready");
    let unwell = [said(ProbeKind::Readiness, Verdict::Failure("no".into()))];
    assert_eq!(ready(decide(&known, Some(&runs), &unwell).1), (false, false));
}

#[test]
fn a_failed_liveness_probe_ends_the_container_and_its_next_attempt_follows() {
    let pod = probed(ProbeKind::Liveness, 1);
    let runs = sandbox(&[running("web", 0, 0)]);
    let asked = with_status(&pod, &runs, &[]);
    let failed = [said(ProbeKind::Liveness, Verdict::Failure("exit 1".into()))];
    let (words, status) = decide(&asked, Some(&runs), &failed);
    let why = "Container web failed liveness probe, will be restarted: exit 1";
    assert_eq!(words, ["status Running", why, "stop web/0 in 30", "again in 0 s"]);
    assert!(!status.is_ready());
    let ended = sandbox(&[exited("web", 0, 0, NOW, 143)]);
    assert_eq!(decide(&asked, Some(&ended), &failed).0, ["ask ", "start web/1", "again in 0 s"]);
}

#[test]
fn the_other_probes_wait_until_the_startup_probe_has_succeeded() {
    let mut pod = probed(ProbeKind::Startup, 1);
    pod.spec.containers[0].liveness_probe = pod.spec.containers[0].startup_probe.clone();
    let runs = sandbox(&[running("web", 0, 0)]);
    assert_eq!(acts(&pod, Some(&runs)), ["ask startup"]);
    let started = [said(ProbeKind::Startup, Verdict::Success)];
    let (words, status) = decide(&pod, Some(&runs), &started);
    assert_eq!(words, ["status Running", "ask startup, liveness"]);
    assert_eq!((status.container_statuses[0].started, status.is_ready()), (Some(true), true));
    let known = Pod { status, ..pod.clone() };
    assert_eq!(acts(&known, Some(&runs)), ["ask liveness"], "what is stored need not be asked again");
    let failed = [said(ProbeKind::Startup, Verdict::Failure("no".into()))];
    assert!(decide(&pod, Some(&runs), &failed).0.contains(&"stop web/0 in 30".to_owned()));
}

#[test]
fn what_cannot_be_resolved_waits_with_the_reason() {
    let mut pod = pod(RestartPolicy::Always, &["web", "log"]);
    let field_ref = Some(orch_core::object::ObjectFieldSelector { api_version: None, field_path: "spec.x".into() });
    pod.spec.containers[0].env = vec![orch_core::object::EnvVar {
        name: "X".into(),
        value: None,
        value_from: Some(orch_core::object::EnvVarSource { field_ref, ..orch_core::object::EnvVarSource::default() }),
    }];
    assert_eq!(acts(&pod, Some(&sandbox(&[]))), ["start log/0", "again in 0 s"], "the others go on");
    let (words, status) = decide(&pod, Some(&sandbox(&[running("log", 0, 0)])), &[]);
    assert_eq!(words, ["status Pending"]);
    let waiting = status.container_statuses[0].state.waiting.as_ref().expect("it waits");
    assert_eq!(waiting.reason.as_deref(), Some("CreateContainerConfigError"));
    assert!(waiting.message.as_deref().is_some_and(|message| message.contains("spec.x")));
}

#[test]
fn a_runtime_that_lost_everything_goes_on_counting_and_repeats_nothing_that_must_not() {
    let lost = |policy| {
        let pod = pod(policy, &["web"]);
        with_status(&pod, &sandbox(&[running("web", 4, 0)]), &[])
    };
    let always = lost(RestartPolicy::Always);
    assert_eq!(acts(&always, Some(&sandbox(&[]))), ["start web/5", "again in 0 s"]);
    let (words, status) = decide(&lost(RestartPolicy::Never), None, &[]);
    assert_eq!((words, status.reason.as_deref()), (vec!["status Failed".into()], Some("ContainerStatusUnknown")));
}

#[test]
fn a_runtime_that_lost_the_latest_attempt_goes_on_counting_from_it() {
    let pod = pod(RestartPolicy::Always, &["web"]);
    let before = with_status(&pod, &sandbox(&[exited("web", 3, 0, 0, 1), running("web", 4, 0)]), &[]);
    let lost = sandbox(&[exited("web", 3, 0, 0, 1)]);
    let (words, status) = decide(&before, Some(&lost), &[]);
    assert!(words.contains(&"start web/5".to_owned()), "{words:?}");
    assert_eq!(status.container_statuses[0].restart_count, 4, "the count never goes back");
}

#[test]
fn names_that_must_not_reach_the_runtime_fail_the_pod() {
    for pod in [
        pod(RestartPolicy::Always, &["../etc"]),
        Pod { metadata: ObjectMeta { uid: Some(Uid::new("../..")), ..ObjectMeta::default() }, ..Pod::default() },
        Pod { metadata: ObjectMeta { uid: None, ..ObjectMeta::default() }, ..Pod::default() },
    ] {
        let (words, status) = decide(&pod, None, &[]);
        assert_eq!(words, ["status Failed"]);
        assert_eq!(status.reason.as_deref(), Some("UnexpectedAdmissionError"));
        assert_eq!(acts(&deleting(pod, NOW, 30), None), ["delete"]);
    }
}
