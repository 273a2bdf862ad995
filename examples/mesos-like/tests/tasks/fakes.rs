//! Tasks in a runtime in memory: what goes wrong there, and how it is told.

use std::sync::Arc;
use std::time::Duration;

use mesos_like::agent::containers::Containers;
use mesos_like::wire::{
    CheckCommand, CheckInfo, CheckType, CommandInfo, ContainerInfo, ContainerType, DockerInfo, ExecutorType, Reason,
    Resource, Scalar, TaskInfo, TaskState, ValueType,
};
use orch_core::clock::SystemClock;
use orch_core::runtime::{ExecOutput, Runtime as _};
use orch_runtime::fake::{FakeCommand, FakeProgram, FakePull, FakeRuntime, FakeUsage, Fault, Operation};

use crate::place::{Executor, Place, eventually, script};

fn over(place: &Place) -> (FakeRuntime, Arc<Containers>) {
    let fake = FakeRuntime::new(Arc::new(SystemClock));
    fake.require_images();
    let (host, images) = (Arc::new(FakeRuntime::new(Arc::new(SystemClock))), Arc::new(fake.clone()));
    let containers = Containers::of(place.setting.clone(), host, Some((Arc::clone(&images) as _, images)));
    (fake, Arc::new(containers))
}

fn in_image(task: TaskInfo) -> TaskInfo {
    let docker = Some(DockerInfo { image: "busybox:1".to_owned(), ..DockerInfo::default() });
    let container = ContainerInfo { r#type: ContainerType::Docker.into(), docker, ..ContainerInfo::default() };
    TaskInfo { container: Some(container), ..task }
}

fn image() -> orch_core::runtime::ImageName {
    "busybox:1".parse().expect("a name")
}

#[tokio::test]
async fn an_image_is_fetched_once_and_one_that_is_not_to_be_had_fails_the_task() {
    let place = Place::new();
    let (fake, containers) = over(&place);
    let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
    executor.launch(in_image(script("t", "true"))).await;
    executor.told(TaskState::Starting).await;
    let failed = executor.told(TaskState::Failed).await;
    assert_eq!(failed.reason(), Reason::ContainerLaunchFailed);
    assert!(failed.message.expect("it says why").contains("busybox:1"));
    executor.ends().await;

    fake.publish(image(), FakePull::Gives("content".to_owned()));
    fake.script("task", FakeProgram::exits(0, Duration::from_millis(10)));
    let pulls = fake.calls(Operation::Pull);
    for _ in 0..2 {
        let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
        executor.launch(in_image(script("t", "true"))).await;
        executor.runs().await;
        executor.told(TaskState::Finished).await;
        executor.ends().await;
    }
    assert_eq!(fake.calls(Operation::Pull), pulls + 1);
    assert!(fake.list().await.expect("a list").is_empty());
}

#[tokio::test]
async fn a_task_that_is_killed_while_its_image_comes_is_not_waited_for() {
    let place = Place::new();
    let (fake, containers) = over(&place);
    fake.publish(image(), FakePull::Gives("content".to_owned()));
    fake.fail_every(Operation::Pull, Fault::Hang);
    let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
    executor.launch(in_image(script("t", "true"))).await;
    executor.told(TaskState::Starting).await;
    eventually("it is being fetched", || fake.calls(Operation::Pull) == 1).await;
    executor.kill("t", Duration::from_secs(1)).await;
    assert_eq!(executor.told(TaskState::Killed).await.reason(), Reason::TaskKilledDuringLaunch);
    executor.ends().await;
    fake.heal(Operation::Pull);
    assert!(fake.list().await.expect("a list").is_empty());
}

#[tokio::test]
async fn what_the_runtime_does_not_start_fails_and_leaves_nothing() {
    let place = Place::new();
    let (fake, containers) = over(&place);
    fake.publish(image(), FakePull::Gives("content".to_owned()));
    for (operation, hint) in
        [(Operation::CreateSandbox, "unavailable"), (Operation::Start, "unavailable"), (Operation::Stats, "no shell")]
    {
        // The last of them does not matter to a start: there, it is the program.
        fake.script("task", FakeProgram::refuses("there is no shell in it"));
        fake.fail_next(operation, Fault::Unavailable { transient: false });
        let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
        executor.launch(in_image(script("t", "true"))).await;
        executor.told(TaskState::Starting).await;
        let failed = executor.told(TaskState::Failed).await;
        assert_eq!(failed.reason(), Reason::ContainerLaunchFailed);
        let message = failed.message.expect("it says why");
        assert!(message.contains(hint), "{hint}: {message}");
        executor.ends().await;
        assert!(fake.list().await.expect("a list").is_empty());
    }
}

#[tokio::test]
async fn too_much_memory_is_told_as_what_it_is() {
    let place = Place::new();
    let (fake, containers) = over(&place);
    fake.publish(image(), FakePull::Gives("content".to_owned()));
    fake.script("task", FakeProgram::runs().using(FakeUsage { memory_bytes: 64 << 20, ..FakeUsage::default() }));
    let memory = Resource {
        name: "mem".into(),
        r#type: ValueType::Scalar.into(),
        scalar: Some(Scalar { value: 32.0 }),
        ..Resource::default()
    };
    let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
    executor.launch(in_image(TaskInfo { resources: vec![memory], ..script("t", "true") })).await;
    executor.runs().await;
    assert_eq!(executor.told(TaskState::Failed).await.reason(), Reason::ContainerLimitationMemory);
    executor.ends().await;
}

#[tokio::test]
async fn what_a_check_sees_is_told_when_it_changes() {
    let place = Place::new();
    let (fake, containers) = over(&place);
    fake.publish(image(), FakePull::Gives("content".to_owned()));
    let command = CommandInfo { value: Some("look".to_owned()), ..CommandInfo::default() };
    let check = Some(CheckInfo {
        r#type: Some(CheckType::Command.into()),
        command: Some(CheckCommand { command }),
        delay_seconds: Some(0.0),
        interval_seconds: Some(0.02),
        ..CheckInfo::default()
    });
    let ends = |code| FakeCommand::Ends(ExecOutput { code, ..ExecOutput::default() });
    fake.script_exec("/bin/sh", ends(3));
    let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
    executor.launch(in_image(TaskInfo { check, ..script("t", "true") })).await;
    executor.told(TaskState::Starting).await;
    let mut codes = Vec::new();
    for next in [3, 4, 5] {
        let status = executor.told(TaskState::Running).await;
        let code = status.check_status.as_ref().and_then(|status| status.command.as_ref()?.exit_code);
        codes.push((code, status.reason.map(|_| status.reason())));
        fake.script_exec("/bin/sh", ends(next));
    }
    let told = Some(Reason::TaskCheckStatusUpdated);
    assert_eq!(codes, [(None, None), (Some(3), told), (Some(4), told)]);
    executor.kill("t", Duration::from_secs(1)).await;
    while !executor.status().await.state().is_terminal() {}
    executor.ends().await;
}
