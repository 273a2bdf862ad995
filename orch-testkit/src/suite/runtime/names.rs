//! How the containers of a pod find names.

use orch_core::runtime::{ContainerSpec, HostEntry, Mount, Runtime, SandboxDns, SandboxSpec};

use super::steps::{Folder, id, ran, sandbox};
use super::{Ability, Program, RuntimeFixture};

const RESOLVER: &str = "/etc/resolv.conf";
const HOSTS: &str = "/etc/hosts";

/// Containers see whom their pod asks, whatever its network is: in each attempt, and under a new runtime.
pub async fn containers_see_whom_their_pod_asks(fixture: impl RuntimeFixture) {
    for host_network in [false, true] {
        let pod = SandboxSpec { host_network, ..asking("a") };
        for attempt in 0..3 {
            let runtime = fixture.open().await;
            runtime.create_sandbox(&pod).await.expect("a sandbox is made");
            let shown = shown(&runtime, &fixture, "a", attempt, RESOLVER).await;
            let sees = shown == Some(text(&pod));
            assert_eq!(sees, fixture.can(Ability::Names), "attempt {attempt}, host network {host_network}: {shown:?}");
        }
        fixture.open().await.remove(&pod.pod).await.expect("removed");
    }
}

/// Containers of a pod that does not say whom it asks see nothing of another's, nor what that wrote there.
pub async fn other_pods_see_nothing_of_it(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let (asking, other) = (asking("a"), SandboxSpec { dns: None, ..sandbox("b") });
    runtime.create_sandbox(&other).await.expect("a sandbox is made");
    let before = shown(&runtime, &fixture, "b", 0, RESOLVER).await;
    runtime.create_sandbox(&asking).await.expect("a sandbox is made");
    // Else it would be the machine's that is written to.
    if shown(&runtime, &fixture, "a", 0, RESOLVER).await == Some(text(&asking)) {
        let write = fixture.container(Program::WritesFile { path: RESOLVER });
        ran(&runtime, &id("a", "write", 0), &write).await.expect("nothing special is asked for");
    }
    assert_eq!(shown(&runtime, &fixture, "b", 1, RESOLVER).await, before, "it is the pod's own");
    for pod in [asking, other] {
        runtime.remove(&pod.pod).await.expect("removed");
    }
}

/// A container that mounts something at the place sees that.
pub async fn a_mount_at_the_place_hides_it(fixture: impl RuntimeFixture) {
    if !fixture.can(Ability::Mounts) || !fixture.can(Ability::Names) {
        return;
    }
    let node = Folder::new();
    std::fs::write(node.path().join("file"), "nameserver 192.0.2.99\n").expect("written");
    let runtime = fixture.open().await;
    runtime.create_sandbox(&asking("a")).await.expect("a sandbox is made");
    let mounts = vec![Mount { source: node.path().join("file"), target: RESOLVER.into(), read_only: true }];
    let spec = ContainerSpec { mounts, ..fixture.container(Program::ShowsFile { path: RESOLVER }) };
    let shown = ran(&runtime, &id("a", "web", 0), &spec).await.expect("a mount is given");
    assert_eq!(shown, ("nameserver 192.0.2.99\n".to_owned(), 0));
    runtime.remove(&sandbox("a").pod).await.expect("removed");
}

/// Containers find the names of their pod's spec in `/etc/hosts`, whatever its network is.
pub async fn containers_find_names_among_the_hosts(fixture: impl RuntimeFixture) {
    for host_network in [false, true] {
        let runtime = fixture.open().await;
        let pod = SandboxSpec { host_network, ..asking("a") };
        runtime.create_sandbox(&pod).await.expect("a sandbox is made");
        let text = shown(&runtime, &fixture, "a", 0, HOSTS).await.unwrap_or_default();
        let leads = |name: &str, ip: &str| {
            let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            lines.any(|line| line.first() == Some(&ip) && line[1..].contains(&name))
        };
        for (name, ip) in [("db", "192.0.2.7"), ("db.lan", "192.0.2.7"), ("six", "2001:db8::7")] {
            let can = fixture.can(Ability::Names);
            assert_eq!(leads(name, ip), can, "{name} leads to {ip}, host network {host_network}, in:\n{text}");
        }
        runtime.remove(&pod.pod).await.expect("removed");
    }
}

fn asking(uid: &str) -> SandboxSpec {
    let text = "search shop.svc.cluster.local svc.cluster.local\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n\
                options ndots:5 rotate\n";
    let entry = |ip: &str, names: &[&str]| HostEntry {
        ip: ip.parse().expect("an address"),
        names: names.iter().map(|name| name.parse().expect("a name")).collect(),
    };
    SandboxSpec {
        dns: Some(SandboxDns::parse(text).0),
        host_entries: vec![entry("192.0.2.7", &["db", "db.lan"]), entry("2001:db8::7", &["six"])],
        ..sandbox(uid)
    }
}

fn text(pod: &SandboxSpec) -> String {
    pod.dns.as_ref().map(SandboxDns::resolv_conf).unwrap_or_default()
}

/// What a container sees in a file; `None` if it cannot be read.
async fn shown(
    runtime: &impl Runtime,
    fixture: &impl RuntimeFixture,
    pod: &str,
    attempt: u32,
    path: &'static str,
) -> Option<String> {
    let spec = fixture.container(Program::ShowsFile { path });
    let (text, code) = ran(runtime, &id(pod, "web", attempt), &spec).await.expect("nothing special is asked for");
    (code == 0).then_some(text)
}
