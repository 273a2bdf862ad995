//! [`Target`]: where the connections of one service port go.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use orch_core::proxy::{ServicePort, ServicePortName};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::balance::Balancer;

/// Where the connections of one service port go, at whichever of its addresses they come in.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: ServicePortName,
    balancer: Mutex<Balancer>,
    /// One permit for each connection that may still be relayed.
    pub(super) room: Arc<Semaphore>,
}

impl Target {
    pub(super) fn new(name: ServicePortName, connections_max: usize) -> Self {
        let room = Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS)));
        Self { name, balancer: Mutex::default(), room }
    }

    /// Takes over how the service port is now; `None` when it is served no more.
    pub(super) fn update(&self, port: Option<&ServicePort>) {
        let mut balancer = self.balancer.lock().unwrap_or_else(PoisonError::into_inner);
        match port {
            Some(port) => balancer.update(port, port.internal),
            None => *balancer = Balancer::default(),
        }
    }

    /// The endpoint for a connection of `client`, as the table is at this moment, leaving out those in `tried`.
    pub(super) fn pick(&self, client: IpAddr, tried: &[SocketAddr]) -> Option<SocketAddr> {
        self.balancer.lock().unwrap_or_else(PoisonError::into_inner).pick(client, Instant::now(), tried)
    }
}
