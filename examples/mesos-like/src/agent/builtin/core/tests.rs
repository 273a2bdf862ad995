use orch_core::entropy::SeededEntropy;
use proptest::prelude::*;

use super::*;
use crate::wire::{Capability, CommandInfo, ExecutorInfo, FrameworkInfo, Source};

const CONTAINER: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

fn setting(kind: ExecutorType) -> BuiltinSetting {
    let killing = Capability { r#type: Some(CapabilityType::TaskKillingState.into()) };
    BuiltinSetting {
        framework: FrameworkInfo { capabilities: vec![killing], ..FrameworkInfo::default() },
        executor: ExecutorInfo { r#type: Some(kind.into()), executor_id: "e".into(), ..ExecutorInfo::default() },
        agent_id: "S0".into(),
        agent_ip: [127, 0, 0, 1].into(),
        container_id: CONTAINER.to_owned(),
        sandbox: "/box".into(),
        user: None,
        environment: Vec::new(),
        recovered: Vec::new(),
    }
}

fn task(id: &str) -> TaskInfo {
    let command = CommandInfo { value: Some("true".to_owned()), ..CommandInfo::default() };
    TaskInfo { task_id: id.into(), command: Some(command), ..TaskInfo::default() }
}

/// A core, and what it did: each output in a word or two.
struct Seen {
    core: Core,
    statuses: Vec<TaskStatus>,
}

impl Seen {
    fn of(setting: &BuiltinSetting) -> Self {
        Self { core: Core::new(setting, Arc::new(SeededEntropy::new(1))), statuses: Vec::new() }
    }

    fn hears(&mut self, input: Input) -> Vec<String> {
        let outputs = self.core.handle(Timestamp::UNIX_EPOCH, input);
        let words = outputs.into_iter().filter_map(|output| match output {
            Output::Start(id) => Some(format!("start {id}")),
            Output::Tell(status) => {
                let words = format!("{} {}", status.task_id, status.state().text());
                self.statuses.push(*status);
                Some(words)
            }
            Output::GiveUp(id) => Some(format!("give up {id}")),
            Output::Watch(id) => Some(format!("watch {id}")),
            Output::StopChecks(_) => None,
            Output::End(id, grace) => Some(format!("end {id} in {}", grace.as_secs())),
            Output::Remove(id) => Some(format!("remove {id}")),
            Output::Done => Some("done".to_owned()),
        });
        words.collect()
    }

    fn last(&self) -> &TaskStatus {
        self.statuses.last().expect("something was told")
    }

    fn acknowledges(&mut self) -> Vec<String> {
        let uuid = self.last().uuid.clone().expect("it has one");
        self.hears(Input::Acknowledged(uuid))
    }
}

fn launched(id: &str) -> Input {
    Input::Launched(id.to_owned(), Launched { pid: Some(7), ..Launched::default() })
}

fn ended(id: &str, status: i32) -> Input {
    let end = Ended { status: Some(status), reason: None, message: format!("Command exited with status {status}") };
    Input::Ended(id.to_owned(), end)
}

#[test]
fn a_command_task_starts_runs_and_finishes_and_its_executor_with_it() {
    let mut seen = Seen::of(&setting(ExecutorType::Unknown));
    assert_eq!(seen.hears(Input::Launch(vec![task("t")])), ["t TASK_STARTING", "start t"]);
    assert_eq!(seen.hears(launched("t")), ["t TASK_RUNNING", "watch t"]);
    let running = seen.last();
    assert_eq!((running.source(), running.uuid.as_ref().map(Vec::len)), (Source::Executor, Some(16)));
    let container = running.container_status.as_ref().expect("its container");
    let id = container.container_id.as_ref().expect("its id");
    assert_eq!((id.value.as_str(), container.executor_pid), (CONTAINER, Some(7)));
    let ip = &container.network_infos[0].ip_addresses[0];
    assert_eq!(ip.ip_address.as_deref(), Some("127.0.0.1"));
    assert_eq!(seen.hears(ended("t", 0)), ["t TASK_FINISHED"]);
    assert_eq!(seen.last().message.as_deref(), Some("Command exited with status 0"));
    assert_eq!(seen.hears(ended("t", 0)), Vec::<String>::new());
    assert_eq!(seen.acknowledges(), ["remove t", "done"]);
}

#[test]
fn a_task_that_is_killed_is_told_to_be_even_if_it_ends_well() {
    let mut seen = Seen::of(&setting(ExecutorType::Unknown));
    seen.hears(Input::Launch(vec![task("t")]));
    seen.hears(launched("t"));
    let policy = KillPolicy { grace_period: Some(DurationInfo { nanoseconds: 9_000_000_000 }) };
    assert_eq!(seen.hears(Input::Kill("t".to_owned(), Some(policy))), ["t TASK_KILLING", "end t in 9"]);
    // More haste is possible, and is not told again.
    let policy = KillPolicy { grace_period: Some(DurationInfo { nanoseconds: 0 }) };
    assert_eq!(seen.hears(Input::Kill("t".to_owned(), Some(policy))), ["end t in 0"]);
    assert_eq!(seen.hears(ended("t", 0)), ["t TASK_KILLED"]);
}

#[test]
fn a_framework_that_knows_no_killing_is_not_told_of_it() {
    let mut setting = setting(ExecutorType::Unknown);
    setting.framework.capabilities.clear();
    let mut seen = Seen::of(&setting);
    seen.hears(Input::Launch(vec![task("t")]));
    seen.hears(launched("t"));
    assert_eq!(seen.hears(Input::Kill("t".to_owned(), None)), ["end t in 3"]);
}

#[test]
fn a_task_that_is_killed_before_it_runs_is_given_up_or_ends_as_soon_as_it_runs() {
    let mut seen = Seen::of(&setting(ExecutorType::Unknown));
    seen.hears(Input::Launch(vec![task("t")]));
    assert_eq!(seen.hears(Input::Kill("t".to_owned(), None)), ["give up t"]);
    let mut other = Seen::of(&setting(ExecutorType::Unknown));
    other.hears(Input::Launch(vec![task("t")]));
    other.hears(Input::Kill("t".to_owned(), None));
    let done = seen.hears(launched("t"));
    assert_eq!(done, ["t TASK_RUNNING", "watch t", "end t in 3"]);
    assert_eq!(other.hears(Input::NotLaunched("t".to_owned(), LaunchError::failed("x"))), ["t TASK_KILLED"]);
    assert_eq!(other.last().reason(), Reason::TaskKilledDuringLaunch);
}

#[test]
fn one_of_a_group_that_fails_ends_the_others() {
    let mut seen = Seen::of(&setting(ExecutorType::Default));
    let started = seen.hears(Input::Launch(vec![task("a"), task("b"), task("c")]));
    assert_eq!(started.iter().filter(|word| word.starts_with("start")).count(), 3);
    seen.hears(Input::Launch(vec![task("other")]));
    for id in ["a", "b", "c", "other"] {
        seen.hears(launched(id));
    }
    let id = seen.statuses.iter().find_map(|status| status.container_status.clone()?.container_id).expect("its id");
    assert_eq!(id.parent.map(|parent| parent.value), Some(CONTAINER.to_owned()));
    assert_eq!(seen.hears(ended("a", 0)), ["a TASK_FINISHED"]);
    let done = seen.hears(ended("b", 256));
    assert_eq!(done, ["b TASK_FAILED", "c TASK_KILLING", "end c in 3"]);
    assert_eq!(seen.hears(ended("c", 15)), ["c TASK_KILLED"]);
}

#[test]
fn a_task_whose_time_is_over_or_that_had_too_much_memory_fails_and_says_so() {
    let mut seen = Seen::of(&setting(ExecutorType::Unknown));
    seen.hears(Input::Launch(vec![task("t")]));
    seen.hears(launched("t"));
    seen.hears(Input::TimeIsUp("t".to_owned()));
    assert_eq!(seen.hears(ended("t", 15)), ["t TASK_FAILED"]);
    assert_eq!(seen.last().reason(), Reason::MaxCompletionTimeReached);

    let mut seen = Seen::of(&setting(ExecutorType::Unknown));
    seen.hears(Input::Launch(vec![task("t")]));
    seen.hears(launched("t"));
    let end = Ended { status: Some(9), reason: Some(Reason::ContainerLimitationMemory), message: "too much".into() };
    assert_eq!(seen.hears(Input::Ended("t".to_owned(), end)), ["t TASK_FAILED"]);
    assert_eq!(seen.last().reason(), Reason::ContainerLimitationMemory);
}

#[test]
fn a_task_that_does_not_work_is_killed_and_told_not_to_be_healthy() {
    let mut seen = Seen::of(&setting(ExecutorType::Unknown));
    seen.hears(Input::Launch(vec![task("t")]));
    seen.hears(launched("t"));
    let verdict = |healthy, kill| {
        Input::Judged("t".to_owned(), Verdict { healthy, kill, message: (!healthy).then(|| "refused".to_owned()) })
    };
    assert_eq!(seen.hears(verdict(true, false)), ["t TASK_RUNNING"]);
    assert_eq!((seen.last().healthy, seen.last().reason()), (Some(true), Reason::TaskHealthCheckStatusUpdated));
    assert_eq!(seen.hears(verdict(false, true)), ["t TASK_RUNNING", "t TASK_KILLING", "end t in 3"]);
    assert_eq!(seen.hears(verdict(false, true)), ["end t in 3"]);
    assert_eq!(seen.hears(ended("t", 15)), ["t TASK_KILLED"]);
    assert_eq!(seen.last().healthy, Some(false));
}

#[test]
fn tasks_from_before_go_on_and_those_that_are_gone_are_told() {
    let mut setting = setting(ExecutorType::Default);
    let known = |id: &str, state| super::super::Recovered { task: task(id), state };
    setting.recovered =
        vec![known("ran", TaskState::Running), known("began", TaskState::Staging), known("dying", TaskState::Killing)];
    let mut seen = Seen::of(&setting);
    assert_eq!(seen.hears(launched("dying")), ["watch dying", "end dying in 3"]);
    assert_eq!(seen.hears(launched("ran")), ["watch ran"]);
    assert_eq!(seen.hears(launched("began")), ["began TASK_RUNNING", "watch began"]);
    assert_eq!(seen.hears(ended("began", 0)), ["began TASK_FINISHED"]);
    assert_eq!(seen.hears(Input::Lost("ran".to_owned())), ["ran TASK_FAILED", "end dying in 3"]);
    assert_eq!(seen.last().reason(), Reason::AgentRestarted);
    assert_eq!(seen.hears(ended("dying", 9)), ["dying TASK_KILLED"]);
}

#[test]
fn to_shut_down_ends_all_and_waits_for_no_acknowledgement() {
    let mut seen = Seen::of(&setting(ExecutorType::Default));
    seen.hears(Input::Launch(vec![task("a"), task("b")]));
    seen.hears(launched("a"));
    seen.hears(launched("b"));
    let done = seen.hears(Input::Shutdown);
    assert_eq!(done.iter().filter(|word| word.starts_with("end")).count(), 2);
    assert_eq!(seen.hears(ended("a", 15)), ["a TASK_KILLED", "end b in 3"]);
    assert_eq!(seen.hears(ended("b", 15)), ["b TASK_KILLED", "done"]);
    let mut idle = Seen::of(&setting(ExecutorType::Default));
    assert_eq!(idle.hears(Input::Shutdown), ["done"]);
}

/// Something that may happen to one of three tasks, at any time.
fn anything() -> impl Strategy<Value = (u8, usize, u8)> {
    (0..9_u8, 0..3_usize, 0..4_u8)
}

fn input(kind: u8, id: &str, number: u8) -> Input {
    let id = id.to_owned();
    match kind {
        0 => launched(&id),
        1 => Input::NotLaunched(id, LaunchError::failed("no")),
        2 => ended(&id, i32::from(number)),
        3 => Input::Kill(id, None),
        4 => Input::TimeIsUp(id),
        5 => Input::Judged(id, Verdict { healthy: number > 1, kill: number == 0, message: None }),
        6 => Input::Checked(id, CheckStatusInfo::default()),
        7 => Input::Lost(id),
        _ => Input::Shutdown,
    }
}

proptest! {
    #[test]
    fn whatever_happens_a_task_ends_once_and_is_told_in_order(
        group in any::<bool>(),
        happenings in proptest::collection::vec(anything(), 0..40),
    ) {
        let kind = if group { ExecutorType::Default } else { ExecutorType::Unknown };
        let ids: &[&str] = if group { &["a", "b", "c"] } else { &["a"] };
        let mut core = Core::new(&setting(kind), Arc::new(SeededEntropy::new(1)));
        let mut statuses = Vec::new();
        let launch = Input::Launch(ids.iter().map(|id| task(id)).collect());
        let inputs = happenings.iter().map(|(kind, id, number)| input(*kind, ids[id % ids.len()], *number));
        // In the end all have ended, and the agent knows.
        let ends = ids.iter().map(|id| ended(id, 0));
        let mut done = false;
        for input in std::iter::once(launch).chain(inputs).chain(ends) {
            for output in core.handle(Timestamp::UNIX_EPOCH, input) {
                match output {
                    Output::Tell(status) => statuses.push(*status),
                    Output::Done => done = true,
                    _ => {}
                }
            }
        }
        for status in &statuses {
            let uuid = status.uuid.clone().expect("it has one");
            let outputs = core.handle(Timestamp::UNIX_EPOCH, Input::Acknowledged(uuid));
            done |= outputs.contains(&Output::Done);
        }
        prop_assert!(done);
        let uuids: std::collections::BTreeSet<_> = statuses.iter().map(|status| status.uuid.clone()).collect();
        prop_assert_eq!(uuids.len(), statuses.len());
        // How far a state is: none comes after one that is further.
        let rank = |state: TaskState| match state {
            TaskState::Starting => 0,
            TaskState::Running => 1,
            TaskState::Killing => 2,
            _ => 3,
        };
        for id in ids {
            let states: Vec<TaskState> =
                statuses.iter().filter(|status| status.task_id.value == *id).map(TaskStatus::state).collect();
            prop_assert!(states.is_sorted_by_key(|state| rank(*state)), "{:?}", states);
            prop_assert_eq!(states.iter().filter(|state| state.is_terminal()).count(), 1, "{:?}", states);
            prop_assert_eq!(states.iter().filter(|state| **state == TaskState::Starting).count(), 1);
        }
    }
}
