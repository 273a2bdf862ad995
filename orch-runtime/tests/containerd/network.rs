//! Who reaches whom.

use std::path::Path;
use std::time::Duration;

use orch_core::runtime::{ContainerId, Runtime as _};
use orch_runtime::containerd::ContainerdRuntime;
use orch_testkit::daemon::program;
use orch_testkit::suite::runtime::{Program, RuntimeFixture as _};

use super::place::{Place, eventually, id, sandbox};

const PORT: u16 = 8080;

/// Runs a program in the network that containerd is in.
fn on_the_node(place: &Place, program: impl AsRef<Path>, arguments: &[&str]) {
    let output = place.containerd().host().command(program).args(arguments).output().expect("a program");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What a container says to a command.
async fn said(runtime: &ContainerdRuntime, id: &ContainerId, script: &str) -> String {
    let command = ["sh", "-c", script].map(str::to_owned);
    let said = runtime.exec(id, &command, Duration::from_secs(20)).await.expect("it ends");
    String::from_utf8_lossy(&said.stdout).into_owned()
}

#[tokio::test]
async fn a_pod_reaches_its_neighbour_and_itself_by_address_and_by_service() {
    let place = Place::new().await;
    let runtime = place.open().await;
    let [a, b] = ["a", "b"].map(|pod| id(pod, "web", 0));
    let mut addresses = Vec::new();
    for web in [&a, &b] {
        let made = runtime.create_sandbox(&sandbox(web.pod.as_str())).await.expect("a sandbox");
        addresses.push(made.ip.expect("an address"));
        runtime.start(web, &place.container(Program::Serves { port: PORT })).await.expect("started");
    }
    let [of_a, of_b] = addresses[..] else { panic!("two addresses: {addresses:?}") };
    let reaches = async |from: &ContainerId, to: &str| {
        said(&runtime, from, &format!("echo hello | timeout 5 nc {to} {PORT}")).await == "hello\n"
    };
    for (from, to) in [(&a, of_b), (&b, of_a)] {
        let answered = async || reaches(from, &to.to_string()).await.then_some(());
        eventually("a neighbour answers", answered).await;
    }
    let service = "198.51.100.1";
    let rules = format!(
        "table ip orch-test-services {{
            chain prerouting {{ type nat hook prerouting priority -100; ip daddr {service} dnat to {of_a}; }}
            chain postrouting {{ type nat hook postrouting priority 100; ip saddr {of_a} ip daddr {of_a} masquerade; }}
        }}"
    );
    let nft = program("nft", "nftables");
    on_the_node(&place, nft.get_program(), &[&rules]);
    for bridged in ["0", "1"] {
        let setting = "/proc/sys/net/bridge/bridge-nf-call-iptables";
        let set = format!("test ! -e {setting} || echo {bridged} > {setting}");
        on_the_node(&place, "/bin/sh", &["-c", &set]);
        assert!(reaches(&b, service).await, "bridged {bridged}: a neighbour by a service");
        assert!(reaches(&a, service).await, "bridged {bridged}: itself by a service");
    }
    on_the_node(&place, nft.get_program(), &["delete table ip orch-test-services"]);
    let shown = said(&runtime, &b, &format!("ping -c 3 -W 2 {of_a}; ip route get {of_a}; ip -o -4 address")).await;
    assert!(shown.contains("3 packets received") && shown.contains("via "), "{shown}");
    assert!(shown.contains(&format!("inet {of_b}/32")), "{shown}");
    for web in [a, b] {
        runtime.remove(&web.pod).await.expect("removed");
    }
}
