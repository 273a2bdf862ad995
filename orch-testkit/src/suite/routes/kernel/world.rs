//! [`World`]: hosts on one link, with a pod each.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use orch_core::network::{Cidr, Host};

use super::{HOSTS, any};
use crate::daemon::require_root;
use crate::suite::namespace::Namespace;
use crate::suite::proxy::Family;

/// Where pods listen.
pub(super) const PORT: u16 = 7000;

/// All of it. Number 0 is the own host. The namespaces go when this is dropped.
#[derive(Debug)]
pub(super) struct World {
    family: Family,
    /// Joins the hosts.
    link: Namespace,
    hosts: Vec<Namespace>,
    pods: Vec<Namespace>,
}

impl World {
    /// # Panics
    /// When this process is not root, or the network cannot be made.
    pub(super) fn new(family: Family) -> Self {
        require_root();
        let many = || (0..=HOSTS).map(|_| Namespace::new()).collect();
        let world = Self { family, link: Namespace::new(), hosts: many(), pods: many() };
        for namespace in world.hosts.iter().chain(&world.pods).chain([&world.link]) {
            // Addresses of IPv6 are otherwise first looked for at the neighbours, for a second or two.
            namespace.set("ipv6/conf/default/accept_dad", 0);
            namespace.set("ipv6/conf/default/dad_transmits", 0);
            // Whoever is refused is to be told each time.
            namespace.set("ipv4/icmp_ratelimit", 0);
            namespace.set("ipv6/icmp/ratelimit", 0);
        }
        world.link.ip(world.option(), "link add br0 type bridge mcast_snooping 0\nlink set br0 up\n");
        for number in 0..=HOSTS {
            world.prepare_host(number);
        }
        world
    }

    fn prepare_host(&self, number: usize) {
        let (host, pod) = (&self.hosts[number], &self.pods[number]);
        let lines = format!(
            "link add host{number} type veth peer name eth0 netns {}\nlink set host{number} master br0\nlink set host{number} \
             up\n",
            host.path()
        );
        self.link.ip(self.option(), &lines);
        let (at_once, bits, alone) = (self.at_once(), self.bits(), if self.is_ipv4() { 32 } else { 128 });
        let [one, two] = self.addresses(number);
        let range = self.range(number);
        let [gateway, of_pod] = [1, 2].map(|place| range.address(place).expect("a range has addresses"));
        let mut lines = format!(
            "link set lo up\naddr add {one}/{bits} dev eth0{at_once}\naddr add {two}/{bits} dev eth0{at_once}\nlink set eth0 \
             up\nlink add br0 type bridge mcast_snooping 0\nlink set br0 up\nlink add pod type veth peer name eth0 netns \
             {}\nlink set pod master br0\nlink set pod up\naddr add {gateway}/{} dev br0{at_once}\n",
            pod.path(),
            range.bits()
        );
        let mut lines_of_pod = format!(
            "link set lo up\naddr add {of_pod}/{} dev eth0{at_once}\nlink set eth0 up\nroute add {} via {gateway}\n",
            range.bits(),
            if self.is_ipv4() { "0.0.0.0/0" } else { "::/0" }
        );
        if number > 0 {
            let shared = self.shared_range();
            lines += &format!("route add {shared} dev br0\n");
            let address = shared.address(2).expect("a range has addresses");
            lines_of_pod += &format!("addr add {address}/{alone} dev eth0{at_once}\n");
        }
        host.ip(self.option(), &lines);
        pod.ip(self.option(), &lines_of_pod);
    }

    pub(super) fn host(&self, number: usize) -> &Namespace {
        &self.hosts[number]
    }

    pub(super) fn pod(&self, number: usize) -> &Namespace {
        &self.pods[number]
    }

    pub(super) fn name(&self, number: usize) -> String {
        if number == 0 { "own".to_owned() } else { format!("host-{number}") }
    }

    pub(super) fn entry(&self, number: usize) -> (String, Host) {
        let host = Host { addresses: self.addresses(number).to_vec(), pod_ranges: vec![self.range(number)] };
        (self.name(number), host)
    }

    /// An address on the link that nobody has.
    pub(super) fn neighbour(&self) -> IpAddr {
        self.address(99)
    }

    pub(super) fn unspecified(&self) -> IpAddr {
        any(self.is_ipv4())
    }

    pub(super) fn shared_range(&self) -> Cidr {
        self.pod_range(250)
    }

    fn range(&self, number: usize) -> Cidr {
        self.pod_range(u8::try_from(number).expect("there are few hosts"))
    }

    fn pod_range(&self, number: u8) -> Cidr {
        let (first, bits): (IpAddr, u8) = if self.is_ipv4() {
            (Ipv4Addr::new(10, 244, number, 0).into(), 24)
        } else {
            (Ipv6Addr::new(0xFD00, 0x244, 0, number.into(), 0, 0, 0, 0).into(), 64)
        };
        Cidr::new(first, bits).expect("a range")
    }

    fn addresses(&self, number: usize) -> [IpAddr; 2] {
        let number = u8::try_from(number).expect("there are few hosts");
        [self.address(10 + number), self.address(20 + number)]
    }

    // For documentation, RFC 5737 and RFC 3849: nobody's.
    fn address(&self, host: u8) -> IpAddr {
        if self.is_ipv4() {
            Ipv4Addr::new(192, 0, 2, host).into()
        } else {
            Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, host.into()).into()
        }
    }

    pub(super) fn ip(&self, number: usize, lines: &str) {
        self.hosts[number].ip(self.option(), lines);
    }

    /// Devices, addresses and routes of the own host, in the program's words.
    pub(super) fn everything(&self) -> String {
        let host = &self.hosts[0];
        // How devices are changes by itself, and routes say so; what there is does not.
        let devices = host.asked(&["-o", "link", "show"]);
        let names: Vec<_> = devices.lines().filter_map(|line| line.split(':').nth(1)).collect();
        let addresses = host.asked(&[self.option(), "-o", "address", "show", "scope", "global"]);
        let routes = host.asked(&[self.option(), "route", "show", "table", "main"]);
        let routes: Vec<_> =
            routes.lines().filter(|line| !line.starts_with("fe80")).map(|line| line.replace(" linkdown", "")).collect();
        format!("{}\n{addresses}\n{}\n", names.join(" "), routes.join("\n"))
    }

    fn is_ipv4(&self) -> bool {
        self.family == Family::V4
    }

    fn option(&self) -> &'static str {
        if self.is_ipv4() { "-4" } else { "-6" }
    }

    /// What is said of an address that is there at once.
    fn at_once(&self) -> &'static str {
        if self.is_ipv4() { "" } else { " nodad" }
    }

    fn bits(&self) -> u8 {
        if self.is_ipv4() { 24 } else { 64 }
    }
}
