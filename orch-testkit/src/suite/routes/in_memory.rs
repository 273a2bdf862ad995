//! [`InMemory`]: the world around routes without a network.

use std::fmt::Debug;
use std::net::IpAddr;

use async_trait::async_trait;
use orch_core::network::{Cidr, Host, PodRoutes};

use super::{Conversation, Deed, HOSTS, RoutesFixture};

/// The network of one host in memory, in which routes are set.
pub trait Landscape: Clone + Debug + Send + Sync + 'static {
    /// New routes in it.
    fn routes(&self) -> Box<dyn PodRoutes>;

    /// The host that a packet to this address is sent to.
    fn next_hop(&self, address: IpAddr) -> Option<IpAddr>;

    /// Has others do something to the route to this range.
    fn suffer(&self, deed: Deed, range: Cidr);

    /// Has others set a route of their own.
    fn occupy(&self, range: Cidr, to: IpAddr);

    /// Has others remove it.
    fn vacate(&self, range: Cidr);

    /// What others have.
    fn everything(&self) -> String;
}

/// The world around routes that only say where a packet would go.
#[derive(Debug)]
pub struct InMemory<L> {
    landscape: L,
    routes: Box<dyn PodRoutes>,
}

impl<L: Landscape> InMemory<L> {
    /// The world around a host with this network.
    pub fn new(landscape: L) -> Self {
        let routes = landscape.routes();
        Self { landscape, routes }
    }

    fn others(&self) -> impl Iterator<Item = (String, Host)> {
        (0..HOSTS).map(|number| self.host(number))
    }
}

fn numbered(name: String, number: u8) -> (String, Host) {
    let range = Cidr::around([10, 244, number, 0].into(), 24).expect("a range");
    (
        name,
        Host {
            addresses: vec![[192, 0, 2, 10 + number].into(), [192, 0, 2, 20 + number].into()],
            pod_ranges: vec![range],
        },
    )
}

#[async_trait]
impl<L: Landscape> RoutesFixture for InMemory<L> {
    fn routes(&self) -> &dyn PodRoutes {
        &*self.routes
    }

    async fn restart(&mut self) {
        self.routes = self.landscape.routes();
    }

    fn own(&self) -> (String, Host) {
        numbered("own".to_owned(), 0)
    }

    fn host(&self, number: usize) -> (String, Host) {
        numbered(format!("host-{number}"), u8::try_from(number + 1).expect("there are few hosts"))
    }

    fn shared_range(&self) -> Cidr {
        Cidr::around([10, 250, 0, 0].into(), 24).expect("a range")
    }

    async fn reached(&self, range: Cidr) -> Option<String> {
        let Some(to) = self.landscape.next_hop(range.address(2)?) else {
            let (own, host) = self.own();
            return host.pod_ranges.contains(&range).then_some(own);
        };
        if self.own().1.addresses.contains(&to) {
            // A host that sends to itself what is for its pods sends in a circle.
            return None;
        }
        let at = self.others().find(|(_, host)| host.addresses.contains(&to))?;
        let has_pod = at.1.pod_ranges.contains(&range) || range == self.shared_range();
        has_pod.then_some(at.0)
    }

    async fn connect(&self, range: Cidr) -> Option<Box<dyn Conversation>> {
        let pod = range.address(2)?;
        let to = self.landscape.next_hop(pod)?;
        Some(Box::new(InMemoryConversation { landscape: self.landscape.clone(), pod, to }))
    }

    async fn suffer(&self, deed: Deed, range: Cidr) {
        self.landscape.suffer(deed, range);
    }

    async fn occupy(&self, range: Cidr) {
        self.landscape.occupy(range, [192, 0, 2, 99].into());
    }

    async fn vacate(&self, range: Cidr) {
        self.landscape.vacate(range);
    }

    async fn everything(&self) -> String {
        self.landscape.everything()
    }
}

struct InMemoryConversation<L> {
    landscape: L,
    pod: IpAddr,
    to: IpAddr,
}

#[async_trait]
impl<L: Landscape> Conversation for InMemoryConversation<L> {
    async fn goes_on(&mut self) -> bool {
        self.landscape.next_hop(self.pod) == Some(self.to)
    }
}
