//! P1 to P3: whole tables, the last good one, and the cost of what changed.

use std::sync::Arc;

use orch_core::proxy::{Affinity, ProxyError, ServicePort, ServiceTable};

use super::{Caller, ProxyFixture, name, port, reached, serve, table};

/// Every service port of the table is served, at each of its addresses.
pub async fn every_service_port_is_served(fixture: impl ProxyFixture) {
    let (one, two) = (fixture.start_backend().await, fixture.start_backend().await);
    let (a, b, node) = (fixture.service_address(), fixture.service_address(), fixture.node_port());
    let with_node_port = ServicePort { node_port: Some(node.port()), ..port(b, &[two]) };
    serve(&fixture, table([("a", port(a, &[one])), ("b", with_node_port)])).await;
    assert_eq!(reached(&fixture, a).await, Some(one), "the address of service a leads to its endpoint");
    assert_eq!(reached(&fixture, b).await, Some(two), "the address of service b leads to its endpoint");
    assert_eq!(reached(&fixture, node).await, Some(two), "the node port of service b leads to its endpoint");
    let outside = fixture.connect_as(Caller::Outside, node).await.map(|connection| connection.backend());
    assert_eq!(outside, Some(two), "the node port of service b is reached from outside");
}

/// What runs on the node itself is served at a service's address.
pub async fn what_runs_on_the_node_is_served(fixture: impl ProxyFixture) {
    let (one, at) = (fixture.start_backend().await, fixture.service_address());
    serve(&fixture, table([("a", port(at, &[one]))])).await;
    let answered = fixture.connect_as(Caller::Node, at).await.map(|connection| connection.backend());
    assert_eq!(answered, Some(one), "the node itself is served");
    serve(&fixture, table([("a", port(at, &[]))])).await;
    assert!(fixture.connect_as(Caller::Node, at).await.is_none(), "without an endpoint the node is refused at once");
}

/// What the table no longer holds is not served any more.
pub async fn what_the_table_no_longer_holds_is_not_served(fixture: impl ProxyFixture) {
    let one = fixture.start_backend().await;
    let (a, b, node) = (fixture.service_address(), fixture.service_address(), fixture.node_port());
    let with_node_port = ServicePort { node_port: Some(node.port()), ..port(b, &[one]) };
    let mut changing = (*table([("a", port(a, &[one])), ("b", with_node_port)])).clone();
    serve(&fixture, Arc::new(changing.clone())).await;
    changing.set(name("b"), None);
    serve(&fixture, Arc::new(changing)).await;
    assert_eq!(reached(&fixture, b).await, None, "the address of a removed service is not served");
    assert_eq!(reached(&fixture, node).await, None, "the node port of a removed service is not served");
    assert_eq!(reached(&fixture, a).await, Some(one), "the other service is served on");
    serve(&fixture, Arc::new(ServiceTable::default())).await;
    assert_eq!(reached(&fixture, a).await, None, "an empty table serves nothing");
}

/// What the proxy was shown before makes no difference, even a table with as many changes.
pub async fn what_was_shown_before_makes_no_difference(fixture: impl ProxyFixture) {
    let (one, two) = (fixture.start_backend().await, fixture.start_backend().await);
    let (a, b, c) = (fixture.service_address(), fixture.service_address(), fixture.service_address());
    let common = table([("a", port(a, &[one]))]);
    let (mut left, mut right) = ((*common).clone(), (*common).clone());
    left.set(name("b"), Some(port(b, &[one])));
    right.set(name("c"), Some(port(c, &[two])));
    serve(&fixture, Arc::new(left)).await;
    serve(&fixture, Arc::new(right)).await;
    assert_eq!(reached(&fixture, a).await, Some(one), "what both tables hold is served");
    assert_eq!(reached(&fixture, b).await, None, "what only the earlier table held is not served");
    assert_eq!(reached(&fixture, c).await, Some(two), "what only the later table holds is served");
}

/// An address can pass from one service port to another within one sync.
pub async fn an_address_can_pass_to_another_service_port(fixture: impl ProxyFixture) {
    let (one, two) = (fixture.start_backend().await, fixture.start_backend().await);
    let (a, b) = (fixture.service_address(), fixture.service_address());
    serve(&fixture, table([("a", port(a, &[one])), ("b", port(b, &[two]))])).await;
    serve(&fixture, table([("a", port(b, &[one])), ("b", port(a, &[two]))])).await;
    assert_eq!(reached(&fixture, a).await, Some(two), "the two services have exchanged their addresses");
    assert_eq!(reached(&fixture, b).await, Some(one), "the two services have exchanged their addresses");
    serve(&fixture, table([("c", port(a, &[one]))])).await;
    assert_eq!(reached(&fixture, a).await, Some(one), "a new service has taken over the address of a removed one");
    assert_eq!(reached(&fixture, b).await, None, "the other address is not served");
}

/// A service port that changes its addresses is served at the new ones and not at the old.
pub async fn a_service_port_can_change_its_addresses(fixture: impl ProxyFixture) {
    let one = fixture.start_backend().await;
    let (old, new, node) = (fixture.service_address(), fixture.service_address(), fixture.node_port());
    serve(&fixture, table([("a", port(old, &[one]))])).await;
    let moved = ServicePort { node_port: Some(node.port()), ..port(new, &[one]) };
    serve(&fixture, table([("a", moved)])).await;
    assert_eq!(reached(&fixture, old).await, None, "the old address is not served");
    assert_eq!(reached(&fixture, new).await, Some(one), "the new address is served");
    assert_eq!(reached(&fixture, node).await, Some(one), "the new node port is served");
}

/// A table that contradicts itself is refused, and what was served before is served on, all of it and nothing else.
pub async fn an_invalid_table_changes_nothing(fixture: impl ProxyFixture) {
    let (one, two) = (fixture.start_backend().await, fixture.start_backend().await);
    let (kept, changed, added) = (fixture.service_address(), fixture.service_address(), fixture.service_address());
    let good = table([("changed", port(changed, &[one])), ("kept", port(kept, &[one]))]);
    serve(&fixture, Arc::clone(&good)).await;
    let mut wrong = (*good).clone();
    wrong.set(name("added"), Some(port(added, &[two])));
    wrong.set(name("changed"), Some(port(changed, &[two])));
    wrong.set(name("kept"), None);
    for (what, service, wrong_port) in [
        ("an address that belongs to another service port", "z-contested", port(changed, &[two])),
        ("port 0", "z-zero", ServicePort { port: 0, ..port(added, &[two]) }),
        ("an endpoint that is listed twice", "z-twice", port(fixture.service_address(), &[two, two])),
    ] {
        let mut wrong = wrong.clone();
        wrong.set(name(service), Some(wrong_port));
        let error =
            fixture.proxy().sync(Arc::new(wrong)).await.expect_err("a table that contradicts itself is refused");
        assert!(matches!(error, ProxyError::InvalidTable { .. }), "{what} makes a table invalid, not: {error}");
        assert_eq!(reached(&fixture, kept).await, Some(one), "{what}: what the refused table left out is served on");
        assert_eq!(reached(&fixture, changed).await, Some(one), "{what}: what it changed is served as before");
        assert_eq!(reached(&fixture, added).await, None, "{what}: what it added is not served");
    }
}

/// A good table is served after a refused one.
pub async fn a_good_table_is_served_after_a_refused_one(fixture: impl ProxyFixture) {
    let (one, two) = (fixture.start_backend().await, fixture.start_backend().await);
    let (a, b) = (fixture.service_address(), fixture.service_address());
    let mut growing = (*table([("a", port(a, &[one]))])).clone();
    serve(&fixture, Arc::new(growing.clone())).await;
    growing.set(name("a"), Some(port(a, &[two])));
    growing.set(name("wrong"), Some(ServicePort { port: 0, ..port(b, &[one]) }));
    fixture.proxy().sync(Arc::new(growing.clone())).await.expect_err("port 0 is refused");
    growing.set(name("wrong"), None);
    growing.set(name("b"), Some(port(b, &[one])));
    serve(&fixture, Arc::new(growing)).await;
    assert_eq!(reached(&fixture, a).await, Some(two), "a change that came with the refused table is not forgotten");
    assert_eq!(reached(&fixture, b).await, Some(one), "a change that came after the refused table is made");
}

/// A table that is already served changes nothing, even if it was put together anew.
pub async fn a_table_that_is_served_already_changes_nothing(fixture: impl ProxyFixture) {
    let one = fixture.start_backend().await;
    let (a, b) = (fixture.service_address(), fixture.service_address());
    let build = || table([("a", port(a, &[one])), ("b", port(b, &[one]))]);
    let first = build();
    serve(&fixture, Arc::clone(&first)).await;
    assert_eq!(serve(&fixture, first).await.changed, 0, "the same table again");
    assert_eq!(serve(&fixture, build()).await.changed, 0, "an equal table");
    assert_eq!(reached(&fixture, a).await, Some(one), "it is served as before");
}

/// The report counts the service ports that were added, changed or removed.
pub async fn the_report_counts_what_was_changed(fixture: impl ProxyFixture) {
    let one = fixture.start_backend().await;
    let (a, b, c) = (fixture.service_address(), fixture.service_address(), fixture.service_address());
    let mut changing = (*table([("a", port(a, &[one])), ("b", port(b, &[one]))])).clone();
    assert_eq!(serve(&fixture, Arc::new(changing.clone())).await.changed, 2, "two were added");
    changing.set(name("a"), Some(port(a, &[])));
    changing.set(name("a"), Some(port(a, &[one])));
    assert_eq!(serve(&fixture, Arc::new(changing.clone())).await.changed, 0, "one was changed, and changed back");
    changing.set(name("a"), Some(ServicePort { affinity: Affinity::ClientIp(super::AT_ONCE), ..port(a, &[one]) }));
    changing.set(name("b"), None);
    changing.set(name("c"), Some(port(c, &[one])));
    assert_eq!(serve(&fixture, Arc::new(changing)).await.changed, 3, "one was changed, one removed, one added");
}
