//! dockerd and containerd of the test kit do what tests of containers suppose that they do.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use std::{env, io, thread};

use orch_testkit::daemon::{Containerd, Dockerd, Host, Traces, busybox_image};
use orch_testkit::suite::run;

#[test]
fn a_container_of_dockerd_runs_on_while_dockerd_is_killed_and_restarted() {
    run(async {
        let dockerd = Dockerd::start().await;
        dockerd.load(&busybox_image(), "busybox:test");
        text(dockerd.docker(["run", "--detach", "--name", "alive", "busybox:test", "sleep", "1000"]));
        let started = text(dockerd.docker(["inspect", "--format", "{{.State.StartedAt}}", "alive"]));
        dockerd.kill();
        assert!(!dockerd.docker(["ps"]).status.success(), "a killed dockerd answers");
        dockerd.restart().await;
        let after = text(dockerd.docker(["inspect", "--format", "{{.State.StartedAt}}", "alive"]));
        assert_eq!(after, started);
        assert_eq!(text(dockerd.docker(["exec", "alive", "echo", "here"])), "here\n");
    });
}

#[test]
fn a_container_of_containerd_runs_on_while_containerd_is_killed_and_restarted() {
    run(async {
        let containerd = Containerd::start().await;
        let namespace = containerd.unique_namespace();
        let ctr = |arguments: &[&str]| text(containerd.ctr([&["--namespace", &namespace], arguments].concat()));
        containerd.import(&namespace, &busybox_image(), "busybox:test");
        let image = "docker.io/library/busybox:test";
        assert_eq!(ctr(&["run", "--rm", image, "brief", "echo", "hello"]), "hello\n");
        let fifos = containerd.folder().join("fifos").display().to_string();
        ctr(&["run", "--detach", "--fifo-dir", &fifos, image, "alive", "sleep", "1000"]);
        let before = ctr(&["tasks", "list"]);
        assert!(before.contains("RUNNING"), "{before}");
        containerd.kill();
        containerd.restart().await;
        assert_eq!(ctr(&["tasks", "list"]), before);
    });
}

#[test]
fn a_paused_dockerd_does_not_answer_until_it_is_resumed() {
    run(async {
        let dockerd = Dockerd::start().await;
        dockerd.pause();
        let mut stream = UnixStream::connect(dockerd.socket()).expect("connections are taken by Linux");
        stream.write_all(b"GET /_ping HTTP/1.0\r\n\r\n").expect("a pipe takes a little");
        stream.set_read_timeout(Some(Duration::from_millis(500))).expect("half a second can be waited");
        let silence = stream.read(&mut [0]).expect_err("a paused dockerd answers");
        assert_eq!(silence.kind(), io::ErrorKind::WouldBlock);
        dockerd.resume();
        text(dockerd.docker(["ps"]));
    });
}

#[test]
fn images_are_as_they_were_asked_for_on_both_daemons() {
    run(async {
        let image = busybox_image().entrypoint(["sh", "-c"]).user("app").env("GREETING", "hi").working_dir("/tmp");
        let image = image.expose("80/tcp").label("made", "here").file("/etc/motd", 0o600, b"secret");
        let script = "id -u; echo $GREETING $PATH; pwd; cat /etc/motd || stat -c %a /etc/motd";
        let expected = "1000\nhi /bin\n/tmp\n600\n";
        let dockerd = Dockerd::shared().await;
        dockerd.load(&image, "variant:test");
        assert_eq!(text(dockerd.docker(["run", "--rm", "variant:test", script])), expected);
        let shown = text(dockerd.docker([
            "inspect",
            "--format",
            "{{.Config.ExposedPorts}} {{.Config.Labels}}",
            "variant:test",
        ]));
        assert_eq!(shown, "map[80/tcp:{}] map[made:here]\n");

        let containerd = Containerd::shared().await;
        let namespace = containerd.unique_namespace();
        containerd.import(&namespace, &image, "variant:test");
        let name = "docker.io/library/variant:test";
        let printed = text(containerd.ctr(["--namespace", &namespace, "run", "--rm", name, "one", "sh", "-c", script]));
        assert_eq!(printed, expected);
    });
}

#[test]
fn a_thread_inside_a_host_has_its_network_and_gets_its_own_back() {
    let host = Host::new();
    let outside = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = outside.local_addr().expect("it listens");
    let inside = host.enter();
    let refused = TcpStream::connect(address).expect_err("the machine's own network is seen in a host");
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    let listener = TcpListener::bind(address).expect("a port that is taken elsewhere is free here");
    thread::spawn(move || TcpStream::connect(address).expect("a new thread is inside too")).join().expect("it ends");
    listener.accept().expect("a connection");
    drop(inside);
    TcpStream::connect(address).expect("the machine's own network is back");
    let links = host.command("ip").args(["-brief", "link"]).output().expect("`nsenter` starts");
    assert_eq!(text(links).lines().count(), 1, "there is more than loopback");
}

#[test]
fn a_host_is_removed_with_the_processes_that_are_in_it() {
    let host = Host::new();
    let path = host.path();
    let mut process = host.command("sleep").arg("1000").spawn().expect("`nsenter` starts");
    run(until(|| text(host.command("true").output().expect("`nsenter` starts")).is_empty()));
    // It is in there when its network namespace is the host's.
    let namespace = |path: &str| std::fs::read_link(path).expect("a namespace");
    let own = namespace("/proc/self/ns/net");
    run(until(|| namespace(&format!("/proc/{}/ns/net", process.id())) != own));
    drop(host);
    assert!(!path.exists());
    assert!(!process.wait().expect("its end").success());
}

#[test]
fn nothing_is_left_of_dockerd_and_its_containers() {
    run(async {
        let dockerd = Dockerd::start().await;
        let traces = Traces::from(&dockerd);
        assert_eq!(traces.of_containers(), BTreeSet::new());
        use_dockerd(&dockerd);
        let found = traces.of_containers();
        for what in ["the mount", "the cgroup", "the container", "the process"] {
            assert!(found.iter().any(|trace| trace.starts_with(what)), "{what} is not seen: {found:#?}");
        }
        drop(dockerd);
        assert_eq!(traces.now(), BTreeSet::new());
    });
}

#[test]
fn nothing_is_left_of_containerd_and_its_containers() {
    run(async {
        let containerd = Containerd::start().await;
        let (traces, namespace) = (Traces::from(&containerd), containerd.unique_namespace());
        containerd.import(&namespace, &busybox_image(), "busybox:test");
        let cgroup = format!("{}/one", containerd.cgroup_parent());
        let fifos = containerd.folder().join("fifos").display().to_string();
        let arguments = ["--namespace", &namespace, "run", "--detach", "--fifo-dir", &fifos, "--cgroup", &cgroup];
        let container = ["docker.io/library/busybox:test", "one", "setsid", "sleep", "1000"];
        text(containerd.ctr(arguments.into_iter().chain(container)));
        assert!(traces.of_containers().len() >= 4, "{:#?}", traces.of_containers());
        // In the cgroup that `ctr` chooses, and over before the end.
        let brief = ["--namespace", &namespace, "run", "--rm", "docker.io/library/busybox:test", "two", "true"];
        text(containerd.ctr(brief));
        containerd.kill();
        drop(containerd);
        assert_eq!(traces.now(), BTreeSet::new());
        for place in ["/run/containerd/runc", "/sys/fs/cgroup", "/sys/fs/cgroup/pids"] {
            let left = Path::new(place).join(&namespace);
            assert!(!left.exists(), "{} is left", left.display());
        }
    });
}

#[test]
fn nothing_is_left_when_the_test_process_is_killed() {
    const INSIDE: &str = "ORCH_TEST_IS_TO_BE_KILLED";
    if env::var_os(INSIDE).is_some() {
        let dockerd = run(Dockerd::start());
        use_dockerd(&dockerd);
        println!("\nready {} {} {}", dockerd.folder().display(), dockerd.cgroup_parent(), dockerd.host().name());
        let _ = io::stdin().read(&mut [0]);
        unreachable!("nobody ends standard input");
    }
    let name = "nothing_is_left_when_the_test_process_is_killed";
    let mut inside = Command::new(env::current_exe().expect("this program"));
    inside.args(["--exact", name, "--nocapture"]).env(INSIDE, "1").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut inside = inside.spawn().expect("this program starts");
    let output = BufReader::new(inside.stdout.take().expect("a pipe"));
    let mut lines = output.lines().map(|line| line.expect("text"));
    let ready = lines.find_map(|line| line.strip_prefix("ready ").map(str::to_owned)).expect("it starts");
    let words: Vec<&str> = ready.split(' ').collect();
    let traces = Traces::of(words[0].as_ref(), words[1], words[2]);
    assert!(traces.now().len() >= 6, "{:#?}", traces.now());
    inside.kill().expect("it runs");
    inside.wait().expect("it ends");
    run(until(|| traces.now().is_empty()));
}

/// With what is hardest to clean up: a container that is frozen, one whose processes left their group, and one whose end
/// nobody noticed.
fn use_dockerd(dockerd: &Dockerd) {
    dockerd.load(&busybox_image(), "busybox:test");
    text(dockerd.docker(["run", "--detach", "--name", "frozen", "busybox:test", "sleep", "1000"]));
    text(dockerd.docker(["pause", "frozen"]));
    text(dockerd.docker([
        "run",
        "--detach",
        "--publish",
        "80",
        "busybox:test",
        "sh",
        "-c",
        "setsid sleep 1000 & wait",
    ]));
    text(dockerd.docker(["create", "--volume", "/data", "busybox:test", "true"]));
}

async fn until(holds: impl Fn() -> bool) {
    let poll = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), poll).await.expect("it holds within half a minute");
}

/// What a client printed.
fn text(output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
