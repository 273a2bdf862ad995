//! Tasks as containers from images, by a real Docker daemon and a real containerd.

use std::sync::Arc;
use std::time::Duration;

use mesos_like::agent::builtin::Recovered;
use mesos_like::agent::containers::{Containers, ImageBackend};
use mesos_like::wire::{
    CommandInfo, ContainerInfo, ContainerType, DockerInfo, DockerNetwork, ExecutorType, Image, ImageType, MesosInfo,
    PortMapping, Reason, TaskInfo, TaskState, Volume, VolumeMode,
};
use orch_testkit::daemon::{Containerd, Dockerd, busybox_image};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::place::{Executor, Place, eventually, lives, script};

const IMAGE: &str = "busybox:test";

fn docker(image: &str) -> Option<ContainerInfo> {
    let docker = Some(DockerInfo { image: image.to_owned(), ..DockerInfo::default() });
    Some(ContainerInfo { r#type: ContainerType::Docker.into(), docker, ..ContainerInfo::default() })
}

async fn runs_to_its_end(containers: &Arc<Containers>, place: &Place, task: TaskInfo) {
    let mut executor = Executor::start(containers, place, ExecutorType::Unknown);
    executor.launch(task).await;
    executor.runs().await;
    executor.told(TaskState::Finished).await;
    executor.ends().await;
}

#[tokio::test]
async fn a_command_runs_in_an_image_of_docker_and_sees_its_sandbox() {
    let daemon = Dockerd::start().await;
    // This thread is where the daemon's containers are reached.
    let _inside = daemon.host().enter();
    daemon.load(&busybox_image(), IMAGE);
    daemon.load(&busybox_image().entrypoint(["/bin/echo", "from the image:"]), "talking:test");
    daemon.load(&busybox_image().user("app"), "other:test");
    let place = Place::with_images(ImageBackend::Docker(daemon.socket()));
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

    std::fs::remove_dir_all(place.sandbox()).expect("the next one has a sandbox of its own");
    let task = TaskInfo { container: docker("other:test"), ..script("t", "id -u; exit 0") };
    runs_to_its_end(&containers, &place, task).await;
    assert_eq!(place.written("stdout"), "1000\n");

    let command = CommandInfo { shell: Some(false), arguments: vec!["hello".into()], ..CommandInfo::default() };
    let task = TaskInfo { command: Some(command), container: docker("talking:test"), ..script("t", "") };
    runs_to_its_end(&containers, &place, task).await;
    assert_eq!(place.written("stdout"), "from the image: hello\n");

    let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
    executor.launch(TaskInfo { container: docker("127.0.0.1:1/none:none"), ..script("t", "true") }).await;
    executor.told(TaskState::Starting).await;
    let failed = executor.told(TaskState::Failed).await;
    assert_eq!(failed.reason(), Reason::ContainerLaunchFailed);
    assert!(failed.message.expect("it says why").contains("127.0.0.1:1/none:none"));
    executor.ends().await;

    mapped_ports_lead_to_it_and_go_on_after_a_restart(containers, &place).await;
}

/// Its output goes on, too.
async fn mapped_ports_lead_to_it_and_go_on_after_a_restart(containers: Arc<Containers>, place: &Place) {
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = free.local_addr().expect("its address").port();
    drop(free);
    let mapping = PortMapping { host_port: port.into(), container_port: 8080, protocol: Some("tcp".into()) };
    let info = DockerInfo {
        image: IMAGE.to_owned(),
        network: Some(DockerNetwork::Bridge.into()),
        port_mappings: vec![mapping],
        ..DockerInfo::default()
    };
    let container =
        ContainerInfo { r#type: ContainerType::Docker.into(), docker: Some(info), ..ContainerInfo::default() };
    // Without a shell of the agent's, so that its output has to be copied.
    let words = [
        "/bin/sh",
        "-c",
        "echo begins; nc -ll -p 8080 -e echo hello & while [ ! -e /mnt/mesos/sandbox/go ]; do sleep 0.1; done; echo ends",
    ];
    let command =
        CommandInfo { shell: Some(false), arguments: words.map(str::to_owned).to_vec(), ..CommandInfo::default() };
    let task = TaskInfo { command: Some(command), container: Some(container), ..script("t", "") };
    let mut executor = Executor::start(&containers, place, ExecutorType::Unknown);
    executor.launch(task.clone()).await;
    let status = executor.runs().await.container_status.expect("its container");
    let ip = status.network_infos[0].ip_addresses[0].ip_address.clone().expect("an address");
    assert_ne!(ip, "127.0.0.1");
    assert_eq!(heard_at(port).await, "hello\n");
    executor.forgotten().await;
    containers.close().await;
    drop(containers);

    let containers = place.open().await;
    let known = vec![Recovered { task, state: TaskState::Running }];
    let mut executor = Executor::recovering(&containers, place, ExecutorType::Unknown, known);
    assert_eq!(heard_at(port).await, "hello\n");
    std::fs::write(place.sandbox().join("go"), "").expect("a file");
    executor.told(TaskState::Finished).await;
    assert_eq!(place.written("stdout"), "begins\nends\n");
    executor.ends().await;
    assert!(containers.known().await.is_empty());
    containers.close().await;
}

/// What is said to who connects to a port, as soon as somebody says something.
async fn heard_at(port: u16) -> String {
    for _ in 0..100 {
        let mut heard = String::new();
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await
            && stream.read_to_string(&mut heard).await.is_ok()
            && !heard.is_empty()
        {
            return heard;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nothing is said at port {port}");
}

#[tokio::test]
async fn a_command_runs_in_an_image_of_containerd_and_sees_its_sandbox() {
    let daemon = Containerd::start().await;
    // Bridges and the like are made where containerd is.
    let _inside = daemon.host().enter();
    let mut place = Place::with_images(ImageBackend::Containerd(daemon.socket()));
    place.setting.image_cgroup = Some(daemon.cgroup_parent().into());
    let containers = place.open().await;
    daemon.import(&place.setting.mark(), &busybox_image(), "docker.io/library/busybox:test");
    let image = Image {
        r#type: ImageType::Docker.into(),
        docker: Some(mesos_like::wire::DockerImage { name: IMAGE.into() }),
        cached: None,
    };
    let data = place.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    let volume = |path: &str| Volume {
        mode: VolumeMode::Rw.into(),
        container_path: path.to_owned(),
        host_path: Some(data.display().to_string()),
        source: None,
    };
    let container = ContainerInfo {
        r#type: ContainerType::Mesos.into(),
        mesos: Some(MesosInfo { image: Some(image) }),
        volumes: vec![volume("/data"), volume("inner")],
        ..ContainerInfo::default()
    };
    let task = script("t", "echo a > /data/a; cat $MESOS_SANDBOX/inner/a; echo err >&2");
    runs_to_its_end(&containers, &place, TaskInfo { container: Some(container.clone()), ..task }).await;
    assert_eq!((place.written("stdout"), place.written("stderr")), ("a\n".into(), "err\n".into()));
    assert_eq!(std::fs::read_to_string(data.join("a")).expect("it was written"), "a\n");

    let command = CommandInfo {
        shell: Some(false),
        value: Some("/bin/echo".into()),
        arguments: ["echo", "direct"].map(str::to_owned).to_vec(),
        ..CommandInfo::default()
    };
    let task = TaskInfo { command: Some(command), container: Some(container), ..script("t", "") };
    runs_to_its_end(&containers, &place, task).await;
    assert_eq!(place.written("stdout"), "direct\n");
    assert!(containers.known().await.is_empty());
    containers.close().await;
}
