//! What the tests share: the programs of iptables on a node, and tables of services.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use orch_core::proxy::ServicePort;
use orch_net::{IptablesConfig, IptablesProxy};
use orch_testkit::daemon::program;
use orch_testkit::suite::proxy as suite;
pub(crate) use orch_testkit::suite::proxy::{name, reached, table};

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

/// A service port that leads to endpoints on this node.
pub(crate) fn port(at: SocketAddr, backends: &[SocketAddr]) -> ServicePort {
    let mut port = suite::port(at, backends);
    port.endpoints.iter_mut().for_each(|endpoint| endpoint.is_local = true);
    port
}
