//! P1 and P4 for UDP, which has no connections: a client is led by its address and port.

use std::net::SocketAddr;

use orch_core::object::Protocol;
use orch_core::proxy::{ProxyError, ServicePort};

use super::{Ability, Caller, ProxyFixture, port, serve, table};

fn udp(at: SocketAddr, backends: &[SocketAddr]) -> ServicePort {
    ServicePort { protocol: Protocol::Udp, ..port(at, backends) }
}

/// Whether the proxy carries datagrams. One that does not must say so.
async fn carried(fixture: &impl ProxyFixture) -> bool {
    if fixture.can(Ability::Udp) {
        return true;
    }
    let refused = fixture.proxy().sync(table([("a", udp(fixture.service_address(), &[]))])).await;
    let error = refused.expect_err("a proxy that carries no datagrams refuses a service port of UDP");
    assert!(matches!(error, ProxyError::Unsupported { .. }), "UDP is not supported, not: {error}");
    false
}

/// A datagram reaches an endpoint, and the answer comes from the address that it was sent to.
pub async fn a_datagram_is_answered_from_the_address_that_it_was_sent_to(fixture: impl ProxyFixture) {
    if !carried(&fixture).await {
        return;
    }
    let (one, at, node) = (fixture.start_datagram_backend().await, fixture.service_address(), fixture.node_port());
    serve(&fixture, table([("a", ServicePort { node_port: Some(node.port()), ..udp(at, &[one]) })])).await;
    for (caller, to) in
        [(Caller::Client(1), at), (Caller::Client(2), at), (Caller::Client(1), node), (Caller::Outside, node)]
    {
        let mut socket = fixture.send_datagrams_as(caller, to).await;
        for _ in 0..2 {
            assert_eq!(socket.ask().await, Some(one), "{caller:?} is answered at {to}");
        }
    }
}

/// A client that goes on sending datagrams from one socket is led to another endpoint when its own is removed.
pub async fn a_client_of_a_removed_endpoint_is_led_to_another(fixture: impl ProxyFixture) {
    if !carried(&fixture).await {
        return;
    }
    let (one, two) = (fixture.start_datagram_backend().await, fixture.start_datagram_backend().await);
    let (at, node) = (fixture.service_address(), fixture.node_port());
    let with =
        |backends: &[SocketAddr]| table([("a", ServicePort { node_port: Some(node.port()), ..udp(at, backends) })]);
    serve(&fixture, with(&[one])).await;
    let mut inside = fixture.send_datagrams_as(Caller::Client(1), at).await;
    let mut outside = fixture.send_datagrams_as(Caller::Outside, node).await;
    for (backends, expected) in [(&[one][..], one), (&[one, two], one), (&[two], two), (&[one], one)] {
        serve(&fixture, with(backends)).await;
        for socket in [&mut inside, &mut outside] {
            assert_eq!(socket.ask().await, Some(expected), "with the endpoints {backends:?}");
        }
    }
}

/// Without a usable endpoint a datagram is refused at once, and answered again when there is one.
pub async fn without_a_usable_endpoint_datagrams_are_refused_at_once(fixture: impl ProxyFixture) {
    if !carried(&fixture).await {
        return;
    }
    let (one, at) = (fixture.start_datagram_backend().await, fixture.service_address());
    let mut socket = fixture.send_datagrams_as(Caller::Client(1), at).await;
    for _ in 0..2 {
        serve(&fixture, table([("a", udp(at, &[]))])).await;
        assert_eq!(socket.ask().await, None, "a service without a usable endpoint refuses");
        serve(&fixture, table([("a", udp(at, &[one]))])).await;
        assert_eq!(socket.ask().await, Some(one), "the same socket is answered once an endpoint is ready");
    }
}
