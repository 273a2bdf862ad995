//! [`Node`]: a node in a network of its own, with a client beside it.

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Instant;

use orch_testkit::daemon::{Host, program};

use super::shape::{ENDPOINTS, SERVICES, TARGET};

/// Where the two are to each other.
const NODE: &str = "10.200.0.1/30";
const CLIENT: &str = "10.200.0.2/30";

/// A node in a network of its own. All endpoints are on it, and a client in another network leads to it what it has for
/// services and endpoints.
pub struct Node {
    host: Host,
    client: Host,
    listener: TcpListener,
}

impl Node {
    pub fn new() -> Self {
        let (host, client) = (Host::new(), Host::new());
        let pair = ["link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", client.name()];
        ip(&host, &pair);
        for (host, address) in [(&host, NODE), (&client, CLIENT)] {
            ip(host, &["address", "add", address, "dev", "veth0"]);
            ip(host, &["link", "set", "veth0", "up"]);
        }
        ip(&host, &["route", "add", "local", ENDPOINTS, "dev", "lo"]);
        for network in [SERVICES, ENDPOINTS] {
            ip(&client, &["route", "add", network, "via", "10.200.0.1"]);
        }
        let listener = {
            let _inside = host.enter();
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, TARGET)).expect("nobody else listens there")
        };
        Self { host, client, listener }
    }

    /// Does something on the node.
    pub fn on<T>(&self, act: impl FnOnce() -> T) -> T {
        let _inside = self.host.enter();
        act()
    }

    /// How long it takes from the first packet of connections to these addresses until they are accepted, in nanoseconds.
    pub fn connect(&self, to: impl Iterator<Item = (Ipv4Addr, u16)>) -> Vec<f64> {
        let _inside = self.client.enter();
        to.map(|to| {
            let start = Instant::now();
            let stream = TcpStream::connect(to).unwrap_or_else(|error| panic!("{to:?} is not served: {error}"));
            let accepted = self.listener.accept().expect("there is one to accept");
            let took = start.elapsed().as_nanos() as f64;
            drop((stream, accepted));
            took
        })
        .collect()
    }
}

/// Runs a program where the calling thread is, and returns what it printed.
pub fn run(name: &str, arguments: &[&str], input: &str) -> String {
    let mut command: Command = program(name, name.split('-').next().unwrap_or(name));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    // One that ends early says why.
    let _ = child.stdin.take().expect("an input").write_all(input.as_bytes());
    super::done(name, child.wait_with_output().expect("its end"))
}

fn ip(host: &Host, arguments: &[&str]) {
    super::done("ip", host.command("ip").args(arguments).output().expect("`ip` starts"));
}
