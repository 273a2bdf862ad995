//! P6 to P8: what becomes of connections, and of everything at the end.

use std::sync::Arc;

use orch_core::proxy::{ServicePort, ServiceTable};

use super::{ProxyFixture, name, port, reached, serve, table};

/// Connections to an endpoint that is removed go on.
pub async fn connections_to_a_removed_endpoint_go_on(fixture: impl ProxyFixture) {
    let (one, two) = (fixture.start_backend().await, fixture.start_backend().await);
    let at = fixture.service_address();
    serve(&fixture, table([("a", port(at, &[one]))])).await;
    let mut connection = fixture.connect(1, at).await.expect("an endpoint is ready");
    serve(&fixture, table([("a", port(at, &[two]))])).await;
    assert!(connection.is_open().await, "a connection to a removed endpoint goes on");
    serve(&fixture, table([("a", port(at, &[]))])).await;
    assert!(connection.is_open().await, "it goes on when no endpoint is left");
}

/// A sync interrupts no connection, neither of the service ports that it changes nor of others.
pub async fn a_sync_interrupts_no_connection(fixture: impl ProxyFixture) {
    let (one, two) = (fixture.start_backend().await, fixture.start_backend().await);
    let (a, b, node) = (fixture.service_address(), fixture.service_address(), fixture.node_port());
    serve(&fixture, table([("a", port(a, &[one])), ("b", port(b, &[one]))])).await;
    let mut of_a = fixture.connect(1, a).await.expect("an endpoint is ready");
    let mut of_b = fixture.connect(1, b).await.expect("an endpoint is ready");
    let changed = ServicePort { node_port: Some(node.port()), ..port(b, &[one, two]) };
    for next in [
        table([("a", port(a, &[one])), ("b", changed)]),
        table([("a", port(a, &[one])), ("b", port(b, &[two]))]),
        table([("a", port(a, &[one])), ("b", port(b, &[one]))]),
    ] {
        serve(&fixture, next).await;
        assert!(of_a.is_open().await, "a connection of a service port that is not changed goes on");
        assert!(of_b.is_open().await, "a connection of a service port that is changed goes on");
    }
    fixture.proxy().sync(table([("a", ServicePort { port: 0, ..port(a, &[]) })])).await.expect_err("port 0 is refused");
    assert!(of_a.is_open().await && of_b.is_open().await, "connections go on when a table is refused");
}

/// While service ports come and go, the others go on taking connections.
pub async fn other_service_ports_take_connections_during_a_sync(fixture: impl ProxyFixture) {
    let (one, at, other) = (fixture.start_backend().await, fixture.service_address(), fixture.service_address());
    let mut changing = (*table([("a", port(at, &[one]))])).clone();
    serve(&fixture, Arc::new(changing.clone())).await;
    let clients = async {
        for number in 0..100 {
            let answered = reached(&fixture, at).await;
            assert_eq!(answered, Some(one), "connection {number} failed during a change of another service port");
            tokio::task::yield_now().await;
        }
    };
    let change = async {
        loop {
            changing.set(name("b"), Some(port(other, &[one])));
            serve(&fixture, Arc::new(changing.clone())).await;
            tokio::task::yield_now().await;
            changing.set(name("b"), None);
            serve(&fixture, Arc::new(changing.clone())).await;
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = clients => {}
        () = change => {}
    }
}

/// After clear nothing is served, and a table can be served again.
pub async fn nothing_is_served_after_clear(fixture: impl ProxyFixture) {
    let (one, at, node) = (fixture.start_backend().await, fixture.service_address(), fixture.node_port());
    let good = table([("a", ServicePort { node_port: Some(node.port()), ..port(at, &[one]) })]);
    fixture.proxy().clear().await.expect("nothing is served yet, and can be cleared");
    serve(&fixture, Arc::clone(&good)).await;
    fixture.proxy().clear().await.expect("what is served can be cleared");
    assert_eq!(reached(&fixture, at).await, None, "no address is served after clear");
    assert_eq!(reached(&fixture, node).await, None, "no node port is served after clear");
    fixture.proxy().clear().await.expect("clearing twice is no error");
    assert_eq!(serve(&fixture, good).await.changed, 1, "the same table is new after clear");
    assert_eq!(reached(&fixture, at).await, Some(one), "a table can be served after clear");
    serve(&fixture, Arc::new(ServiceTable::default())).await;
}
