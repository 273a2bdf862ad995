//! P9: whom an endpoint sees.

use std::net::SocketAddr;

use orch_core::object::TrafficPolicy;
use orch_core::proxy::{Endpoint, EndpointState, ServicePort};

use super::{Ability, Caller, ProxyFixture, Source, port, serve, table};

/// Whom the endpoint of a new connection sees, where there is something to be seen.
async fn source(fixture: &impl ProxyFixture, caller: Caller, to: SocketAddr) -> Option<Source> {
    fixture.connect_as(caller, to).await.expect("an endpoint is ready").source()
}

fn on_the_node(address: SocketAddr) -> Endpoint {
    Endpoint { address, is_local: true, state: EndpointState::Ready }
}

/// An endpoint sees the client's own address, at the node's port with the policy Local too.
pub async fn an_endpoint_sees_the_address_of_its_client(fixture: impl ProxyFixture) {
    let (one, two, at) = (fixture.start_backend().await, fixture.start_backend().await, fixture.service_address());
    if !fixture.can(Ability::SourceAddress) {
        serve(&fixture, table([("a", port(at, &[one]))])).await;
        if let Some(Source { client, seen }) = source(&fixture, Caller::Client(7), at).await {
            assert_ne!(seen, client, "the endpoint sees its client although the proxy is said to be unable to show it");
            assert!(fixture.is_of_node(seen), "the endpoint sees {seen}, which is neither its client nor the proxy");
        }
        return;
    }
    let node = fixture.node_port();
    // With different policies only where they can be told apart.
    let local = fixture.can(Ability::Policies).then_some(node.port());
    let external = if local.is_some() { TrafficPolicy::Local } else { TrafficPolicy::Cluster };
    let endpoints = vec![on_the_node(one)];
    serve(&fixture, table([("a", ServicePort { node_port: local, external, endpoints, ..port(at, &[]) })])).await;
    let mut callers = vec![(Caller::Client(7), at), (Caller::Client(8), at), (Caller::Backend(two), at)];
    callers.extend(local.map(|_| (Caller::Outside, node)));
    for (caller, to) in callers {
        let seen = source(&fixture, caller, to).await.expect("there is something to be seen");
        assert_eq!(seen.seen, seen.client, "the endpoint sees {caller:?} that connects to {to}");
    }
}

/// An endpoint that reaches itself sees an address of the node, as does one that is reached by the node's port with the
/// policy Cluster.
pub async fn an_endpoint_sees_the_node_where_the_answer_must_come_back_by_it(fixture: impl ProxyFixture) {
    let (one, at, node) = (fixture.start_backend().await, fixture.service_address(), fixture.node_port());
    let endpoints = vec![on_the_node(one)];
    let node_port = Some(node.port());
    serve(&fixture, table([("a", ServicePort { node_port, endpoints, ..port(at, &[]) })])).await;
    for (caller, to) in [(Caller::Backend(one), at), (Caller::Outside, node), (Caller::Client(7), node)] {
        let Some(Source { seen, .. }) = source(&fixture, caller, to).await else {
            assert!(!fixture.can(Ability::SourceAddress), "there is something to be seen");
            continue;
        };
        assert!(fixture.is_of_node(seen), "the endpoint sees {seen}, not the node, as {caller:?} connects");
    }
}
