//! [`Balancer`]: which endpoint gets the next connection. Pure: the time is passed in.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use orch_core::object::TrafficPolicy;
use orch_core::proxy::{Affinity, ServicePort};
use tokio::time::Instant;

/// How many clients' endpoints are remembered for one service port. Beyond, whoever was away longest is forgotten, so
/// that a flood of addresses takes no more memory than this.
const CLIENTS_MAX: usize = 65_536;

/// Which endpoint of one service port gets the next connection: round robin, or where the client was before.
///
/// It outlives changes of the service port: the turn and the clients' endpoints are kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Balancer {
    affinity: Affinity,
    usable: Vec<SocketAddr>,
    /// Whose turn it is, among `usable`.
    turn: usize,
    clients: Clients,
}

impl Balancer {
    /// Takes over how the service port is now, for connections to where this policy holds.
    pub(crate) fn update(&mut self, port: &ServicePort, policy: TrafficPolicy) {
        self.affinity = port.affinity;
        self.usable = port.usable_by(policy).map(|endpoint| endpoint.address).collect();
        if self.affinity == Affinity::None {
            self.clients = Clients::default();
        }
    }

    /// The endpoint for a connection of `client`, leaving out those in `tried`. `None` when none is left.
    pub(crate) fn pick(&mut self, client: IpAddr, now: Instant, tried: &[SocketAddr]) -> Option<SocketAddr> {
        let Affinity::ClientIp(timeout) = self.affinity else { return self.next(tried) };
        let kept = self.clients.endpoint(client, now, timeout);
        let endpoint = match kept.filter(|endpoint| self.usable.contains(endpoint) && !tried.contains(endpoint)) {
            Some(kept) => kept,
            None => self.next(tried)?,
        };
        self.clients.remember(client, endpoint, now, timeout);
        Some(endpoint)
    }

    fn next(&mut self, tried: &[SocketAddr]) -> Option<SocketAddr> {
        let count = self.usable.len();
        let start = self.turn;
        let index =
            (0..count).map(|step| (start + step) % count).find(|&index| !tried.contains(&self.usable[index]))?;
        self.turn = (index + 1) % count;
        Some(self.usable[index])
    }
}

/// The endpoints that clients had last.
#[derive(Clone, Debug, Default)]
struct Clients {
    endpoints: BTreeMap<IpAddr, (SocketAddr, Instant)>,
    /// The same clients in the order of their last connections.
    by_age: BTreeSet<(Instant, IpAddr)>,
}

impl Clients {
    fn endpoint(&self, client: IpAddr, now: Instant, timeout: Duration) -> Option<SocketAddr> {
        let (endpoint, seen) = self.endpoints.get(&client)?;
        (now.saturating_duration_since(*seen) < timeout).then_some(*endpoint)
    }

    fn remember(&mut self, client: IpAddr, endpoint: SocketAddr, now: Instant, timeout: Duration) {
        if let Some((_, seen)) = self.endpoints.insert(client, (endpoint, now)) {
            self.by_age.remove(&(seen, client));
        }
        self.by_age.insert((now, client));
        while let Some(&(seen, oldest)) = self.by_age.first() {
            let expired = now.saturating_duration_since(seen) >= timeout && oldest != client;
            if !expired && self.by_age.len() <= CLIENTS_MAX {
                break;
            }
            self.by_age.pop_first();
            self.endpoints.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use orch_core::object::Protocol;
    use orch_core::proxy::{Endpoint, EndpointState};

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn endpoint(number: u8) -> SocketAddr {
        ([10, 1, 0, number], 8080).into()
    }

    fn client(number: u8) -> IpAddr {
        [10, 2, 0, number].into()
    }

    fn balancer(affinity: Affinity, endpoints: &[u8]) -> Balancer {
        let mut balancer = Balancer::default();
        balancer.update(&port(affinity, endpoints), TrafficPolicy::Cluster);
        balancer
    }

    fn port(affinity: Affinity, endpoints: &[u8]) -> ServicePort {
        let ready = |number: &u8| Endpoint { address: endpoint(*number), is_local: false, state: EndpointState::Ready };
        ServicePort {
            protocol: Protocol::Tcp,
            addresses: BTreeSet::new(),
            port: 80,
            node_port: None,
            affinity,
            internal: TrafficPolicy::Cluster,
            external: TrafficPolicy::Cluster,
            endpoints: endpoints.iter().map(ready).collect(),
        }
    }

    #[test]
    fn endpoints_take_turns_and_those_tried_are_left_out() {
        let (now, mut balancer) = (Instant::now(), balancer(Affinity::None, &[1, 2, 3]));
        let mut pick = |tried: &[SocketAddr]| balancer.pick(client(1), now, tried);
        assert_eq!([pick(&[]), pick(&[]), pick(&[]), pick(&[])], [1, 2, 3, 1].map(|number| Some(endpoint(number))));
        assert_eq!(pick(&[endpoint(2)]), Some(endpoint(3)));
        assert_eq!(pick(&[endpoint(1), endpoint(2), endpoint(3)]), None);
    }

    #[test]
    fn the_turn_survives_a_change_of_the_endpoints() {
        let (now, mut balancer) = (Instant::now(), balancer(Affinity::None, &[1, 2, 3]));
        balancer.pick(client(1), now, &[]);
        balancer.pick(client(1), now, &[]);
        balancer.update(&port(Affinity::None, &[1, 2]), TrafficPolicy::Cluster);
        assert_eq!(balancer.pick(client(1), now, &[]), Some(endpoint(1)));
        balancer.update(&port(Affinity::None, &[]), TrafficPolicy::Cluster);
        assert_eq!(balancer.pick(client(1), now, &[]), None);
    }

    #[test]
    fn a_client_keeps_its_endpoint_until_it_was_away_for_the_timeout() {
        let (start, mut balancer) = (Instant::now(), balancer(Affinity::ClientIp(MINUTE), &[1, 2]));
        let almost = Duration::from_secs(59);
        assert_eq!(balancer.pick(client(1), start, &[]), Some(endpoint(1)));
        assert_eq!(balancer.pick(client(2), start, &[]), Some(endpoint(2)));
        assert_eq!(balancer.pick(client(1), start + almost, &[]), Some(endpoint(1)));
        assert_eq!(balancer.pick(client(1), start + 2 * almost, &[]), Some(endpoint(1)), "each connection counts");
        balancer.pick(client(3), start + 2 * almost, &[]);
        assert_eq!(balancer.pick(client(1), start + 2 * almost + MINUTE, &[]), Some(endpoint(2)), "forgotten");
    }

    #[test]
    fn a_client_gets_another_endpoint_when_its_own_is_gone_or_does_not_answer_and_keeps_that() {
        let (now, mut balancer) = (Instant::now(), balancer(Affinity::ClientIp(MINUTE), &[1, 2, 3]));
        assert_eq!(balancer.pick(client(1), now, &[]), Some(endpoint(1)));
        balancer.update(&port(Affinity::ClientIp(MINUTE), &[2, 3]), TrafficPolicy::Cluster);
        let second = balancer.pick(client(1), now, &[]).expect("two are left");
        let third = balancer.pick(client(1), now, &[second]).expect("one is left");
        assert_ne!(second, third);
        assert_eq!(balancer.pick(client(1), now, &[]), Some(third));
    }

    #[test]
    fn no_more_clients_are_remembered_than_the_limit() {
        let (now, mut balancer) = (Instant::now(), balancer(Affinity::ClientIp(MINUTE), &[1, 2]));
        for number in 0..u32::try_from(CLIENTS_MAX).expect("a small number") + 10 {
            balancer.pick(IpAddr::V4(number.into()), now + Duration::from_nanos(number.into()), &[]);
        }
        assert_eq!(balancer.clients.endpoints.len(), CLIENTS_MAX);
        assert_eq!(balancer.clients.by_age.len(), CLIENTS_MAX);
    }
}
