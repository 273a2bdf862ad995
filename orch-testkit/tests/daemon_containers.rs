//! dockerd and containerd of the test kit do what tests of containers suppose that they do.

use std::process::Output;

use orch_testkit::daemon::{Containerd, Dockerd, busybox_image};
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
        ctr(&["run", "--detach", image, "alive", "sleep", "1000"]);
        let before = ctr(&["tasks", "list"]);
        assert!(before.contains("RUNNING"), "{before}");
        containerd.kill();
        containerd.restart().await;
        assert_eq!(ctr(&["tasks", "list"]), before);
    });
}

/// What a client printed.
fn text(output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
