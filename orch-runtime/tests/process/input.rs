//! Input that cannot work: each is an ended container with a message that tells what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use orch_core::runtime::{ContainerSpec, ContainerState, ExitReason, ResourceLimits, Runtime as _, RuntimeError};
use orch_runtime::process::ProcessNetwork;
use orch_testkit::suite::run;
use orch_testkit::suite::runtime::RuntimeFixture as _;

use crate::faults::{sandbox, web};
use crate::place::{Place, ended, eventually, output};

/// Starts a container that cannot be started, and returns its message.
async fn refused(place: &Place, spec: ContainerSpec) -> String {
    let runtime = place.open().await;
    runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
    runtime.start(&web(0), &spec).await.expect("a start that fails is a state");
    let pods = runtime.list().await.expect("a list");
    let state = pods[0].containers[0].state.clone();
    runtime.remove(&web(0).pod).await.expect("removed");
    match state {
        ContainerState::Exited { reason: ExitReason::StartError, code: 128, message, .. } => message,
        other => panic!("{spec:?} cannot be started, but is {other:?}"),
    }
}

fn command(words: &[&str]) -> ContainerSpec {
    ContainerSpec { command: words.iter().map(|&word| word.to_owned()).collect(), ..ContainerSpec::default() }
}

fn env(name: &str, value: &str) -> ContainerSpec {
    ContainerSpec { env: vec![(name.into(), value.into())], ..command(&["/bin/true"]) }
}

fn dir(dir: impl Into<std::path::PathBuf>) -> ContainerSpec {
    ContainerSpec { working_dir: Some(dir.into()), ..command(&["/bin/true"]) }
}

#[test]
fn what_cannot_be_started_says_what_to_do() {
    run(async {
        let place = Place::new();
        let plain = place.root().with_file_name("plain.place");
        fs::write(&plain, "#!/no/such/interpreter\n").expect("written");
        let plain = plain.display().to_string();
        let unexecutable = refused(&place, command(&[&plain])).await;
        assert!(unexecutable.contains("chmod +x"), "{unexecutable}");
        fs::set_permissions(&plain, fs::Permissions::from_mode(0o755)).expect("its own file");
        let huge = "x".repeat(3 << 20);
        let image = ContainerSpec { image: Some("nginx:1".parse().expect("a name")), ..ContainerSpec::default() };
        let own_path = ContainerSpec { env: vec![("PATH".into(), "/nowhere".into())], ..command(&["sh"]) };
        for (spec, hint) in [
            (command(&["no-such-program"]), "not found in PATH \"/usr/local/sbin"),
            (own_path, "not found in PATH \"/nowhere\""),
            (command(&["/no/such/program"]), "check the path"),
            (command(&["./program"]), "check the path"),
            (command(&["/tmp"]), "it is a folder"),
            (command(&[""]), "not found"),
            (command(&[&plain]), "interpreter"),
            (command(&["/bin/echo", &huge]), "too large"),
            (command(&["/bin/echo", "a\0b"]), "zero byte"),
            (command(&[]), "add `command`"),
            (image, "nginx:1"),
            (env("A", "a\0b"), "variable A"),
            (env("", "x"), "environment variable"),
            (env("A=B", "x"), "environment variable"),
            (dir("relative"), "begin it with '/'"),
            (dir("/no/such/folder"), "create it"),
        ] {
            let message = refused(&place, spec).await;
            assert!(message.contains(hint), "{hint:?} is in: {message}");
        }
    });
}

#[test]
fn a_program_gets_nothing_but_its_environment() {
    run(async {
        let place = Place::new();
        let runtime = place.open().await;
        runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
        let spec = ContainerSpec { env: vec![("ONLY".into(), "this".into())], ..command(&["env"]) };
        runtime.start(&web(0), &spec).await.expect("a start");
        eventually(async || ended(&runtime, &web(0)).await).await;
        assert_eq!(output(&runtime, &web(0)).await, "ONLY=this\n");
    });
}

#[test]
fn an_allocation_beyond_the_limit_of_memory_fails() {
    run(async {
        let place = Place::new();
        let runtime = place.open().await;
        runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
        let limits =
            |bytes| ResourceLimits { memory_bytes: Some(bytes), cpu_millis: Some(100), ..ResourceLimits::default() };
        // `dd` allocates a buffer of the size of a block.
        for (attempt, bytes, works) in [(0, 16 << 20, false), (1, 256 << 20, true)] {
            let words = ["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"];
            let spec = ContainerSpec { limits: limits(bytes), ..command(&words) };
            runtime.start(&web(attempt), &spec).await.expect("a start");
            let end = eventually(async || ended(&runtime, &web(attempt)).await).await;
            assert_eq!(end == (ExitReason::Exited, 0), works, "64 MiB of {bytes}: {end:?}");
        }
    });
}

#[test]
fn every_pod_has_an_address_of_its_own_until_there_is_none_left() {
    run(async {
        let place = Place::new();
        let mut config = place.config();
        config.network = ProcessNetwork::Loopback("127.77.1.0/30".parse().expect("a range"));
        let runtime = orch_runtime::process::ProcessRuntime::open(config).await.expect("a runtime");
        let address = async |uid: &str| runtime.create_sandbox(&sandbox(uid)).await.map(|pod| pod.ip.expect("one"));
        let (a, b) = (address("a").await.expect("one"), address("b").await.expect("another"));
        assert_ne!(a, b);
        for ip in [a, b] {
            std::net::TcpListener::bind((ip, 0)).expect("the machine has the address");
        }
        let none_left = address("c").await;
        assert!(matches!(none_left, Err(RuntimeError::Exhausted { .. })), "{none_left:?}");
        runtime.remove(&sandbox("a").pod).await.expect("removed");
        assert_eq!(address("c").await.expect("what was given back"), a);
    });
}
