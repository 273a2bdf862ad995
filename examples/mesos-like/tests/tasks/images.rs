//! Tasks as containers from images, by a real Docker daemon.

use std::time::Duration;

use mesos_like::agent::containers::ImageRuntime;
use mesos_like::wire::{
    CommandInfo, ContainerInfo, ContainerType, DockerInfo, ExecutorType, Reason, TaskInfo, TaskState,
};
use orch_testkit::daemon::{Dockerd, busybox_image};

use crate::place::{Executor, Place, eventually, lives, script};

const IMAGE: &str = "busybox:test";

fn docker(image: &str) -> Option<ContainerInfo> {
    let docker = Some(DockerInfo { image: image.to_owned(), ..DockerInfo::default() });
    Some(ContainerInfo { r#type: ContainerType::Docker.into(), docker, ..ContainerInfo::default() })
}

#[tokio::test]
async fn a_command_runs_in_an_image_and_sees_its_sandbox() {
    let daemon = Dockerd::start().await;
    daemon.load(&busybox_image(), IMAGE);
    daemon.load(&busybox_image().entrypoint(["/bin/echo", "from the image:"]), "talking:test");
    let place = Place::with_images(ImageRuntime::Docker(daemon.socket()));
    let containers = place.open().await;

    let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
    let task = script(
        "t",
        "echo $MESOS_SANDBOX; echo err >&2; echo hello > $MESOS_SANDBOX/file; trap 'exit 0' TERM; while :; do sleep 0.1; done",
    );
    executor.launch(TaskInfo { container: docker(IMAGE), ..task }).await;
    let pid = executor.runs().await.container_status.and_then(|container| container.executor_pid);
    assert!(pid.is_some_and(lives));
    eventually("the file is there", || place.written("file") == "hello\n").await;
    assert_eq!(place.written("stdout"), "/mnt/mesos/sandbox\n");
    assert_eq!(place.written("stderr"), "err\n");
    executor.kill("t", Duration::from_secs(20)).await;
    executor.told(TaskState::Killing).await;
    executor.told(TaskState::Killed).await;
    executor.ends().await;

    let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
    let command = CommandInfo { shell: Some(false), arguments: vec!["hello".into()], ..CommandInfo::default() };
    let task = TaskInfo { command: Some(command), container: docker("talking:test"), ..script("t", "") };
    executor.launch(task).await;
    executor.runs().await;
    executor.told(TaskState::Finished).await;
    assert_eq!(place.written("stdout"), "from the image: hello\n");
    executor.ends().await;

    let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
    executor.launch(TaskInfo { container: docker("127.0.0.1:1/none:none"), ..script("t", "true") }).await;
    executor.told(TaskState::Starting).await;
    let failed = executor.told(TaskState::Failed).await;
    assert_eq!(failed.reason(), Reason::ContainerLaunchFailed);
    assert!(failed.message.expect("it says why").contains("127.0.0.1:1/none:none"));
    executor.ends().await;
    assert!(containers.known().await.is_empty());
    containers.close().await;
}
