//! What a configuration or a spec can be wrong in.

use std::fs;
use std::time::Duration;

use orch_core::runtime::{ContainerSpec, ContainerState, ExitReason, Mount, Runtime as _, RuntimeError};
use orch_runtime::containerd::{ContainerdConfig, ContainerdRuntime, Logger};
use orch_runtime::pod_network::PodNetwork;
use orch_testkit::suite::runtime::RuntimeFixture as _;

use super::place::{Place, eventually, id, output, sandbox};

#[tokio::test]
async fn a_daemon_that_does_not_answer_is_told_with_advice() {
    let folder = std::env::temp_dir().join(format!("orch-containerd-input-{}", std::process::id()));
    let mut config = ContainerdConfig::new(&folder);
    config.logger = Logger::Path("/bin/true".into());
    config.socket = folder.join("no-such.sock");
    let error = ContainerdRuntime::open(config.clone()).await.expect_err("nobody is there");
    assert!(error.is_transient() && error.to_string().contains("start containerd"), "{error}");
    config.socket = folder.join("silent.sock");
    let listener = std::os::unix::net::UnixListener::bind(&config.socket).expect("a socket");
    config.timeout = Duration::from_millis(200);
    let error = ContainerdRuntime::open(config.clone()).await.expect_err("nobody answers");
    assert!(error.is_transient() && error.to_string().contains("no answer"), "{error}");
    drop(listener);
    let error = ContainerdRuntime::open(config.clone()).await.expect_err("nobody listens");
    assert!(error.to_string().contains("nobody listens"), "{error}");
    config.logger = Logger::CurrentExe;
    let error = ContainerdRuntime::open(config.clone()).await.expect_err("the hook was not called");
    assert!(!error.is_transient() && error.to_string().contains("run_logger_if_asked"), "{error}");
    config.logger = Logger::Path("/bin/true".into());
    config.cgroup_parent = "/orch/../else".into();
    let error = ContainerdRuntime::open(config).await.expect_err("it leads elsewhere");
    assert!(!error.is_transient() && error.to_string().contains("'..'"), "{error}");
    fs::remove_dir_all(folder).expect("removed");
}

#[tokio::test]
async fn a_runtime_tells_its_version() {
    let place = Place::new().await;
    let version = place.open().await.version();
    assert!(version.starts_with("containerd://1."), "{version}");
}

#[tokio::test]
async fn what_cannot_be_given_is_a_start_error_that_names_it() {
    let place = Place::new().await;
    let runtime = place.open().await;
    runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
    let plain = || place.script("exit 0");
    let with = |change: &dyn Fn(&mut ContainerSpec)| {
        let mut spec = plain();
        change(&mut spec);
        spec
    };
    let mount = |target: &str| Mount { source: "/etc".into(), target: target.into(), read_only: true };
    let cases = [
        (with(&|spec| spec.image = None), "image"),
        (with(&|spec| spec.command = vec!["/etc/passwd".into()]), "permission denied"),
        (with(&|spec| spec.command = vec!["/no/such".into()]), "check the path"),
        (with(&|spec| spec.env.push(("A=B".into(), String::new()))), "environment variable"),
        (with(&|spec| spec.args.push("\0".into())), "zero byte"),
        (with(&|spec| spec.working_dir = Some("relative".into())), "not absolute"),
        (with(&|spec| spec.mounts = vec![mount("relative")]), "not absolute"),
        (with(&|spec| spec.privileges.add_capabilities = ["FLY".to_owned()].into()), "FLY"),
        (with(&|spec| spec.privileges.non_root = true), "root"),
    ];
    for (attempt, (spec, expected)) in (0..).zip(cases) {
        let id = id("a", "web", attempt);
        runtime.start(&id, &spec).await.unwrap_or_else(|error| panic!("{expected}: {error}"));
        let pod = runtime.status(&id.pod).await.expect("a status").expect("the pod");
        let state = pod.latest(&id.name).expect("it is told").state.clone();
        let ContainerState::Exited { reason: ExitReason::StartError, code: 128, message, .. } = state else {
            panic!("{expected}: a start error, not {state:?}")
        };
        assert!(message.contains(expected), "{expected}: {message}");
    }
    runtime.remove(&"a".parse().expect("a uid")).await.expect("removed");
}

#[tokio::test]
async fn names_that_containerd_does_not_take_are_hidden() {
    let place = Place::new().await;
    let runtime = place.open().await;
    let (uid, name) = ("a--b".to_owned() + &"c".repeat(59), "w".repeat(63));
    let web = id(&uid, &name, u32::MAX);
    runtime.create_sandbox(&sandbox(&uid)).await.expect("a sandbox");
    runtime.start(&web, &place.script("echo hello; cat /etc/hosts")).await.expect("started");
    let written = async || output(&runtime, &web).await.contains("localhost").then_some(());
    eventually("it runs, and sees the pod's files", written).await;
    runtime.remove(&web.pod).await.expect("removed");
}

#[tokio::test]
async fn a_subnet_that_is_used_up_is_told() {
    let place = Place::new().await;
    let mut config = place.config();
    let network = PodNetwork::new(config.network.bridge().clone(), "10.250.0.0/29".parse().expect("a range"));
    config.network = network.expect("a network").with_quarantine(Duration::from_secs(5));
    let runtime = ContainerdRuntime::open(config.clone()).await.expect("a runtime");
    for number in 0..5 {
        runtime.create_sandbox(&sandbox(&format!("a{number}"))).await.expect("a sandbox");
    }
    let error = runtime.create_sandbox(&sandbox("one-more")).await.expect_err("there is none left");
    assert!(matches!(error, RuntimeError::Exhausted { .. }), "{error}");
    assert!(error.to_string().contains("10.250.0.0/29"), "{error}");
    runtime.remove(&"a3".parse().expect("a uid")).await.expect("removed");
    let resting = runtime.create_sandbox(&sandbox("one-more")).await.expect_err("it rests");
    assert!(resting.to_string().contains("4 belong to pods and 1 rest"), "{resting}");
    drop(runtime);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let runtime = ContainerdRuntime::open(config).await.expect("a runtime");
    runtime.create_sandbox(&sandbox("one-more")).await.expect("one was given back");
    for pod in runtime.list().await.expect("a list") {
        runtime.remove(&pod.spec.pod).await.expect("removed");
    }
}

#[tokio::test]
async fn the_user_of_an_image_is_looked_up() {
    let place = Place::new().await;
    let runtime = place.open().await;
    let image = orch_testkit::daemon::busybox_image().user("app").working_dir("/made").env("FROM", "the image");
    let name = "docker.io/library/app:1";
    place.containerd().import(place.namespace(), &image, name);
    let mut spec = place.script("id; pwd; echo $FROM");
    spec.image = Some(name.parse().expect("a name"));
    runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
    runtime.start(&id("a", "web", 0), &spec).await.expect("started");
    let written = async || output(&runtime, &id("a", "web", 0)).await.contains("the image").then_some(());
    eventually("it runs", written).await;
    let text = output(&runtime, &id("a", "web", 0)).await;
    assert!(text.contains("uid=1000(app) gid=1000(app)") && text.contains("/made"), "{text}");
    runtime.remove(&"a".parse().expect("a uid")).await.expect("removed");
}
