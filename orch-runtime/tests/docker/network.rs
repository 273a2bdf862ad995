//! Pods on a bridge that Docker knows nothing of, and what becomes of them when Docker or somebody else acts.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use orch_core::runtime::{ContainerId, HostEntry, PodUid, Runtime as _, RuntimeError, SandboxSpec};
use orch_runtime::docker::DockerRuntime;
use orch_testkit::daemon::{Dockerd, program};
use orch_testkit::suite::run;
use orch_testkit::suite::runtime::{Program, RuntimeFixture as _};

use crate::place::{Place, outside};

const PORT: u16 = 8080;

fn uid(pod: &str) -> PodUid {
    pod.parse().expect("a uid")
}

fn web(pod: &str, attempt: u32) -> ContainerId {
    ContainerId { pod: uid(pod), name: "web".parse().expect("a name"), attempt }
}

fn sandbox(pod: &str) -> SandboxSpec {
    SandboxSpec {
        pod: uid(pod),
        namespace: "default".into(),
        name: pod.into(),
        hostname: pod.into(),
        domain: None,
        host_entries: Vec::new(),
        dns: None,
        host_network: false,
    }
}

async fn created(runtime: &DockerRuntime, pod: &str) -> IpAddr {
    let made = runtime.create_sandbox(&sandbox(pod)).await.expect("a sandbox");
    assert!(made.ready, "{made:?}");
    made.ip.expect("an address")
}

async fn serving(runtime: &DockerRuntime, place: &Place, pod: &str, attempt: u32) -> IpAddr {
    let ip = created(runtime, pod).await;
    let program = place.container(Program::Serves { port: PORT });
    runtime.start(&web(pod, attempt), &program).await.expect("started");
    let answers = async {
        while !answers(ip) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), answers).await.expect("it serves");
    ip
}

/// Whether something serves there, as seen from the network of this thread.
fn answers(ip: IpAddr) -> bool {
    TcpStream::connect_timeout(&SocketAddr::new(ip, PORT), Duration::from_secs(1)).is_ok()
}

async fn is_ready(runtime: &DockerRuntime, pod: &str) -> bool {
    runtime.status(&uid(pod)).await.expect("a status").expect("the pod").ready
}

/// Whether what serves there answers a container.
async fn reaches(runtime: &DockerRuntime, from: &ContainerId, to: impl std::fmt::Display) -> bool {
    said(runtime, from, &format!("echo hello | timeout 2 nc {to} {PORT}")).await == "hello\n"
}

async fn said(runtime: &DockerRuntime, id: &ContainerId, script: &str) -> String {
    let command = ["sh", "-c", script].map(str::to_owned);
    let said = runtime.exec(id, &command, Duration::from_secs(20)).await.expect("it ends");
    String::from_utf8_lossy(&said.stdout).into_owned()
}

/// Changes the firewall of the network of this thread.
fn iptables(arguments: &str) {
    let output = program("iptables", "iptables").args(arguments.split(' ')).output().expect("the program iptables");
    assert!(output.status.success(), "iptables {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn pods_reach_one_another_by_addresses_that_docker_does_not_know() {
    run(async {
        let place = Place::with_bridge();
        let runtime = place.open().await;
        let (a, b) = (serving(&runtime, &place, "a", 0).await, created(&runtime, "b").await);
        let network = place.config().network.expect("a network");
        assert_eq!((network.subnet().place(a), network.subnet().place(b)), (Some(2), Some(3)));
        runtime.start(&web("b", 0), &place.container(Program::Runs)).await.expect("started");
        let (web_a, web_b, bridge) = (web("a", 0), web("b", 0), network.bridge().to_string());
        // As Docker does where it is the first to have packets led from one device to another.
        iptables("-w -P FORWARD DROP");
        assert!(!reaches(&runtime, &web_b, a).await, "what is forwarded passes Docker's firewall");
        for direction in ["-i", "-o"] {
            iptables(&format!("-w -I DOCKER-USER {direction} {bridge} -j ACCEPT"));
        }
        let service = "10.99.0.1";
        iptables(&format!("-w -t nat -I PREROUTING -d {service} -j DNAT --to {a}"));
        iptables(&format!("-w -t nat -I POSTROUTING -s {a} -d {a} -j MASQUERADE"));
        for bridged in ["0", "1"] {
            std::fs::write("/proc/sys/net/bridge/bridge-nf-call-iptables", bridged)
                .expect("a setting of the daemon's own");
            assert!(reaches(&runtime, &web_b, a).await, "bridged {bridged}");
            assert!(reaches(&runtime, &web_b, service).await, "bridged {bridged}: a neighbour by a service");
            assert!(reaches(&runtime, &web_a, service).await, "bridged {bridged}: itself by a service");
        }
        let shown =
            said(&runtime, &web_b, &format!("ping -c 3 -W 2 {a}; ip route get {a}; ip -o -4 address show eth0")).await;
        assert!(shown.contains("3 packets received") && shown.contains("via "), "{shown}");
        assert!(shown.contains(&format!("inet {b}/32")), "{shown}");
        let stats = runtime.stats(&uid("b")).await.expect("stats").expect("the pod");
        assert!(stats.network.is_some_and(|network| network.sent_bytes > 0), "{stats:?}");
        for pod in ["a", "b"] {
            runtime.remove(&uid(pod)).await.expect("removed");
        }
        assert!(place.ip(&["link"]).contains(&bridge));
        runtime.close().await.expect("closed");
        assert!(!place.ip(&["link"]).contains(&bridge), "nothing needs it any more");
    });
}

#[test]
fn a_pod_finds_its_whole_name_first_in_networks_of_docker_and_in_ours() {
    run(async {
        for place in [Place::new(), Place::with_bridge()] {
            let runtime = place.open().await;
            let entry = HostEntry { ip: [10, 0, 0, 1].into(), names: vec!["db".parse().expect("a name")] };
            let domain = Some("web.shop.svc.cluster.local".parse().expect("a domain"));
            let spec = SandboxSpec { hostname: "web-0".into(), domain, host_entries: vec![entry], ..sandbox("a") };
            let ip = runtime.create_sandbox(&spec).await.expect("a sandbox").ip.expect("an address");
            runtime.start(&web("a", 0), &place.container(Program::Runs)).await.expect("started");
            let shown = said(&runtime, &web("a", 0), "hostname; hostname -f; hostname -i; cat /etc/hosts").await;
            let whole = "web-0.web.shop.svc.cluster.local";
            assert!(shown.starts_with(&format!("web-0\n{whole}\n{ip}\n")), "{shown}");
            assert!(
                shown.contains(&format!("\n{ip}\t{whole} web-0\n")) && shown.contains("\n10.0.0.1\tdb\n"),
                "{shown}"
            );
            runtime.remove(&uid("a")).await.expect("removed");
        }
    });
}

#[test]
fn a_sandbox_that_was_restarted_is_not_ready_until_it_is_joined_again() {
    run(async {
        let place = Place::with_bridge();
        let runtime = place.open().await;
        let a = serving(&runtime, &place, "a", 0).await;
        let sandbox = format!("orch.{}.a", place.scope());
        assert!(place.daemon().docker(["restart", "--time", "0", &sandbox]).status.success());
        assert!(!is_ready(&runtime, "a").await, "its network is a new one");
        let start = runtime.start(&web("a", 1), &place.container(Program::Runs)).await;
        assert!(matches!(start, Err(RuntimeError::StillRunning { .. } | RuntimeError::NoSuchPod { .. })), "{start:?}");
        runtime.stop(&web("a", 0), Duration::ZERO).await.expect("stopped");
        drop(runtime);
        let runtime = place.open().await;
        assert_eq!(serving(&runtime, &place, "a", 1).await, a, "it keeps its address");

        let device = place.ip(&["-brief", "link", "show", "type", "veth"]);
        let bridge = place.config().network.expect("a network").bridge().to_string();
        let ours = place.ip(&["-brief", "link", "show", "master", &bridge]);
        let ours = ours.split(['@', ' ']).next().expect("a device");
        assert!(device.contains(ours));
        place.ip(&["link", "delete", ours]);
        assert!(!is_ready(&runtime, "a").await, "somebody removed its device");
        runtime.stop(&web("a", 1), Duration::ZERO).await.expect("stopped");
        assert_eq!(serving(&runtime, &place, "a", 2).await, a);
        runtime.remove(&uid("a")).await.expect("removed");
    });
}

#[test]
fn pods_stay_joined_while_the_daemon_is_restarted_and_a_lost_folder_costs_no_address() {
    let daemon: &'static Dockerd = outside(async || {
        let daemon = Box::leak(Box::new(Dockerd::start().await));
        daemon.load(&orch_testkit::daemon::busybox_image(), crate::place::IMAGE);
        &*daemon
    });
    run(async {
        let place = Place::on(daemon).bridged();
        let runtime = place.open().await;
        let a = serving(&runtime, &place, "a", 0).await;
        daemon.kill();
        assert!(answers(a), "Docker has no part in it");
        daemon.restart().await;
        assert!(is_ready(&runtime, "a").await && answers(a));
        drop(runtime);
        std::fs::remove_dir_all(place.config().root).expect("the folder is lost");
        let runtime = place.open().await;
        assert_eq!(created(&runtime, "a").await, a, "Docker remembers whose it is");
        assert_ne!(created(&runtime, "b").await, a, "and nobody else gets it");
        for pod in ["a", "b"] {
            runtime.remove(&uid(pod)).await.expect("removed");
        }
    });
}
