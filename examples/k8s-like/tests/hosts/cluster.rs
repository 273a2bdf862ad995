//! [`Cluster`]: three nodes on hosts of their own, with a pod on each, and one Service.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use orch_testkit::daemon::{Containerd, program};
use serde_json::Value;

use crate::containerd::{containerd, server};
use crate::hosts::{Hosts, Running, is_ready, names, places};
use crate::manifests::{hello, web};

/// How pods are run, and what leads to services.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flavour {
    pub(crate) has_containers: bool,
    pub(crate) proxy: &'static str,
    pub(crate) routes: &'static str,
}

/// Processes, each in a network of its own.
pub(crate) const PROCESSES: Flavour = Flavour { has_containers: false, proxy: "nftables", routes: "direct" };
/// Containers of containerd.
pub(crate) const CONTAINERS: Flavour = Flavour { has_containers: true, proxy: "iptables", routes: "direct" };

/// After so many seconds without a sign of life a node counts as lost.
pub(crate) const GRACE: u64 = 4;
/// So often, in seconds, rules and routes are looked at.
pub(crate) const SYNC_PERIOD: u64 = 8;

/// The nodes' names; each is on the host of its place, counted from 1.
pub(crate) const NODES: [&str; 3] = ["a", "b", "c"];

/// Three nodes on hosts of their own. The control plane is on another.
pub(crate) struct Cluster {
    pub(crate) hosts: Hosts,
    pub(crate) flavour: Flavour,
    pub(crate) control_plane: Running,
    nodes: BTreeMap<usize, Running>,
    options: BTreeMap<usize, Vec<String>>,
    /// How often a node of this host had joined the cluster when the one that runs was started.
    starts: BTreeMap<usize, usize>,
    _daemons: Vec<Containerd>,
}

impl Cluster {
    /// With a pod on each.
    pub(crate) fn start(hosts: Hosts, flavour: Flavour) -> Self {
        hosts.write(&web(0, &server_of(&hosts, flavour)));
        let grace = format!("{GRACE}s");
        let control_plane = hosts.control_plane_with("control-plane", &["--node-monitor-grace-period", &grace]);
        let (mut options, mut daemons) = (BTreeMap::new(), Vec::new());
        for host in 1..=NODES.len() {
            let mut these = Vec::new();
            if flavour.has_containers {
                let (daemon, runtime) = containerd(&hosts, host);
                daemons.push(daemon);
                these = runtime;
            }
            let period = format!("{SYNC_PERIOD}s");
            let all = ["--proxy", flavour.proxy, "--pod-routes", flavour.routes, "--sync-period", &period];
            these.extend(all.into_iter().chain(["--node-lease-duration", &grace]).map(str::to_owned));
            options.insert(host, these);
        }
        let mut cluster = Self {
            hosts,
            flavour,
            control_plane,
            nodes: BTreeMap::new(),
            starts: BTreeMap::new(),
            options,
            _daemons: daemons,
        };
        for host in 1..=NODES.len() {
            cluster.start_node(host);
        }
        cluster.nodes_are_ready();
        cluster.write(3, "");
        assert_eq!(places(&cluster.hosts.settle(3)).len(), 3, "a pod on each");
        cluster
    }

    /// Starts the node of a host, for the first time or again.
    pub(crate) fn start_node(&mut self, host: usize) {
        let options: Vec<&str> = self.options[&host].iter().map(String::as_str).collect();
        let node = self.hosts.node(host, NODES[host - 1], &options);
        self.starts.insert(host, joins(&node, host));
        self.nodes.insert(host, node);
    }

    /// Waits until every node has joined the cluster, and is ready.
    pub(crate) fn nodes_are_ready(&self) {
        for (host, name) in (1..).zip(NODES) {
            let node = &self.nodes[&host];
            self.hosts.until("the node has joined", || (joins(node, host) > self.starts[&host]).then_some(()));
            self.hosts.until("the node is ready", || {
                let nodes = self.hosts.get("nodes");
                nodes.iter().any(|node| node["metadata"]["name"] == name && is_ready(node)).then_some(())
            });
        }
    }

    /// The options of a node, to be changed before it is started again.
    pub(crate) fn options(&mut self, host: usize) -> &mut Vec<String> {
        self.options.get_mut(&host).expect("a node is on this host")
    }

    /// The process of a node, which then runs no more for this.
    pub(crate) fn take_node(&mut self, host: usize) -> Running {
        self.nodes.remove(&host).expect("it runs")
    }

    /// Writes the manifest: so many copies, and more.
    pub(crate) fn write(&self, replicas: u32, more: &str) {
        self.hosts.write(&(web(replicas, &server_of(&self.hosts, self.flavour)) + more));
    }

    /// Rolls out another version.
    pub(crate) fn roll_out(&self) {
        let next =
            web(3, &server_of(&self.hosts, self.flavour)).replace("GracePeriodSeconds: 2", "GracePeriodSeconds: 3");
        let before = names(&self.hosts.ready());
        self.hosts.write(&next);
        self.hosts.until("all pods are of the next version", || {
            let pods = self.hosts.get("pods");
            let now = names(&pods);
            (now.len() == 3 && now.is_disjoint(&before) && names(&self.hosts.ready()) == now).then_some(())
        });
    }

    /// Waits until every pod reaches every pod by its address, and the service by its name.
    pub(crate) fn everybody_reaches_everybody(&self) {
        let pods = self.hosts.settle(3);
        assert_eq!(places(&pods).len(), 3, "a pod on each");
        let (service, _) = self.hosts.service();
        for pod in &pods {
            let mut last = String::new();
            self.hosts.until_or("a pod reaches everybody", || {
                last = self.what_is_not_reached(pod, &pods, &service);
                if last.is_empty() { Ok(()) } else { Err(last.clone()) }
            });
        }
    }

    /// What a pod does not reach, in words.
    fn what_is_not_reached(&self, from: &Value, pods: &[Value], service: &str) -> String {
        let busybox = program("busybox", "busybox-static").get_program().to_string_lossy().into_owned();
        let busybox = if self.flavour.has_containers { "/bin/busybox" } else { &busybox };
        let mut targets: Vec<(String, BTreeSet<String>)> = pods
            .iter()
            .map(|pod| (pod["status"]["podIP"].as_str().unwrap_or("none").to_owned(), names(std::slice::from_ref(pod))))
            .collect();
        let name = "web.shop.svc.cluster.local";
        targets.extend(
            ["web", "web.shop", name, service.trim_end_matches(":8080")].map(|to| (to.to_owned(), names(pods))),
        );
        // Who asks looks for names as programs do: by the search path in /etc/resolv.conf.
        let get = if self.flavour.has_containers {
            r#"get() { printf "GET / HTTP/1.0\r\n\r\n" | nc -w 2 $1 8080 | tail -n 1; }"#
        } else {
            r#"get() { timeout 2 bash -c 'exec 3<>/dev/tcp/$0/8080 && printf "GET / HTTP/1.0\r\nconnection: close\r\n\r\n" >&3 && cat <&3' $1 | tail -n 1; }"#
        };
        let requests: String =
            targets.iter().map(|(target, _)| format!("echo \"{target} $(get {target})\"; ")).collect();
        let script = format!("{get}; {requests} {busybox} nslookup {name}");
        let (namespace, pod) = ("shop", from["metadata"]["name"].as_str().expect("a name"));
        let node = from["spec"]["nodeName"].as_str().expect("a node");
        let host = NODES.iter().position(|name| *name == node).expect("a node of this test") + 1;
        let state = self.hosts.file(&format!("state-{node}")).display().to_string();
        let asked = ["exec", "-n", namespace, pod, "--state-dir", &state, "--", "sh", "-c", &script];
        let output = self.hosts.ask(host, &asked);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let is_reached = |(target, expected): &(String, BTreeSet<String>)| {
            let line = said.lines().find_map(|line| line.strip_prefix(&format!("{target} ")));
            line.is_some_and(|line| expected.contains(line.rsplit(' ').next().unwrap_or_default()))
        };
        let address = service.trim_end_matches(":8080");
        let is_found = said.lines().any(|line| line.starts_with("Address") && line.trim_end().ends_with(address));
        if targets.iter().all(is_reached) && is_found {
            return String::new();
        }
        format!("from {pod} on {node}:\n{said}\n{}", String::from_utf8_lossy(&output.stderr))
    }

    /// Stops everything in good order. Nothing is left on any host but what `others` made, in the words of these.
    pub(crate) fn stop(self) -> Hosts {
        // One that is still being started would not stop in good order.
        self.nodes_are_ready();
        for node in self.nodes.into_values() {
            node.stop();
        }
        self.control_plane.stop();
        assert!(self.hosts.processes().is_empty(), "pods end with their node");
        for host in 1..=NODES.len() {
            assert_eq!(self.hosts.leftovers(host), Vec::<String>::new(), "on host {host}");
        }
        self.hosts
    }
}

/// How often a node of this host has joined the cluster.
fn joins(node: &Running, host: usize) -> usize {
    node.said().matches(&format!("node {} of the cluster in", NODES[host - 1])).count()
}

/// The test in each flavour.
macro_rules! in_both_flavours {
    ($test:ident) => {
        #[test]
        fn with_processes_and_nftables() {
            $test("nft", crate::cluster::PROCESSES);
        }

        #[test]
        fn with_containers_and_iptables() {
            $test("ipt", crate::cluster::CONTAINERS);
        }
    };
}

pub(crate) use in_both_flavours;

fn server_of(hosts: &Hosts, flavour: Flavour) -> String {
    if flavour.has_containers { server() } else { hello(&hosts.token) }
}

/// Hosts for a cluster of three nodes and a control plane.
pub(crate) fn hosts(test: &str) -> Hosts {
    Hosts::new(test, 4)
}

/// A host, to be asked from another thread.
pub(crate) fn host(hosts: &Hosts, host: usize) -> Arc<orch_testkit::daemon::Host> {
    Arc::clone(&hosts.hosts[host])
}
