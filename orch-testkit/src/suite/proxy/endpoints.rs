//! P4 and P5: which endpoint gets a connection.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use orch_core::proxy::{Affinity, Endpoint, EndpointState, ServicePort};
use tokio::time::{Instant, sleep};

use super::{Caller, ProxyFixture, name, port, reached, serve, table};

fn in_state(address: SocketAddr, state: EndpointState) -> Endpoint {
    Endpoint { address, is_local: false, state }
}

/// A new connection goes to a ready endpoint only.
pub async fn only_ready_endpoints_get_connections(fixture: impl ProxyFixture) {
    let (ready, ending, not_ready) =
        (fixture.start_backend().await, fixture.start_backend().await, fixture.start_backend().await);
    let at = fixture.service_address();
    let endpoints = vec![
        in_state(not_ready, EndpointState::NotReady),
        in_state(ending, EndpointState::ServingTerminating),
        in_state(ready, EndpointState::Ready),
    ];
    serve(&fixture, table([("a", ServicePort { endpoints, ..port(at, &[]) })])).await;
    for _ in 0..12 {
        assert_eq!(reached(&fixture, at).await, Some(ready), "only the ready endpoint gets connections");
    }
}

/// While no endpoint is ready, connections go to those that serve while they end.
pub async fn endpoints_that_end_serve_while_none_is_ready(fixture: impl ProxyFixture) {
    let (ending, not_ready) = (fixture.start_backend().await, fixture.start_backend().await);
    let at = fixture.service_address();
    let endpoints =
        vec![in_state(not_ready, EndpointState::NotReady), in_state(ending, EndpointState::ServingTerminating)];
    serve(&fixture, table([("a", ServicePort { endpoints, ..port(at, &[]) })])).await;
    for _ in 0..6 {
        assert_eq!(reached(&fixture, at).await, Some(ending), "the one that serves while it ends gets connections");
    }
}

/// Without a usable endpoint new connections fail at once, and succeed again when there is one.
pub async fn without_a_usable_endpoint_connections_fail_at_once(fixture: impl ProxyFixture) {
    let one = fixture.start_backend().await;
    let at = fixture.service_address();
    let not_ready = vec![in_state(one, EndpointState::NotReady)];
    for endpoints in [Vec::new(), not_ready] {
        serve(&fixture, table([("a", ServicePort { endpoints, ..port(at, &[]) })])).await;
        assert_eq!(reached(&fixture, at).await, None, "a service without a usable endpoint refuses");
        serve(&fixture, table([("a", port(at, &[one]))])).await;
        assert_eq!(reached(&fixture, at).await, Some(one), "it answers again once an endpoint is ready");
    }
}

/// An endpoint that was taken out of the table gets no new connection.
pub async fn a_removed_endpoint_gets_no_new_connection(fixture: impl ProxyFixture) {
    let (stays, goes) = (fixture.start_backend().await, fixture.start_backend().await);
    let at = fixture.service_address();
    for affinity in [Affinity::None, Affinity::ClientIp(Duration::from_secs(3_600))] {
        serve(&fixture, table([("a", ServicePort { affinity, ..port(at, &[goes, stays]) })])).await;
        for client in 0..4 {
            fixture.connect(client, at).await.expect("two endpoints are ready");
        }
        serve(&fixture, table([("a", ServicePort { affinity, ..port(at, &[stays]) })])).await;
        for client in 0..8 {
            let connection = fixture.connect(client, at).await.expect("an endpoint is ready");
            assert_eq!(connection.backend(), stays, "a removed endpoint gets no new connection, with {affinity:?}");
        }
    }
}

/// No connection fails while endpoints are replaced all the time and one of them is always ready.
pub async fn no_connection_fails_while_endpoints_are_replaced(fixture: impl ProxyFixture) {
    const CONNECTIONS: u32 = 300;
    let (at, first) = (fixture.service_address(), fixture.start_backend().await);
    let mut growing = (*table([("a", port(at, &[first]))])).clone();
    serve(&fixture, Arc::new(growing.clone())).await;
    let clients = async {
        for number in 0..CONNECTIONS {
            let answered = fixture.connect(u8::try_from(number % 100).expect("below 100"), at).await;
            assert!(answered.is_some(), "connection {number} failed although an endpoint was ready all the time");
            tokio::task::yield_now().await;
        }
    };
    let replace = async {
        let mut ready = VecDeque::from([first]);
        let mut removed = VecDeque::new();
        loop {
            ready.push_back(fixture.start_backend().await);
            if ready.len() > 2 {
                removed.extend(ready.pop_front());
            }
            growing.set(name("a"), Some(port(at, ready.make_contiguous())));
            serve(&fixture, Arc::new(growing.clone())).await;
            // A removed endpoint takes connections for one round more: one may have been on its way.
            if removed.len() > 1
                && let Some(backend) = removed.pop_front()
            {
                fixture.stop_backend(backend).await;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = clients => {}
        () = replace => {}
    }
}

/// An endpoint that connects to its own service reaches itself or another.
pub async fn an_endpoint_reaches_its_own_service(fixture: impl ProxyFixture) {
    let (one, two, at) = (fixture.start_backend().await, fixture.start_backend().await, fixture.service_address());
    let on_the_node = |address: SocketAddr| Endpoint { is_local: true, ..in_state(address, EndpointState::Ready) };
    for backends in [&[one][..], &[one, two]] {
        let endpoints = backends.iter().copied().map(on_the_node).collect();
        serve(&fixture, table([("a", ServicePort { endpoints, ..port(at, &[]) })])).await;
        for _ in 0..8 {
            let mut connection =
                fixture.connect_as(Caller::Backend(one), at).await.expect("an endpoint reaches its own service");
            assert!(backends.contains(&connection.backend()), "it reaches an endpoint of the table");
            assert!(connection.is_open().await, "what it sends comes back");
        }
    }
}

/// Connections spread evenly over the endpoints.
///
/// A proxy may choose by chance. With 4 endpoints and 400 connections, one endpoint's share has a mean of 100 and a
/// standard deviation of 8.7, so that a right proxy leaves the bounds once in 10¹¹ runs.
pub async fn connections_spread_evenly(fixture: impl ProxyFixture) {
    let (mut backends, at) = (Vec::new(), fixture.service_address());
    for _ in 0..4 {
        backends.push(fixture.start_backend().await);
    }
    serve(&fixture, table([("a", port(at, &backends))])).await;
    let mut shares: BTreeMap<SocketAddr, u32> = BTreeMap::new();
    for client in (0..200).chain(0..200) {
        let connection = fixture.connect(client, at).await.expect("four endpoints are ready");
        *shares.entry(connection.backend()).or_default() += 1;
    }
    for backend in backends {
        let share = shares.get(&backend).copied().unwrap_or_default();
        assert!((40..=160).contains(&share), "{backend} got {share} of 400 connections, 100 are its share");
    }
}

/// With affinity, a client keeps its endpoint while that is usable, across syncs too, and then keeps another.
pub async fn a_client_keeps_its_endpoint(fixture: impl ProxyFixture) {
    let (mut backends, at) = (Vec::new(), fixture.service_address());
    for _ in 0..3 {
        backends.push(fixture.start_backend().await);
    }
    let affinity = Affinity::ClientIp(Duration::from_secs(3_600));
    let with = |backends: &[SocketAddr]| table([("a", ServicePort { affinity, ..port(at, backends) })]);
    serve(&fixture, with(&backends)).await;
    let first = endpoints_of_clients(&fixture, at).await;
    for _ in 0..3 {
        assert_eq!(endpoints_of_clients(&fixture, at).await, first, "each client keeps its endpoint");
    }
    backends.push(fixture.start_backend().await);
    serve(&fixture, with(&backends)).await;
    assert_eq!(endpoints_of_clients(&fixture, at).await, first, "each client keeps its endpoint when one is added");

    let removed = first[0];
    backends.retain(|backend| *backend != removed);
    serve(&fixture, with(&backends)).await;
    let second = endpoints_of_clients(&fixture, at).await;
    let usable: BTreeSet<_> = backends.iter().collect();
    for (client, (before, after)) in first.iter().zip(&second).enumerate() {
        assert!(usable.contains(after), "client {client} is led to an endpoint that is in the table");
        assert!(before == after || *before == removed, "client {client} keeps its endpoint when another is removed");
    }
    assert_eq!(endpoints_of_clients(&fixture, at).await, second, "each client keeps the endpoint that it has now");
}

/// Each connection of a client begins the affinity's time anew, and once it is over the client is led anew.
pub async fn a_client_that_stayed_away_is_led_anew(fixture: impl ProxyFixture) {
    const TIME: Duration = Duration::from_secs(3);
    let (mut backends, at) = (Vec::new(), fixture.service_address());
    for _ in 0..3 {
        backends.push(fixture.start_backend().await);
    }
    let affinity = Affinity::ClientIp(TIME);
    serve(&fixture, table([("a", ServicePort { affinity, ..port(at, &backends) })])).await;
    let (mut since, mut before) = (Instant::now(), endpoints_of_clients(&fixture, at).await);
    for _ in 0..2 {
        sleep(TIME * 3 / 5).await;
        let (next, after) = (Instant::now(), endpoints_of_clients(&fixture, at).await);
        // On a machine that was busy elsewhere it may have been too long.
        if since.elapsed() < TIME {
            assert_eq!(after, before, "each client keeps its endpoint while its time is not over");
        }
        (since, before) = (next, after);
    }
    // A proxy that chooses by chance may lead all eight to where they were, once in 6,500 times.
    for attempt in 0..4 {
        sleep(TIME + Duration::from_millis(200)).await;
        let after = endpoints_of_clients(&fixture, at).await;
        if after != before {
            return;
        }
        assert!(attempt < 3, "clients keep their endpoints although they stayed away for longer than their time");
    }
}

async fn endpoints_of_clients(fixture: &impl ProxyFixture, at: SocketAddr) -> Vec<SocketAddr> {
    let mut endpoints = Vec::new();
    for client in 0..8 {
        endpoints.push(fixture.connect(client, at).await.expect("an endpoint is ready").backend());
    }
    endpoints
}
