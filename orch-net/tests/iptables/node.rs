//! What the tests share: the programs of iptables on a node, and tables of services.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;

use orch_core::object::{Protocol, TrafficPolicy};
use orch_core::proxy::{Affinity, Endpoint, EndpointState, ServicePort, ServicePortName, ServiceTable};
use orch_net::{IptablesConfig, IptablesProxy};
use orch_testkit::daemon::program;
use orch_testkit::suite::proxy::{Kernel, ProxyFixture as _};

/// How to run the programs, wherever they are.
pub(crate) fn config() -> IptablesConfig {
    let command = program("iptables-restore", "iptables");
    let folder = std::path::Path::new(command.get_program()).parent().map(Into::into);
    let environment = command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    IptablesConfig { programs: folder, environment: environment.collect(), ..IptablesConfig::default() }
}

pub(crate) fn proxy() -> IptablesProxy {
    IptablesProxy::new(config())
}

/// Runs a program of iptables where the calling thread is.
pub(crate) fn run(name: &str, arguments: &str, input: &str) -> String {
    let mut command: Command = program(name, "iptables");
    let arguments = arguments.split(' ').filter(|argument| !argument.is_empty());
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    child.stdin.take().expect("an input").write_all(input.as_bytes()).expect("it reads its input");
    let output = child.wait_with_output().expect("its end");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// All rules of both families, without times and counters.
pub(crate) fn saved() -> String {
    let text = run("iptables-save", "", "") + &run("ip6tables-save", "", "");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(" [").next().unwrap_or(line).to_owned() + "\n").collect()
}

/// The lines of [`saved`] that say anything of this proxy.
pub(crate) fn ours() -> String {
    saved().lines().filter(|line| line.contains("ORCH-")).map(|line| line.to_owned() + "\n").collect()
}

pub(crate) fn name(service: &str) -> ServicePortName {
    ServicePortName { service: format!("services/shop/{service}").parse().expect("a key"), port: String::new() }
}

pub(crate) fn port(at: SocketAddr, backends: &[SocketAddr]) -> ServicePort {
    let endpoint = |address: &SocketAddr| Endpoint { address: *address, is_local: true, state: EndpointState::Ready };
    ServicePort {
        protocol: Protocol::Tcp,
        addresses: BTreeSet::from([at.ip()]),
        port: at.port(),
        node_port: None,
        affinity: Affinity::None,
        internal: TrafficPolicy::Cluster,
        external: TrafficPolicy::Cluster,
        endpoints: backends.iter().map(endpoint).collect(),
    }
}

pub(crate) fn table<const N: usize>(ports: [(&str, ServicePort); N]) -> Arc<ServiceTable> {
    let mut table = ServiceTable::default();
    for (service, port) in ports {
        table.set(name(service), Some(port));
    }
    Arc::new(table)
}

pub(crate) async fn reached(world: &Kernel<IptablesProxy>, to: SocketAddr) -> Option<SocketAddr> {
    world.connect(1, to).await.map(|connection| connection.backend())
}
