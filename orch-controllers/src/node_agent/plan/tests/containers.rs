//! Init containers, volumes and settings: what comes before the start of a container.

use orch_core::object::{ConfigMap, EnvFromSource, PodCondition, Volume, VolumeMount, find_condition};

use super::*;

/// A pod with init containers `one` and `two`, and a container `web`.
fn initialized_pod(policy: RestartPolicy) -> Pod {
    let mut pod = pod(policy, &["web"]);
    pod.spec.init_containers = super::pod(policy, &["one", "two"]).spec.containers;
    pod
}

#[test]
fn init_containers_run_one_after_another_before_the_others() {
    let always = initialized_pod(RestartPolicy::Always);
    let (done, now) = (|name| exited(name, 0, 1, 2, 0), NOW);
    for (sandbox_of, expected) in [
        (vec![], &["start one/0", "again in 0 s"][..]),
        (vec![running("one", 0, now)], &[]),
        (vec![done("one")], &["start two/0", "again in 0 s"]),
        (vec![done("one"), running("two", 0, now)], &[]),
        (vec![done("one"), exited("two", 0, 1, NOW, 1)], &["start two/1", "again in 0 s"]),
        (vec![done("one"), exited("two", 1, NOW - 5, NOW - 4, 1)], &["again in 6 s"]),
        (vec![done("one"), done("two")], &["start web/0", "again in 0 s"]),
        (vec![done("one"), done("two"), running("web", 0, now)], &[]),
        // What was known of them is lost.
        (vec![running("web", 0, now)], &[]),
        (vec![exited("web", 0, 1, 2, 1)], &["start web/1", "again in 0 s"]),
    ] {
        assert_eq!(acts(&always, Some(&sandbox(&sandbox_of))), expected, "{sandbox_of:?}");
    }
}

#[test]
fn an_init_container_that_fails_fails_a_pod_that_never_restarts() {
    for (policy, phase, expected) in [
        (RestartPolicy::Never, PodPhase::Failed, &[][..]),
        (RestartPolicy::OnFailure, PodPhase::Pending, &["again in 6 s"]),
    ] {
        let failed = sandbox(&[exited("one", 1, NOW - 5, NOW - 4, 1)]);
        let pod = initialized_pod(policy);
        assert_eq!(acts(&pod, Some(&failed)), expected, "{policy:?}");
        assert_eq!(decide(&pod, Some(&failed), &[]).1.phase(), phase, "{policy:?}");
    }
}

#[test]
fn a_pod_that_initializes_is_told_as_kubernetes_tells_it() {
    let pod = initialized_pod(RestartPolicy::Always);
    let first = sandbox(&[exited("one", 0, 1, 2, 0), running("two", 0, 3)]);
    let status = decide(&pod, Some(&first), &[]).1;
    assert_eq!(status.phase(), PodPhase::Pending);
    let condition = find_condition(&status.conditions, PodCondition::INITIALIZED).expect("a condition");
    assert_eq!(condition.reason.as_deref(), Some("ContainersNotInitialized"));
    assert_eq!(condition.message.as_deref(), Some("containers with incomplete status: [two]"));
    let waiting = status.container_statuses[0].state.waiting.clone().expect("it waits");
    assert_eq!(waiting.reason.as_deref(), Some("PodInitializing"));
    let init = &status.init_container_statuses;
    let ended = init[0].state.terminated.as_ref().expect("it ended");
    assert_eq!((ended.reason.as_deref(), init[0].ready), (Some("Completed"), true));
    assert!(init[1].state.running.is_some() && !init[1].ready);
    let all = [exited("one", 0, 1, 2, 0), exited("two", 0, 3, 4, 0), running("web", 0, 5)];
    let status = decide(&pod, Some(&sandbox(&all)), &[]).1;
    assert_eq!(status.phase(), PodPhase::Running);
    let condition = find_condition(&status.conditions, PodCondition::INITIALIZED).expect("a condition");
    assert_eq!(condition.status, orch_core::object::ConditionStatus::True);
}

/// A pod that sees the config map `settings` as a volume.
fn mounting() -> Pod {
    let mut pod = pod(RestartPolicy::Always, &["web"]);
    let volume = r#"{"name": "files", "configMap": {"name": "settings"}}"#;
    pod.spec.volumes = vec![serde_json::from_str::<Volume>(volume).expect("a volume")];
    let mount = VolumeMount { name: "files".into(), mount_path: "/etc/web".into(), ..VolumeMount::default() };
    pod.spec.containers[0].volume_mounts = vec![mount];
    pod
}

/// What is found where the config map `settings` has this value.
fn settings(value: &str) -> Found {
    let mut map = ConfigMap::default();
    map.data.insert("a".into(), value.into());
    let mut found = Found { volumes: Some(BTreeMap::new()), ..Found::default() };
    found.references.config_maps.insert("settings".into(), map.into());
    found
}

/// The same where the volume was made.
fn made(pod: &Pod, found: &mut Found) {
    let config = NodeAgentConfig::new("node-1", [192, 168, 0, 1].into());
    let references = found.references.clone();
    let around = super::super::super::environment::Surroundings {
        pod_ip: [10, 0, 0, 7].into(),
        config: &config,
        references: &references,
    };
    let sources = super::super::super::volumes::sources(pod, around);
    let made = sources.into_iter().map(|(name, source)| {
        let made = Made { source: source.expect("a source"), path: "/volumes/files".into() };
        (name, made)
    });
    found.volumes = Some(made.collect());
}

#[test]
fn volumes_are_made_before_containers_start_and_again_when_their_content_changes() {
    let pod = mounting();
    let mut found = settings("1");
    let empty = sandbox(&[]);
    let status = ["status Pending", "make files", "again in 0 s"];
    assert_eq!(decide_on(&pod, Some(&empty), &found, word).0, status);
    made(&pod, &mut found);
    assert_eq!(decide_on(&pod, Some(&empty), &found, word).0, ["start web/0", "again in 0 s"]);
    let runs = sandbox(&[running("web", 0, NOW)]);
    let told = Pod { status: decide_on(&pod, Some(&runs), &found, word).1, ..pod };
    assert_eq!(decide_on(&told, Some(&runs), &found, word).0, [""; 0]);
    let changed = Found { volumes: found.volumes.clone(), ..settings("2") };
    assert_eq!(decide_on(&told, Some(&runs), &changed, word).0, ["make files", "again in 0 s"]);
    let gone = Found { volumes: found.volumes.clone(), ..Found::default() };
    assert_eq!(decide_on(&told, Some(&runs), &gone, word).0, [""; 0], "what is there stays");
}

#[test]
fn a_volume_that_cannot_be_made_says_why() {
    let pod = mounting();
    let nowhere = Found::default();
    let missing = Found { volumes: Some(BTreeMap::new()), ..Found::default() };
    let mut full = settings("1");
    full.troubles.insert(Subject::Volumes, Trouble::new("FailedMount", "the disk is full".into()));
    let not_found = "MountVolume.SetUp failed for volume \"files\" : configmap \"settings\" not found";
    for (found, why) in [
        (nowhere, "MountVolume.SetUp failed: this node agent was started without a place for volumes"),
        (missing, not_found),
        (full, "the disk is full"),
    ] {
        let (events, status) = decide_on(&pod, Some(&sandbox(&[])), &found, told);
        assert_eq!(events[0], format!("FailedMount: {why}"));
        let waiting = status.container_statuses[0].state.waiting.clone().expect("it waits");
        assert_eq!((waiting.reason.as_deref(), waiting.message.as_deref()), (Some("ContainerCreating"), Some(why)));
    }
}

#[test]
fn volumes_of_a_pod_without_a_sandbox_go_before_the_pod_does() {
    let pod = deleting(mounting(), NOW + 30, 30);
    assert_eq!(decide_on(&pod, None, &settings("1"), word).0, ["remove volumes", "delete"]);
}

#[test]
fn a_container_waits_for_the_settings_that_it_names() {
    let mut pod = pod(RestartPolicy::Always, &["web"]);
    let source = r#"{"configMapRef": {"name": "settings"}}"#;
    pod.spec.containers[0].env_from = vec![serde_json::from_str::<EnvFromSource>(source).expect("a source")];
    let (events, status) = decide_on(&pod, Some(&sandbox(&[])), &Found::default(), told);
    assert_eq!(events, ["Failed: Error: configmap \"settings\" not found"]);
    let waiting = status.container_statuses[0].state.waiting.clone().expect("it waits");
    assert_eq!(waiting.reason.as_deref(), Some("CreateContainerConfigError"));
    assert_eq!(waiting.message.as_deref(), Some("configmap \"settings\" not found"));
    let there = decide_on(&pod, Some(&sandbox(&[])), &settings("1"), word).0;
    assert_eq!(there, ["start web/0", "again in 0 s"]);
}
