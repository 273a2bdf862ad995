//! P4: which endpoints the policies of a service port allow.

use std::net::SocketAddr;

use orch_core::object::TrafficPolicy;
use orch_core::proxy::{Endpoint, EndpointState, ProxyError, ServicePort};

use super::{Ability, Caller, ProxyFixture, port, reached, serve, table};

fn endpoint(address: SocketAddr, is_local: bool) -> Endpoint {
    Endpoint { address, is_local, state: EndpointState::Ready }
}

/// With the internal policy Local a service's addresses lead to endpoints of the node alone; without one connections fail
/// at once.
pub async fn addresses_lead_to_endpoints_of_the_node_if_asked_for(fixture: impl ProxyFixture) {
    let (here, elsewhere) = (fixture.start_backend().await, fixture.start_backend().await);
    let at = fixture.service_address();
    let local = |endpoints| {
        let (internal, external) = (TrafficPolicy::Local, TrafficPolicy::Local);
        table([("a", ServicePort { internal, external, endpoints, ..port(at, &[]) })])
    };
    serve(&fixture, local(vec![endpoint(elsewhere, false), endpoint(here, true)])).await;
    for _ in 0..12 {
        assert_eq!(reached(&fixture, at).await, Some(here), "only the endpoint of the node gets connections");
    }
    serve(&fixture, local(vec![endpoint(elsewhere, false)])).await;
    assert_eq!(reached(&fixture, at).await, None, "without an endpoint of the node it refuses");
    let ending = Endpoint { state: EndpointState::ServingTerminating, ..endpoint(here, true) };
    serve(&fixture, local(vec![endpoint(elsewhere, false), ending])).await;
    assert_eq!(reached(&fixture, at).await, Some(here), "the node's last endpoint serves while it ends");
}

/// With the external policy Local the node's port leads to endpoints of the node alone, and fails at once without one; the
/// service's addresses lead where they did.
pub async fn the_port_of_the_node_leads_to_endpoints_of_the_node_if_asked_for(fixture: impl ProxyFixture) {
    let (here, elsewhere) = (fixture.start_backend().await, fixture.start_backend().await);
    let (at, node) = (fixture.service_address(), fixture.node_port());
    let local = |endpoints| {
        let node_port = Some(node.port());
        table([("a", ServicePort { node_port, external: TrafficPolicy::Local, endpoints, ..port(at, &[]) })])
    };
    if !fixture.can(Ability::Policies) {
        let error = fixture.proxy().sync(local(Vec::new())).await.expect_err("different policies are refused");
        assert!(matches!(error, ProxyError::Unsupported { .. }), "policies are not supported, not: {error}");
        return;
    }
    serve(&fixture, local(vec![endpoint(elsewhere, false), endpoint(here, true)])).await;
    let mut inside = Vec::new();
    for _ in 0..20 {
        let outside = fixture.connect_as(Caller::Outside, node).await.map(|connection| connection.backend());
        assert_eq!(outside, Some(here), "the node's port leads to the endpoint of the node");
    }
    // By themselves: a proxy may have one turn for both.
    for _ in 0..20 {
        inside.push(reached(&fixture, at).await.expect("two endpoints are ready"));
    }
    assert!(inside.contains(&here) && inside.contains(&elsewhere), "the service's address leads to both: {inside:?}");
    serve(&fixture, local(vec![endpoint(elsewhere, false)])).await;
    let outside = fixture.connect_as(Caller::Outside, node).await.map(|connection| connection.backend());
    assert_eq!(outside, None, "without an endpoint of the node its port refuses");
    assert_eq!(reached(&fixture, at).await, Some(elsewhere), "the service's address leads to the endpoint elsewhere");
}
