//! Who reaches whom, and what becomes of it when something is killed, removed or changed by others.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use orch_core::runtime::{ContainerId, ContainerSpec, ExitReason, PodUid, Runtime as _, RuntimeError, SandboxSpec};
use orch_runtime::pod_network::PodNetwork;
use orch_runtime::process::{ProcessConfig, ProcessNetwork, ProcessRuntime, Shim};
use orch_testkit::suite::run;
use orch_testkit::suite::runtime::{Program, RuntimeFixture as _};

use crate::bridged;
use crate::place::{Place, ended, eventually, output};

/// The port that containers serve.
pub(crate) const PORT: u16 = 8080;
/// How the helper is told where to work.
const ROOT: &str = "HELPER_ROOT";

pub(crate) fn uid(name: &str) -> PodUid {
    name.parse().expect("a uid")
}

fn web(pod: &str) -> ContainerId {
    ContainerId { pod: uid(pod), name: "web".parse().expect("a name"), attempt: 0 }
}

fn sandbox(name: &str, host_network: bool) -> SandboxSpec {
    SandboxSpec {
        pod: uid(name),
        namespace: "default".into(),
        name: name.into(),
        hostname: name.into(),
        domain: None,
        host_entries: Vec::new(),
        dns: None,
        host_network,
    }
}

async fn created(runtime: &ProcessRuntime, pod: &str) -> IpAddr {
    let made = runtime.create_sandbox(&sandbox(pod, false)).await.expect("a sandbox");
    assert!(made.ready);
    made.ip.expect("an address")
}

/// A pod that serves.
pub(crate) async fn serving(runtime: &ProcessRuntime, place: &Place, pod: &str) -> IpAddr {
    let ip = created(runtime, pod).await;
    runtime.start(&web(pod), &place.serving(PORT)).await.expect("started");
    let own = place.net(&uid(pod));
    eventually(async || answers(Some(own.clone()), ip).then_some(())).await;
    ip
}

/// Whether a pod answers somebody in a network namespace, or on the node.
pub(crate) fn answers(from: Option<PathBuf>, ip: IpAddr) -> bool {
    let ask = move || {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::new(ip, PORT), Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"x")?;
        stream.read_exact(&mut [0])
    };
    match from {
        Some(net) => inside(net, ask).is_ok(),
        None => ask().is_ok(),
    }
}

/// Does something in a network namespace.
pub(crate) fn inside<T: Send + 'static>(net: PathBuf, act: impl FnOnce() -> T + Send + 'static) -> T {
    let act = || {
        setns(File::open(net).expect("a namespace"), CloneFlags::CLONE_NEWNET).expect("root may");
        act()
    };
    std::thread::spawn(act).join().expect("no panic")
}

/// Waits until pods answer: who asked in vain a moment before asks for the way only once a second.
pub(crate) async fn reached(whom: &[(Option<PathBuf>, IpAddr)]) {
    for (from, to) in whom {
        eventually(async || answers(from.clone(), *to).then_some(())).await;
    }
}

/// What a script says that runs in a pod.
pub(crate) async fn said(runtime: &ProcessRuntime, pod: &str, spec: &ContainerSpec) -> String {
    let id = ContainerId { name: "says".parse().expect("a name"), ..web(pod) };
    runtime.start(&id, spec).await.expect("started");
    assert_eq!(eventually(async || ended(runtime, &id).await).await, (ExitReason::Exited, 0));
    let text = output(runtime, &id).await;
    runtime.remove_container(&id).await.expect("removed");
    text
}

/// What `ip` answers on the node.
pub(crate) fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("the program ip");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Changes what the node's kernel does with packets.
pub(crate) fn setting(name: &str, value: &str) {
    std::fs::write(format!("/proc/sys/net/{name}"), value).expect("a setting of the test's own network");
}

fn network(place: &Place) -> PodNetwork {
    match place.config().network {
        ProcessNetwork::Bridge(network) => network,
        other => panic!("{other:?}"),
    }
}

#[test]
fn pods_reach_one_another_and_the_node_them_and_each_listens_where_it_likes() {
    run(async {
        let place = bridged();
        let runtime = place.open().await;
        let (a, b) = (serving(&runtime, &place, "a").await, serving(&runtime, &place, "b").await);
        assert_eq!((a.to_string(), b.to_string()), ("10.77.1.2".into(), "10.77.1.3".into()));
        for (from, to) in [(None, a), (None, b), (Some("a"), b), (Some("b"), a), (Some("a"), a)] {
            assert!(answers(from.map(|pod| place.net(&uid(pod))), to), "{from:?} reaches {to}");
        }
        let shown = said(&runtime, "a", &place.script("ip -o -4 address; ip route; ip neigh; ip link show eth0")).await;
        for words in [
            "inet 127.0.0.1/8",
            "inet 10.77.1.2/32",
            "default via 10.77.1.1",
            "10.77.1.1 dev eth0 proto static scope link",
            "0a:58:0a:4d:01:02",
        ] {
            assert!(shown.contains(words), "{words}: {shown}");
        }
        assert!(!shown.contains("10.77.1.3"), "it knows of no neighbour but the gateway: {shown}");
        let forward = std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").expect("a setting");
        assert_eq!(forward.trim(), "1");
        let stats = runtime.stats(&uid("a")).await.expect("stats").expect("the pod").network.expect("its network");
        assert!(stats.received_bytes > 0 && stats.sent_bytes > 0, "{stats:?}");

        let pod = runtime.create_sandbox(&sandbox("host", true)).await.expect("a sandbox");
        assert_eq!((pod.ip, pod.ready), (None, true));
        assert!(
            said(&runtime, "host", &place.script("ip link")).await.contains("pods1"),
            "it is in the node's network"
        );
        for pod in ["a", "b", "host"] {
            runtime.remove(&uid(pod)).await.expect("removed");
        }
        runtime.close().await;
        assert!(!ip("link").contains("pods1"), "nothing needs it any more");
    });
}

#[test]
fn what_others_do_to_the_bridge_is_repaired() {
    run(async {
        let place = bridged();
        let runtime = place.open().await;
        let (a, b) = (serving(&runtime, &place, "a").await, serving(&runtime, &place, "b").await);
        let b_net = place.net(&uid("b"));
        ip("link delete pods1");
        assert!(!answers(None, a) && !answers(Some(b_net.clone()), a));
        let pods = runtime.list().await.expect("a list");
        assert!(pods.iter().all(|pod| pod.ready), "{pods:?}");
        reached(&[(None, a), (Some(b_net.clone()), a)]).await;

        ip("address flush dev pods1");
        ip("link set pods1 down");
        setting("ipv4/ip_forward", "0");
        created(&runtime, "c").await;
        reached(&[(None, a), (None, b), (Some(b_net), a)]).await;

        ip("link delete pods1");
        drop(runtime);
        let runtime = place.open().await;
        created(&runtime, "d").await;
        reached(&[(None, a), (None, b)]).await;
        let device = ip("-brief link show master pods1");
        let device = device.split(['@', ' ']).next().expect("a device");
        ip(&format!("link delete {device}"));
        let pods = runtime.list().await.expect("a list");
        assert_eq!(pods.iter().filter(|pod| !pod.ready).count(), 1, "a pod without its device is not ready");
    });
}

#[test]
#[ignore = "it is the program that a_killed_user_leaves_networks_to_the_next kills"]
fn the_user_that_is_killed() {
    let root = PathBuf::from(std::env::var_os(ROOT).expect("started by the test that kills it"));
    run(async {
        let network = PodNetwork::new("pods1".parse().expect("a name"), "10.77.1.0/24".parse().expect("a range"));
        let shim = Shim::Path(env!("CARGO_BIN_EXE_orch-shim").into());
        let network = ProcessNetwork::Bridge(network.expect("a network"));
        let config = ProcessConfig { shim, network, ..ProcessConfig::new(root) };
        let runtime = ProcessRuntime::open(config).await.expect("a runtime");
        created(&runtime, "a").await;
        eprintln!("made");
        let spec = Place::plain_script("while :; do sleep 0.05; done");
        runtime.start(&web("a"), &spec).await.expect("a start");
        created(&runtime, "b").await;
        runtime.remove(&uid("b")).await.expect("removed");
        eprintln!("done");
        std::future::pending::<()>().await;
    });
}

/// Starts the helper, and kills it when it has said a word.
async fn killed(place: &Place, word: &str, later: Duration) {
    let mut user = Command::new(std::env::current_exe().expect("this program"))
        .args(["--ignored", "--exact", "--nocapture", "network::the_user_that_is_killed"])
        .env(ROOT, place.root())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("this program once more");
    let mut lines = BufReader::new(user.stderr.take().expect("a pipe")).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line == word)), "the helper says {word}");
    tokio::time::sleep(later).await;
    user.kill().expect("it runs");
    user.wait().expect("it is killed");
}

#[test]
fn a_killed_user_leaves_networks_to_the_next() {
    run(async {
        let place = bridged();
        drop(place.open().await);
        let before = place.traces().await;
        killed(&place, "done", Duration::ZERO).await;
        let runtime = place.open().await;
        let pods = runtime.list().await.expect("a list");
        assert!(pods.len() == 1 && pods[0].ready && pods[0].containers[0].state.is_running(), "{pods:?}");
        assert_eq!(created(&runtime, "a").await.to_string(), "10.77.1.2", "it keeps its address");
        assert_eq!(created(&runtime, "c").await.to_string(), "10.77.1.4", "that of the pod that went rests");
        let shown = said(&runtime, "a", &place.script("ip -o -4 address")).await;
        assert!(shown.contains("10.77.1.2"), "{shown}");
        for pod in ["a", "c"] {
            runtime.remove(&uid(pod)).await.expect("removed");
        }
        assert_eq!(place.traces().await, before, "nothing is left");
    });
}

#[test]
fn a_user_killed_at_any_moment_leaves_no_network_without_a_pod() {
    run(async {
        let place = bridged();
        drop(place.open().await);
        let before = place.traces().await;
        for step in 0..8 {
            killed(&place, "made", Duration::from_millis(step * 7)).await;
            let runtime = place.open().await;
            for pod in runtime.list().await.expect("a list") {
                let made = runtime.create_sandbox(&pod.spec).await;
                assert!(made.is_ok_and(|made| made.ready && made.ip == pod.ip), "step {step}");
            }
            for pod in ["a", "b"] {
                runtime.remove(&uid(pod)).await.expect("removed");
            }
            assert_eq!(place.traces().await, before, "step {step}: nothing is left");
        }
    });
}

#[test]
fn a_pod_keeps_its_address_when_its_network_is_lost_with_the_machine() {
    run(async {
        let place = bridged();
        let runtime = place.open().await;
        let (a, b) = (created(&runtime, "a").await, created(&runtime, "b").await);
        drop(runtime);
        for pod in ["a", "b"] {
            assert!(place.destroy_sandbox(&uid(pod)).await);
        }
        ip("link delete pods1");
        let runtime = place.open().await;
        let pods = runtime.list().await.expect("a list");
        assert!(pods.iter().all(|pod| !pod.ready), "{pods:?}");
        let refused = runtime.start(&web("a"), &place.container(Program::Runs)).await;
        assert!(matches!(refused, Err(RuntimeError::NoSuchPod { .. })), "{refused:?}");
        assert_eq!(created(&runtime, "b").await, b);
        assert_eq!(serving(&runtime, &place, "a").await, a);
        assert!(answers(None, a));
    });
}

#[test]
fn devices_carry_as_much_as_is_asked_for_or_as_the_node_does() {
    run(async {
        let place = bridged();
        let mut config = place.config();
        config.network = ProcessNetwork::Bridge(network(&place).with_mtu(1400).expect("a size"));
        let mtu = async |config: &ProcessConfig, pod: &str| {
            let runtime = ProcessRuntime::open(config.clone()).await.expect("a runtime");
            created(&runtime, pod).await;
            let inside = said(&runtime, pod, &place.script("ip -o link show eth0")).await;
            runtime.remove(&uid(pod)).await.expect("removed");
            let bridge = ip("-o link show pods1");
            runtime.close().await;
            let of = |line: &str| line.split("mtu ").nth(1).and_then(|rest| rest.split(' ').next().map(str::to_owned));
            (of(&inside).expect("a size"), of(&bridge).expect("a size"))
        };
        assert_eq!(mtu(&config, "a").await, ("1400".into(), "1400".into()));
        ip("link add under type veth peer name other");
        ip("link set under mtu 1300 up");
        ip("address add 192.0.2.1/24 dev under");
        ip("route add default via 192.0.2.2");
        assert_eq!(mtu(&place.config(), "b").await, ("1300".into(), "1300".into()));
        ip("link add pods1 type bridge");
        ip("link set pods1 mtu 1280");
        assert_eq!(
            mtu(&place.config(), "c").await,
            ("1280".into(), "1280".into()),
            "a bridge of others stays as it is"
        );
        assert!(ip("link").contains("pods1"), "and stays");
    });
}

#[test]
fn what_makes_a_network_impossible_is_told() {
    run(async {
        let place = bridged();
        ip("link add pods1 type veth peer name other");
        let runtime = place.open().await;
        let error = runtime.create_sandbox(&sandbox("a", false)).await.expect_err("it is no bridge");
        assert!(!error.is_transient() && error.to_string().contains("the device pods1 is no bridge"), "{error}");
        let pods = runtime.list().await.expect("a list");
        assert!(pods.len() == 1 && !pods[0].ready, "{pods:?}");
        ip("link delete pods1");
        created(&runtime, "a").await;
        drop(runtime);

        let mut config = place.config();
        let other = PodNetwork::new("pods1".parse().expect("a name"), "10.78.0.0/24".parse().expect("a range"));
        config.network = ProcessNetwork::Bridge(other.expect("a network"));
        assert!(place.destroy_sandbox(&uid("a")).await);
        let runtime = ProcessRuntime::open(config.clone()).await.expect("a runtime");
        let error = runtime.create_sandbox(&sandbox("a", false)).await.expect_err("it has another address");
        assert!(error.to_string().contains("10.77.1.2") && error.to_string().contains("remove the pod"), "{error}");
        drop(runtime);

        let book = place.root().join("addresses.json");
        std::fs::write(&book, "{").expect("written");
        let error = ProcessRuntime::open(config).await.expect_err("it is damaged");
        assert!(error.to_string().contains(&book.display().to_string()), "{error}");
        assert!(error.to_string().contains("move it away"), "{error}");
    });
}

/// Gives this thread, and those that it starts, a view of the files that nobody else has.
fn look_at_files_alone() {
    unshare(CloneFlags::CLONE_NEWNS).expect("root may");
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).expect("root may");
}

#[test]
fn settings_that_cannot_be_made_are_told() {
    let place = bridged();
    setting("ipv4/ip_forward", "0");
    look_at_files_alone();
    let settings = "/proc/sys";
    mount(Some(settings), settings, None::<&str>, MsFlags::MS_BIND, None::<&str>).expect("root may");
    let again = MsFlags::MS_REMOUNT | MsFlags::MS_BIND;
    let may_write = |flag| mount(None::<&str>, settings, None::<&str>, again | flag, None::<&str>).expect("root may");
    run(async {
        let runtime = place.open().await;
        may_write(MsFlags::MS_RDONLY);
        let refused = async |words: [&str; 2]| {
            let error = runtime.create_sandbox(&sandbox("a", false)).await.expect_err("the settings cannot be made");
            assert!(words.iter().all(|words| error.to_string().contains(words)), "{error}");
            assert!(!error.is_transient(), "{error}");
            let pods = runtime.list().await.expect("a list");
            assert!(pods.len() == 1 && !pods[0].ready, "{pods:?}");
        };
        refused(["net.ipv4.ip_forward to 1", "set it on the node"]).await;
        may_write(MsFlags::empty());
        setting("ipv4/ip_forward", "1");
        may_write(MsFlags::MS_RDONLY);
        refused(["net.ipv4.conf.all.accept_redirects to 0", "without which a pod"]).await;
        may_write(MsFlags::empty());
        created(&runtime, "a").await;
        runtime.remove(&uid("a")).await.expect("removed");
    });
}

#[test]
fn many_pods_at_once_have_addresses_of_their_own_and_leave_nothing() {
    run(async {
        let place = bridged();
        let runtime = place.open().await;
        let before = place.traces().await;
        let names: Vec<String> = (0..40).map(|number| format!("pod-{number}")).collect();
        let since = tokio::time::Instant::now();
        let made = futures::future::join_all(names.iter().map(|name| created(&runtime, name))).await;
        println!("40 pods joined in {:?}", since.elapsed());
        assert_eq!(made.into_iter().collect::<std::collections::BTreeSet<_>>().len(), 40);
        let uids: Vec<PodUid> = names.iter().map(|name| uid(name)).collect();
        for removed in futures::future::join_all(uids.iter().map(|pod| runtime.remove(pod))).await {
            removed.expect("removed");
        }
        println!("joined and removed in {:?}", since.elapsed());
        assert_eq!(place.traces().await, before, "nothing is left");
    });
}
