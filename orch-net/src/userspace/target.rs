//! [`Target`]: where the clients of one service port go.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orch_core::object::TrafficPolicy;
use orch_core::proxy::{ServicePort, ServicePortName};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::plan::{Owner, Side};
use crate::balance::Balancer;

/// Where the clients of one service port go, at whichever of its addresses they come in.
#[derive(Debug)]
pub(super) struct Target {
    name: ServicePortName,
    ways: Mutex<Ways>,
    /// One permit for each connection that may still be relayed.
    pub(super) room: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Ways {
    port: Option<Arc<ServicePort>>,
    inside: Balancer,
    /// Only while the policies differ: otherwise both sides share turns, and clients keep their endpoints at both.
    outside: Option<Balancer>,
}

impl Target {
    pub(super) fn new(name: ServicePortName, connections_max: usize) -> Self {
        let room = Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS)));
        Self { name, ways: Mutex::default(), room }
    }

    /// Takes over how the service port is now; `None` when it is served no more.
    pub(super) fn update(&self, port: Option<&Arc<ServicePort>>) {
        let mut ways = self.ways();
        match port {
            Some(port) => ways.update(port),
            None => *ways = Ways::default(),
        }
    }

    fn ways(&self) -> MutexGuard<'_, Ways> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ways {
    fn update(&mut self, port: &Arc<ServicePort>) {
        if port.internal == port.external {
            self.outside = None;
        } else {
            // Clients keep the endpoints that they had while the policies were the same.
            let outside = self.outside.get_or_insert_with(|| self.inside.clone());
            outside.update(port, port.external);
        }
        self.inside.update(port, port.internal);
        self.port = Some(Arc::clone(port));
    }
}

/// A target, as it is seen from one of its addresses.
#[derive(Clone, Debug)]
pub(super) struct Aim {
    pub(super) target: Arc<Target>,
    pub(super) side: Side,
}

impl Aim {
    pub(super) fn name(&self) -> &ServicePortName {
        &self.target.name
    }

    pub(super) fn owner(&self) -> Owner {
        Owner { name: self.target.name.clone(), side: self.side }
    }

    /// The endpoint for a connection or flow of `client`, as the table is at this moment, leaving out those in `tried`.
    pub(super) fn pick(&self, client: IpAddr, tried: &[SocketAddr]) -> Option<SocketAddr> {
        let mut ways = self.target.ways();
        let Ways { inside, outside, .. } = &mut *ways;
        let balancer = if self.side == Side::Outside { outside.as_mut().unwrap_or(inside) } else { inside };
        balancer.pick(client, Instant::now(), tried)
    }

    /// The endpoints that flows may go on to.
    pub(super) fn answering(&self) -> BTreeSet<SocketAddr> {
        let ways = self.target.ways();
        let policy = |port: &ServicePort| -> TrafficPolicy {
            if self.side == Side::Outside { port.external } else { port.internal }
        };
        let endpoints = ways.port.iter().flat_map(|port| port.answering_by(policy(port)));
        endpoints.map(|endpoint| endpoint.address).collect()
    }
}
