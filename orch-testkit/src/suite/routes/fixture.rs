//! [`RoutesFixture`]: what the suite needs to know of pod routes.

use async_trait::async_trait;
use orch_core::network::{Cidr, Host, PodRoutes};

/// How many other hosts there are.
pub const HOSTS: usize = 3;

/// Pod routes on a host of a small world, in which there are [`HOSTS`] other hosts that lead to it already.
///
/// Each host has a pod range of its own, and a pod in it at the range's address number 2. The pods of the other hosts have
/// the same address of the shared range as well, so that it can be any host's.
#[async_trait]
pub trait RoutesFixture: Send + Sync + 'static {
    /// The routes on the own host. They lead nowhere yet.
    fn routes(&self) -> &dyn PodRoutes;

    /// Ends the routes without clearing them, and begins new ones on the same host.
    async fn restart(&mut self);

    /// The own host.
    fn own(&self) -> (String, Host);

    /// One of the other hosts, counted from 0: its name, its addresses, of which each will do, and its own range.
    fn host(&self, number: usize) -> (String, Host);

    /// The range that can be any other host's.
    fn shared_range(&self) -> Cidr;

    /// Which host's pod answers when the pod of the own host connects to the pod of that range. `None` if none does.
    async fn reached(&self, range: Cidr) -> Option<String>;

    /// The same, of a connection that stays.
    async fn connect(&self, range: Cidr) -> Option<Box<dyn Conversation>>;

    /// Has others do something to the route to this range.
    async fn suffer(&self, deed: Deed, range: Cidr);

    /// Has others lead a range to this host's neighbour, by a route of their own.
    async fn occupy(&self, range: Cidr);

    /// Has them remove it.
    async fn vacate(&self, range: Cidr);

    /// What there is on the host, but for what the routes made: others' devices, addresses and routes. For a host without
    /// routes, all there is.
    async fn everything(&self) -> String;
}

/// What others do to what the routes made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// They remove a route.
    Remove,
    /// They alter it, so that it leads nowhere or elsewhere.
    Alter,
    /// They take away what all routes need.
    Break,
}

impl Deed {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Remove, Self::Alter, Self::Break];
}

/// A connection between pods.
#[async_trait]
pub trait Conversation: Send {
    /// Says something, and whether the other side answers.
    async fn goes_on(&mut self) -> bool;
}
