//! Sandboxes that cannot be made, or were destroyed by others.

use orch_core::object::{PodCondition, PodDnsConfig, is_condition_true};

use super::*;

fn destroyed(containers: &[ContainerStatus]) -> SandboxStatus {
    SandboxStatus { ready: false, ..sandbox(containers) }
}

#[test]
fn a_sandbox_that_cannot_be_made_is_told_in_the_pod() {
    let pod = pod(RestartPolicy::Always, &["web"]);
    let message = "Failed to create pod sandbox: no address left";
    let mut trouble = Trouble::new("FailedCreatePodSandBox", message.into());
    let found =
        |trouble: &Trouble| Found { troubles: [(Subject::Sandbox, trouble.clone())].into(), ..Found::default() };
    let (events, status) = decide_on(&pod, None, &found(&trouble), told);
    assert_eq!(events, [format!("FailedCreatePodSandBox: {message}"), "again in 0 s".to_owned()]);
    let waiting = status.container_statuses[0].state.waiting.clone().expect("it waits");
    assert_eq!(waiting.message.as_deref(), Some(message));
    trouble.told = true;
    let known = Pod { status, ..pod };
    assert_eq!(decide_on(&known, None, &found(&trouble), word).0, ["sandbox", "again in 0 s"], "told once");
}

#[test]
fn a_pod_that_asks_for_the_network_of_its_node_gets_it() {
    for host_network in [false, true] {
        let mut pod = pod(RestartPolicy::Always, &["web"]);
        pod.spec.host_network = host_network;
        let asked = |step: &Step| match step {
            Step::CreateSandbox(spec) => format!("{}", spec.host_network),
            _ => String::new(),
        };
        assert_eq!(decide_on(&pod, None, &Found::default(), asked).0[0], host_network.to_string());
    }
}

#[test]
fn a_sandbox_is_made_and_made_anew_with_how_its_containers_find_names_and_warnings_come_once() {
    let node_dns = Some(SandboxDns::parse("nameserver 9.9.9.9\n").0);
    let found = Found { node_dns, ..Found::default() };
    let servers = |step: &Step| match step {
        Step::CreateSandbox(spec) => spec.dns.as_ref().map(SandboxDns::resolv_conf).unwrap_or_default(),
        _ => String::new(),
    };
    let mut pod = pod(RestartPolicy::Always, &["web"]);
    pod.spec.dns_policy = None;
    assert_eq!(decide_on(&pod, None, &found, servers).0, ["nameserver 9.9.9.9\n", "again in 0 s"]);
    let (events, status) = decide_on(&pod, None, &found, told);
    assert!(events[0].starts_with("MissingClusterDNS: the node agent does not know"), "{events:?}");
    let begun = Pod { status, ..pod };
    assert_eq!(decide_on(&begun, None, &found, told).0, ["again in 0 s"], "told once");
    let lost = destroyed(&[]);
    assert_eq!(decide_on(&begun, Some(&lost), &found, servers).0[0], "nameserver 9.9.9.9\n");
}

#[test]
fn a_pod_that_would_write_lines_of_its_own_into_files_of_names_is_refused() {
    let mut pod = pod(RestartPolicy::Always, &["web"]);
    let searches = vec!["a\nnameserver 6.6.6.6".to_owned()];
    pod.spec.dns_config = Some(PodDnsConfig { searches, ..PodDnsConfig::default() });
    let (words, status) = decide(&pod, None, &[]);
    assert_eq!((words, status.reason.as_deref()), (vec!["status Failed".into()], Some("UnexpectedAdmissionError")));
}

#[test]
fn what_goes_into_the_environment_of_a_container_is_not_shown() {
    let mut pod = pod(RestartPolicy::Always, &["web"]);
    pod.spec.containers[0].command = vec!["hush".into()];
    let shown = |step: &Step| format!("{step:?}");
    assert!(!decide_on(&pod, Some(&sandbox(&[])), &Found::default(), shown).0.concat().contains("hush"));
}

#[test]
fn a_sandbox_that_others_destroyed_is_made_anew_and_containers_go_on_with_the_next_attempt() {
    let alive = pod(RestartPolicy::Always, &["web"]);
    let runs = sandbox(&[running("web", 0, 0)]);
    let alive = with_status(&alive, &runs, &[]);
    let lost = destroyed(&[running("web", 0, 0)]);
    let (events, _) = decide_on(&alive, Some(&lost), &Found::default(), told);
    assert_eq!(events[0], "SandboxChanged: Pod sandbox changed, it will be killed and re-created.");
    assert_eq!(acts(&alive, Some(&lost)), ["stop web/0 in 30", "again in 0 s"]);
    let ended = destroyed(&[exited("web", 0, 0, NOW, 137)]);
    let (words, status) = decide(&alive, Some(&ended), &[]);
    assert_eq!(words, ["status Running", "sandbox", "again in 0 s"]);
    assert!(!is_condition_true(&status.conditions, PodCondition::READY_TO_START_CONTAINERS));
    let again = sandbox(&[exited("web", 0, 0, NOW, 137)]);
    assert_eq!(acts(&Pod { status, ..alive }, Some(&again)), ["start web/1", "again in 0 s"]);
}

#[test]
fn init_containers_run_again_in_a_new_sandbox_and_go_on_counting() {
    let mut pod = pod(RestartPolicy::Always, &["web"]);
    pod.spec.init_containers = super::pod(RestartPolicy::Always, &["init"]).spec.containers;
    let runs = sandbox(&[exited("init", 0, 1, 2, 0), running("web", 2, 3)]);
    let alive = with_status(&pod, &runs, &[]);
    let ended = destroyed(&[exited("init", 0, 1, 2, 0), exited("web", 2, 3, NOW, 137)]);
    let (words, status) = decide(&alive, Some(&ended), &[]);
    assert_eq!(words, ["status Pending", "forget init/0", "forget web/2", "sandbox", "again in 0 s"]);
    let last = status.container_statuses[0].last_state.terminated.as_ref().expect("it ended");
    assert_eq!(last.exit_code, 137);
    let anew = Pod { status, ..alive };
    assert_eq!(acts(&anew, Some(&sandbox(&[]))), ["start init/1", "again in 0 s"]);
    let initialized = sandbox(&[exited("init", 1, NOW, NOW, 0)]);
    assert_eq!(acts(&anew, Some(&initialized)), ["start web/3", "again in 0 s"]);
}

#[test]
fn what_must_not_run_again_gets_no_new_sandbox() {
    use RestartPolicy::{Never, OnFailure};
    for (policy, code, containers, phase) in [
        (Never, 137, &["web"][..], PodPhase::Failed),
        (Never, 0, &["web"], PodPhase::Succeeded),
        (Never, 0, &["web", "log"], PodPhase::Failed),
        (OnFailure, 0, &["web"], PodPhase::Succeeded),
    ] {
        let pod = pod(policy, containers);
        let ended = destroyed(&[exited("web", 0, 0, NOW, code)]);
        let (words, status) = decide(&pod, Some(&ended), &[]);
        assert_eq!((words, status.phase()), (vec![format!("status {phase:?}")], phase), "{policy:?} {code}");
    }
    let unstarted = destroyed(&[]);
    assert_eq!(acts(&pod(Never, &["web"]), Some(&unstarted)), ["sandbox", "again in 0 s"]);
}
