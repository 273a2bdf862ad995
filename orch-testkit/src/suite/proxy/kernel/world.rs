//! [`World`]: a node, its pods, its clients, and a host outside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::daemon::require_root;
use crate::suite::namespace::{Namespace, Stay};

/// How many pods there are, in which backends run.
pub(super) const PODS: usize = 3;

/// Which addresses there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The address at which the node is known outside: there its ports are served.
    #[must_use]
    pub fn node_address(self) -> IpAddr {
        Addresses(self).node()
    }
}

/// Who has an address in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    /// A pod, by number.
    Pod(usize),
    /// The host that knows the node alone.
    Outside,
}

/// All of it. The namespaces go when this is dropped.
#[derive(Debug)]
pub(super) struct World {
    addresses: Addresses,
    node: Namespace,
    pods: Vec<Namespace>,
    clients: Namespace,
    /// Has the addresses of all services, and listens nowhere.
    refusing: Namespace,
    outside: Namespace,
}

/// The addresses of one family, by what they are for.
#[derive(Clone, Copy, Debug)]
struct Addresses(Family);

impl World {
    /// # Panics
    /// When this process is not root, or the network cannot be made.
    pub(super) fn new(family: Family) -> Self {
        require_root();
        let world = Self {
            addresses: Addresses(family),
            node: Namespace::new(),
            pods: (0..PODS).map(|_| Namespace::new()).collect(),
            clients: Namespace::new(),
            refusing: Namespace::new(),
            outside: Namespace::new(),
        };
        // Addresses of IPv6 are otherwise first looked for at the neighbours, for a second or two: those that Linux gives by
        // itself, too.
        for namespace in world.pods.iter().chain([&world.node, &world.clients, &world.refusing, &world.outside]) {
            namespace.set("ipv6/conf/default/accept_dad", 0);
            namespace.set("ipv6/conf/default/dad_transmits", 0);
        }
        world.prepare_node();
        for (number, pod) in world.pods.iter().enumerate() {
            world.prepare_pod(pod, world.addresses.pod(number), "");
        }
        // Every address of the prefix is the clients' own, without being set.
        let local = format!("route add local {} dev lo\n", world.addresses.clients());
        world.prepare_pod(&world.clients, world.addresses.clients_pod(), &local);
        world.clients.set("ipv6/ip_nonlocal_bind", 1);
        let local = format!("route add local {} dev lo\n", world.addresses.services());
        world.prepare_pod(&world.refusing, world.addresses.refusing_pod(), &local);
        world.refusing.set("ipv4/icmp_ratelimit", 0);
        world.refusing.set("ipv6/icmp/ratelimit", 0);
        let (outside, bits) = (world.addresses.outside(), world.addresses.bits_of_link());
        let at_once = world.addresses.at_once();
        let lines = format!("link set lo up\naddr add {outside}/{bits} dev eth0{at_once}\nlink set eth0 up\n");
        world.outside.ip(world.addresses.option(), &lines);
        world
    }

    fn prepare_node(&self) {
        for (variable, value) in [
            ("ipv4/ip_forward", 1),
            ("ipv6/conf/all/forwarding", 1),
            // Pods are to go on sending to each other by way of the node.
            ("ipv4/conf/all/send_redirects", 0),
            ("ipv4/conf/default/send_redirects", 0),
            // Whoever is refused is to be told each time.
            ("ipv4/icmp_ratelimit", 0),
            ("ipv6/icmp/ratelimit", 0),
            // What is between pods goes through the node's routing, not only over its bridge.
            ("bridge/bridge-nf-call-iptables", 0),
            ("bridge/bridge-nf-call-ip6tables", 0),
        ] {
            self.node.set(variable, value);
        }
        let (addresses, at_once) = (self.addresses, self.addresses.at_once());
        let mut lines = format!(
            "link set lo up\nlink add br0 type bridge mcast_snooping 0\nlink set br0 up\naddr add {}/{} dev br0{at_once}\n",
            addresses.gateway(),
            addresses.bits_of_link()
        );
        let pods = self.pods.iter().enumerate().map(|(number, pod)| (format!("pod{number}"), pod));
        for (device, namespace) in
            pods.chain([("clients".to_owned(), &self.clients), ("refusing".to_owned(), &self.refusing)])
        {
            let path = namespace.path();
            lines += &format!(
                "link add {device} type veth peer name eth0 netns {path}\nlink set {device} master br0\nlink set {device} \
                 up\nlink set {device} type bridge_slave hairpin on\n"
            );
        }
        lines += &format!(
            "link add outside type veth peer name eth0 netns {}\nlink set outside up\naddr add {}/{} dev \
             outside{at_once}\n",
            self.outside.path(),
            addresses.node(),
            addresses.bits_of_link()
        );
        // Programs of the node send to services by the default route, as on any node. What pods send to a service that
        // nobody serves comes to somebody who refuses it at once: it does not get lost outside.
        let (clients, services, any) = (addresses.clients(), addresses.services(), addresses.any());
        lines += &format!(
            "route add {clients} via {}\nroute add {any} via {}\nroute add {any} via {} table 96\n",
            addresses.clients_pod(),
            addresses.outside(),
            addresses.refusing_pod()
        );
        lines += &format!("rule add iif br0 to {services} lookup 96\n");
        self.node.ip(addresses.option(), &lines);
    }

    fn prepare_pod(&self, pod: &Namespace, address: IpAddr, more: &str) {
        for family in ["ipv4", "ipv6"] {
            pod.set(&format!("{family}/conf/all/accept_redirects"), 0);
            pod.set(&format!("{family}/conf/default/accept_redirects"), 0);
        }
        let (gateway, any, at_once) = (self.addresses.gateway(), self.addresses.any(), self.addresses.at_once());
        // Its only neighbour is the node, as with most networks of pods: so answers come back by way of the node.
        let lines = format!(
            "link set lo up\naddr add {address}/{} dev eth0{at_once}\nlink set eth0 up\nroute add {gateway} dev eth0\nroute \
             add {any} via {gateway}\n{more}",
            if address.is_ipv4() { 32 } else { 128 }
        );
        pod.ip(self.addresses.option(), &lines);
    }

    /// Makes every address of the services one of the node, without setting each.
    pub(super) fn give_services_to_the_node(&self) {
        self.node.ip(self.addresses.option(), &format!("route add local {} dev lo\n", self.addresses.services()));
        self.node.set("ipv6/ip_nonlocal_bind", 1);
    }

    pub(super) fn stay_on_the_node(&self) -> Stay {
        self.node.enter()
    }

    /// Where a member is.
    pub(super) fn place(&self, member: Member) -> (&Namespace, IpAddr) {
        match member {
            Member::Pod(number) => (&self.pods[number], self.addresses.pod(number)),
            Member::Outside => (&self.outside, self.addresses.outside()),
        }
    }

    /// Where the client of this number is.
    pub(super) fn client(&self, number: u8) -> (&Namespace, IpAddr) {
        (&self.clients, self.addresses.client(number))
    }

    /// The node, and the address that lets Linux choose one.
    pub(super) fn node_at_any_address(&self) -> (&Namespace, IpAddr) {
        (&self.node, self.addresses.unspecified())
    }

    /// The pod that has this address.
    pub(super) fn member_at(&self, address: IpAddr) -> Option<Member> {
        (0..PODS).map(Member::Pod).find(|pod| self.place(*pod).1 == address)
    }

    pub(super) fn service_address(&self, number: u16) -> IpAddr {
        self.addresses.service(number)
    }

    /// The node's address on the link to the host outside.
    pub(super) fn node_address(&self) -> IpAddr {
        self.addresses.node()
    }

    pub(super) fn is_of_node(&self, address: IpAddr) -> bool {
        address == self.addresses.node() || address == self.addresses.gateway()
    }
}

impl Addresses {
    fn of(self, v4: [u8; 4], v6: [u16; 8]) -> IpAddr {
        match self.0 {
            Family::V4 => Ipv4Addr::from(v4).into(),
            Family::V6 => Ipv6Addr::from(v6).into(),
        }
    }

    fn text(self, v4: &str, v6: &str) -> String {
        if self.0 == Family::V4 { v4 } else { v6 }.to_owned()
    }

    fn gateway(self) -> IpAddr {
        self.of([10, 244, 0, 1], [0xFD00, 0x244, 0, 0, 0, 0, 0, 1])
    }

    fn pod(self, number: usize) -> IpAddr {
        let host = 10 + u8::try_from(number).expect("there are few pods");
        self.of([10, 244, 0, host], [0xFD00, 0x244, 0, 0, 0, 0, 0, host.into()])
    }

    fn clients_pod(self) -> IpAddr {
        self.of([10, 244, 0, 9], [0xFD00, 0x244, 0, 0, 0, 0, 0, 9])
    }

    fn refusing_pod(self) -> IpAddr {
        self.of([10, 244, 0, 8], [0xFD00, 0x244, 0, 0, 0, 0, 0, 8])
    }

    fn client(self, number: u8) -> IpAddr {
        self.of([10, 245, 0, number], [0xFD00, 0x245, 0, 0, 0, 0, 0, number.into()])
    }

    fn clients(self) -> String {
        self.text("10.245.0.0/24", "fd00:245::/120")
    }

    fn service(self, number: u16) -> IpAddr {
        let [high, low] = number.to_be_bytes();
        self.of([10, 96, high, low], [0xFD00, 0x96, 0, 0, 0, 0, 0, number])
    }

    fn services(self) -> String {
        self.text("10.96.0.0/16", "fd00:96::/112")
    }

    // For documentation, RFC 5737 and RFC 3849: nobody's.
    fn node(self) -> IpAddr {
        self.of([192, 0, 2, 1], [0x2001, 0xDB8, 0, 0, 0, 0, 0, 1])
    }

    fn outside(self) -> IpAddr {
        self.of([192, 0, 2, 2], [0x2001, 0xDB8, 0, 0, 0, 0, 0, 2])
    }

    fn unspecified(self) -> IpAddr {
        self.of([0; 4], [0; 8])
    }

    /// What is said of an address that is there at once.
    fn at_once(self) -> &'static str {
        if self.0 == Family::V4 { "" } else { " nodad" }
    }

    fn option(self) -> &'static str {
        if self.0 == Family::V4 { "-4" } else { "-6" }
    }

    fn any(self) -> String {
        self.text("0.0.0.0/0", "::/0")
    }

    fn bits_of_link(self) -> u8 {
        if self.0 == Family::V4 { 24 } else { 64 }
    }
}
