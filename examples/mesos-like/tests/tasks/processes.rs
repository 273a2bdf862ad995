//! Tasks as processes of the machine.

use std::fs;
use std::time::Duration;

use mesos_like::agent::builtin::Recovered;
use mesos_like::wire::{
    CheckType, CommandInfo, ContainerInfo, ContainerType, DockerInfo, DurationInfo, Environment, ExecutorType,
    HealthCheck, Reason, Resource, Scalar, TaskInfo, TaskState, TcpCheck, Uri, ValueType, Variable, Volume, VolumeMode,
};

use crate::place::{Executor, Place, eventually, lives, script};

#[tokio::test]
async fn a_command_runs_in_its_sandbox_and_its_end_is_told() {
    let place = Place::new();
    let containers = place.open().await;
    let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
    let mut task = script("t", "echo to out; echo to err >&2; pwd; env; while [ ! -e go ]; do sleep 0.05; done");
    let variable = Variable { name: "GREETING".into(), value: Some("hello you".into()), ..Variable::default() };
    task.command.as_mut().expect("it has one").environment = Some(Environment { variables: vec![variable] });
    executor.launch(task).await;
    let running = executor.runs().await;
    let container = running.container_status.expect("its container");
    let pid = container.executor_pid.expect("its process");
    assert!(lives(pid));
    eventually("the output is there", || place.written("stdout").contains("GREETING=hello you")).await;
    let stdout = place.written("stdout");
    let sandbox = place.sandbox().canonicalize().expect("the sandbox").display().to_string();
    for line in ["to out", &sandbox, "MESOS_TASK_ID=t", "MESOS_FRAMEWORK_ID=F", &format!("MESOS_SANDBOX={sandbox}")] {
        assert!(stdout.lines().any(|written| written == line), "{line:?} is in {stdout}");
    }
    assert_eq!(place.written("stderr"), "to err\n");
    fs::write(place.sandbox().join("go"), "").expect("a file");
    let finished = executor.told(TaskState::Finished).await;
    assert_eq!(finished.message.as_deref(), Some("Command exited with status 0"));
    executor.ends().await;
    assert!(!lives(pid) && containers.known().await.is_empty());
    containers.close().await;
}

#[tokio::test]
async fn an_end_that_is_no_success_fails_with_how_it_was() {
    let place = Place::new();
    let containers = place.open().await;
    for (command, message) in [
        ("exit 7", "Command exited with status 7"),
        ("kill -SEGV $$", "Command terminated with signal Segmentation fault"),
        ("no-such-program", "Command exited with status 127"),
    ] {
        let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
        executor.launch(script("t", command)).await;
        executor.runs().await;
        let failed = executor.told(TaskState::Failed).await;
        assert_eq!(failed.message.as_deref(), Some(message));
        executor.ends().await;
    }
    containers.close().await;
}

#[tokio::test]
async fn a_task_that_is_killed_has_its_time_and_not_more() {
    let place = Place::new();
    let containers = place.open().await;
    let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
    executor.launch(script("t", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done")).await;
    executor.runs().await;
    eventually("it is up", || place.written("stdout").contains("up")).await;
    executor.kill("t", Duration::from_secs(30)).await;
    executor.told(TaskState::Killing).await;
    let killed = executor.told(TaskState::Killed).await;
    assert_eq!(killed.message.as_deref(), Some("Command exited with status 0"));
    assert!(place.written("stdout").ends_with("bye\n"));
    executor.ends().await;

    let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
    executor.launch(script("t", "trap '' TERM; echo deaf; while :; do sleep 0.05; done")).await;
    executor.runs().await;
    eventually("it is deaf", || place.written("stdout").contains("deaf")).await;
    executor.kill("t", Duration::from_millis(300)).await;
    executor.told(TaskState::Killing).await;
    let killed = executor.told(TaskState::Killed).await;
    assert_eq!(killed.message.as_deref(), Some("Command terminated with signal Killed"));
    executor.ends().await;
    containers.close().await;
}

#[tokio::test]
async fn a_task_gets_its_files_its_volumes_and_its_arguments() {
    let place = Place::new();
    let containers = place.open().await;
    let (data, extra) = (place.path().join("data"), place.path().join("extra.sh"));
    fs::create_dir(&data).expect("a folder");
    fs::write(&extra, "#!/bin/sh\necho \"$1-$2\" >> data/written\n").expect("a file");
    let command = CommandInfo {
        shell: Some(false),
        value: Some("./extra.sh".into()),
        arguments: ["extra.sh", "one", "two words"].map(str::to_owned).to_vec(),
        uris: vec![Uri { value: extra.display().to_string(), executable: Some(true), ..Uri::default() }],
        ..CommandInfo::default()
    };
    let volume = Volume {
        mode: VolumeMode::Rw.into(),
        container_path: "data".into(),
        host_path: Some(data.display().to_string()),
        source: None,
    };
    let container =
        ContainerInfo { r#type: ContainerType::Mesos.into(), volumes: vec![volume], ..ContainerInfo::default() };
    let task = TaskInfo { command: Some(command), container: Some(container), ..script("t", "") };
    let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
    executor.launch(task).await;
    executor.runs().await;
    executor.told(TaskState::Finished).await;
    executor.ends().await;
    assert_eq!(fs::read_to_string(data.join("written")).expect("it was written"), "one-two words\n");
    containers.close().await;
}

#[tokio::test]
async fn what_cannot_be_launched_fails_with_what_to_do() {
    let place = Place::new();
    let containers = place.open().await;
    let docker = DockerInfo { image: "busybox".into(), ..DockerInfo::default() };
    let image =
        ContainerInfo { r#type: ContainerType::Docker.into(), docker: Some(docker), ..ContainerInfo::default() };
    let with_user = |user: &str| {
        let mut task = script("t", "true");
        task.command.as_mut().expect("it has one").user = Some(user.to_owned());
        task
    };
    let mut missing = script("t", "true");
    let uris = vec![Uri { value: "/no/such/file".into(), ..Uri::default() }];
    missing.command.as_mut().expect("it has one").uris = uris;
    for (task, hint) in [
        (TaskInfo { container: Some(image), ..script("t", "true") }, "--runtime=docker"),
        (with_user("nobody-of-that-name"), "nobody-of-that-name"),
        (missing, "/no/such/file"),
        (TaskInfo { command: None, ..script("t", "") }, "command"),
    ] {
        let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
        executor.launch(task).await;
        executor.told(TaskState::Starting).await;
        let failed = executor.told(TaskState::Failed).await;
        assert_eq!(failed.reason(), Reason::ContainerLaunchFailed);
        let message = failed.message.expect("it says why");
        assert!(message.contains(hint), "{hint}: {message}");
        executor.ends().await;
    }
    containers.close().await;
}

#[tokio::test]
async fn one_task_of_a_group_that_fails_ends_the_others() {
    let place = Place::new();
    let containers = place.open().await;
    let mut executor = Executor::start(&containers, &place, ExecutorType::Default);
    let tasks =
        vec![script("a", "echo a; sleep 1000"), script("b", "while [ ! -e ../../fail ]; do sleep 0.05; done; exit 3")];
    executor.launch_group(tasks).await;
    let mut pids = Vec::new();
    for _ in 0..4 {
        let status = executor.status().await;
        pids.extend(status.container_status.and_then(|container| container.executor_pid));
    }
    assert!(pids.len() == 2 && pids.iter().all(|pid| lives(*pid)));
    eventually("a has written", || place.written("tasks/a/stdout") == "a\n").await;
    fs::write(place.sandbox().join("fail"), "").expect("a file");
    let failed = executor.told(TaskState::Failed).await;
    assert_eq!((failed.task_id.value.as_str(), failed.message.as_deref()), ("b", Some("Command exited with status 3")));
    executor.told(TaskState::Killing).await;
    let killed = executor.told(TaskState::Killed).await;
    assert_eq!(killed.task_id.value, "a");
    executor.ends().await;
    assert!(!pids.iter().any(|pid| lives(*pid)) && containers.known().await.is_empty());
    containers.close().await;
}

#[tokio::test]
async fn a_task_that_does_not_work_is_told_of_and_killed() {
    let place = Place::new();
    let containers = place.open().await;
    let check = |kind: CheckType| HealthCheck {
        r#type: Some(kind.into()),
        delay_seconds: Some(0.0),
        interval_seconds: Some(0.1),
        grace_period_seconds: Some(0.0),
        consecutive_failures: Some(2),
        ..HealthCheck::default()
    };
    let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
    let command = CommandInfo { value: Some("test -e well".into()), ..CommandInfo::default() };
    let health_check = Some(HealthCheck { command: Some(command), ..check(CheckType::Command) });
    executor.launch(TaskInfo { health_check, ..script("t", "touch well; sleep 1000") }).await;
    executor.runs().await;
    // It may be looked at before it has made the file.
    while executor.told(TaskState::Running).await.healthy != Some(true) {}
    fs::remove_file(place.sandbox().join("well")).expect("it was there");
    let ill = executor.told(TaskState::Running).await;
    assert_eq!((ill.healthy, ill.reason()), (Some(false), Reason::TaskHealthCheckStatusUpdated));
    executor.told(TaskState::Running).await;
    executor.told(TaskState::Killing).await;
    assert_eq!(executor.told(TaskState::Killed).await.healthy, Some(false));
    executor.ends().await;

    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
    let tcp = Some(TcpCheck { port: port.into(), protocol: None });
    let health_check = Some(HealthCheck { tcp, ..check(CheckType::Tcp) });
    executor.launch(TaskInfo { health_check, ..script("t", "sleep 1000") }).await;
    executor.runs().await;
    assert_eq!(executor.told(TaskState::Running).await.healthy, Some(true));
    drop(listener);
    assert_eq!(executor.told(TaskState::Running).await.healthy, Some(false));
    executor.told(TaskState::Running).await;
    executor.told(TaskState::Killing).await;
    executor.told(TaskState::Killed).await;
    executor.ends().await;
    containers.close().await;
}

#[tokio::test]
async fn a_task_whose_time_is_over_fails() {
    let place = Place::new();
    let containers = place.open().await;
    let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
    let max_completion_time = Some(DurationInfo { nanoseconds: 300_000_000 });
    executor.launch(TaskInfo { max_completion_time, ..script("t", "sleep 1000") }).await;
    executor.runs().await;
    executor.told(TaskState::Killing).await;
    assert_eq!(executor.told(TaskState::Failed).await.reason(), Reason::MaxCompletionTimeReached);
    executor.ends().await;
    containers.close().await;
}

#[tokio::test]
async fn tasks_go_on_while_the_agent_is_restarted_and_ends_meanwhile_are_told() {
    let place = Place::new();
    let containers = place.open().await;
    let mut executor = Executor::start(&containers, &place, ExecutorType::Default);
    let tasks = vec![
        script("stays", "while [ ! -e ../../go ]; do sleep 0.05; done"),
        script("ends", "while [ ! -e ../../end ]; do sleep 0.05; done; exit 0"),
    ];
    executor.launch_group(tasks.clone()).await;
    let mut pids = Vec::new();
    for _ in 0..4 {
        pids.extend(executor.status().await.container_status.and_then(|container| container.executor_pid));
    }
    executor.forgotten().await;
    containers.close().await;
    assert!(pids.iter().all(|pid| lives(*pid)));
    fs::write(place.sandbox().join("end"), "").expect("a file");
    eventually("one has ended", || pids.iter().filter(|pid| lives(**pid)).count() == 1).await;

    let containers = place.open().await;
    assert_eq!((containers.known().await.len(), containers.running().await.len()), (2, 1));
    let lost = Recovered { task: script("lost", "true"), state: TaskState::Running };
    let known = tasks.into_iter().map(|task| Recovered { task, state: TaskState::Running });
    let mut executor = Executor::recovering(&containers, &place, ExecutorType::Default, known.collect());
    let finished = executor.told(TaskState::Finished).await;
    assert_eq!(finished.task_id.value, "ends");
    assert!(pids.iter().any(|pid| lives(*pid)), "the other one goes on");
    fs::write(place.sandbox().join("go"), "").expect("a file");
    let finished = executor.told(TaskState::Finished).await;
    assert_eq!(finished.task_id.value, "stays");
    executor.ends().await;

    let mut executor = Executor::recovering(&containers, &place, ExecutorType::Default, vec![lost]);
    assert_eq!(executor.told(TaskState::Failed).await.reason(), Reason::AgentRestarted);
    executor.ends().await;
    containers.close().await;
}

/// It needs groups of the kernel, which root may make.
#[tokio::test]
async fn a_task_that_takes_too_much_memory_fails_and_says_so() {
    assert!(nix::unistd::Uid::effective().is_root(), "this test needs root: run it as root");
    let mut place = Place::new();
    place.setting.cgroup = Some("orch-mesos-test".into());
    let containers = place.open().await;
    let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
    let memory = Resource {
        name: "mem".into(),
        r#type: ValueType::Scalar.into(),
        scalar: Some(Scalar { value: 32.0 }),
        ..Resource::default()
    };
    let greedy = "a=x; while :; do a=$a$a; done";
    executor.launch(TaskInfo { resources: vec![memory], ..script("t", greedy) }).await;
    executor.runs().await;
    let failed = executor.told(TaskState::Failed).await;
    assert_eq!(failed.reason(), Reason::ContainerLimitationMemory, "{:?}", failed.message);
    assert_eq!(failed.message.as_deref(), Some("Memory limit exceeded: Requested: 32MB"));
    executor.ends().await;
    containers.close().await;
}
