//! Hooks: what is done after the start of a container and before its end.

use orch_core::object::{Lifecycle, LifecycleHandler};

use super::*;

fn hooked() -> Pod {
    let mut pod = pod(RestartPolicy::Always, &["web"]);
    let hook = || {
        let exec = Some(ExecAction { command: vec!["hook".into()] });
        Some(LifecycleHandler { exec, ..LifecycleHandler::default() })
    };
    pod.spec.containers[0].lifecycle = Some(Lifecycle { post_start: hook(), pre_stop: hook() });
    pod
}

fn found(state: Option<HookState>) -> Found {
    Found { hooks: state.map(|state| (id("web", 0), state)).into_iter().collect(), ..Found::default() }
}

#[test]
fn a_container_has_not_started_before_its_hook_has_ended() {
    let pod = hooked();
    let runs = sandbox(&[running("web", 0, 0)]);
    let decided = |pod: &Pod, state| {
        let (words, status) = decide_on(pod, Some(&runs), &found(state), word);
        let container = status.container_statuses[0].clone();
        (words, (container.started, container.ready), status)
    };
    let (words, started, status) = decided(&pod, None);
    assert_eq!(
        (words, started),
        (vec!["status Running".into(), "hook web/0".into(), "again in 10 s".into()], (Some(false), false))
    );
    let told = Pod { status, ..pod };
    assert_eq!(decided(&told, Some(HookState::Running)).0, ["again in 10 s"]);
    let (words, started, status) = decided(&told, Some(HookState::Done));
    assert_eq!((words, started), (vec!["status Running".into(), "hook ".into()], (Some(true), true)));
    let told = Pod { status, ..told };
    assert_eq!(decided(&told, None).0, [""; 0], "what is stored need not be remembered, nor run again after a restart");
}

#[test]
fn a_hook_that_fails_after_the_start_ends_the_container() {
    let runs = sandbox(&[running("web", 0, 0)]);
    let failed = found(Some(HookState::Failed("exit 1".into())));
    let (words, _) = decide_on(&hooked(), Some(&runs), &failed, word);
    assert_eq!(words, ["status Running", "FailedPostStartHook", "stop web/0 in 30 after its hook", "again in 0 s"]);
    let (events, _) = decide_on(&hooked(), Some(&runs), &failed, told);
    assert!(events.contains(&"FailedPostStartHook: PostStartHook failed: exit 1".to_owned()), "{events:?}");
    let ended = sandbox(&[exited("web", 0, 0, NOW, 143)]);
    assert_eq!(decide_on(&hooked(), Some(&ended), &failed, word).0, ["hook ", "start web/1", "again in 0 s"]);
}

#[test]
fn a_hook_comes_before_every_end_that_is_asked_for() {
    let runs = sandbox(&[running("web", 0, 0)]);
    let pod = deleting(hooked(), NOW + 20, 30);
    let stop = ["Stopping container web", "stop web/0 in 21 after its hook", "again in 0 s"];
    assert_eq!(acts(&pod, Some(&runs)), stop);
}

#[test]
fn a_hook_that_failed_before_an_end_is_told_once() {
    let pod = deleting(hooked(), NOW + 20, 30);
    let ended = sandbox(&[exited("web", 0, 0, NOW, 143)]);
    let trouble = Trouble::new("FailedPreStopHook", "PreStopHook failed: exit 1".into());
    let found = Found { troubles: [(Subject::PreStop(id("web", 0)), trouble)].into(), ..Found::default() };
    let (events, _) = decide_on(&pod, Some(&ended), &found, told);
    assert_eq!(events[0], "FailedPreStopHook: PreStopHook failed: exit 1");
    assert_eq!(decide_on(&pod, Some(&ended), &found, word).0[0], "told");
}
