//! Connections, and what is served at all.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use orch_core::object::{Protocol, TrafficPolicy};
use orch_core::proxy::{Affinity, Endpoint, EndpointState, ProxyError, ServicePort};
use orch_net::{UserspaceConfig, UserspaceProxy};
use orch_testkit::suite::proxy::{Loopback, ProxyFixture as _, name, port, reached, table};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{SOON, fixture, fixture_with};

/// A service port with one endpoint, which this test plays itself.
async fn relayed() -> (Loopback<UserspaceProxy>, TcpListener, SocketAddr) {
    let fixture = fixture();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let (at, backend) = (fixture.service_address(), listener.local_addr().expect("an address"));
    fixture.proxy().sync(table([("a", port(at, &[backend]))])).await.expect("a good table");
    (fixture, listener, at)
}

#[tokio::test]
async fn an_endpoint_that_refuses_is_passed_over_and_the_client_does_not_notice() {
    let fixture = fixture();
    let (alive, dead, at) = (fixture.start_backend().await, fixture.start_backend().await, fixture.service_address());
    for affinity in [Affinity::None, Affinity::ClientIp(Duration::from_secs(60))] {
        let with_both = ServicePort { affinity, ..port(at, &[dead, alive]) };
        fixture.proxy().sync(table([("a", with_both)])).await.expect("a good table");
        if affinity == Affinity::None {
            fixture.stop_backend(dead).await;
        }
        for _ in 0..6 {
            assert_eq!(reached(&fixture, at).await, Some(alive), "with {affinity:?}");
        }
    }
    fixture.stop_backend(alive).await;
    assert_eq!(reached(&fixture, at).await, None, "every endpoint was tried");
}

#[tokio::test]
async fn an_address_that_another_process_has_is_told_and_the_last_good_table_stays_whole() {
    let fixture = fixture();
    let backend = fixture.start_backend().await;
    let (a, b, free, taken) =
        (fixture.service_address(), fixture.service_address(), fixture.service_address(), fixture.service_address());
    let good = table([("a", port(a, &[backend])), ("b", port(b, &[backend]))]);
    fixture.proxy().sync(good).await.expect("a good table");
    let other_process = std::net::TcpListener::bind(taken).expect("it is free");

    let next = table([("b", port(free, &[backend])), ("c", port(taken, &[backend]))]);
    let error = fixture.proxy().sync(Arc::clone(&next)).await.expect_err("the address is taken");
    assert!(
        matches!(&error, ProxyError::AddressInUse { name: of, address } if *of == name("c") && *address == taken),
        "{error}"
    );
    assert!(error.is_transient());
    assert_eq!(reached(&fixture, a).await, Some(backend), "what was to be removed is served on");
    assert_eq!(reached(&fixture, b).await, Some(backend), "what was to be changed is served as before");
    std::net::TcpListener::bind(free).expect("an address that could be had was given back");

    drop(other_process);
    fixture.proxy().sync(next).await.expect("the address is free now");
    assert_eq!(reached(&fixture, taken).await, Some(backend));
    assert_eq!(reached(&fixture, a).await, None);
}

#[tokio::test]
async fn a_service_without_endpoints_keeps_its_address_and_a_removed_one_gives_it_up() {
    let fixture = fixture();
    let at = fixture.service_address();
    fixture.proxy().sync(table([("a", port(at, &[]))])).await.expect("a good table");
    let error = std::net::TcpListener::bind(at).expect_err("the address is kept");
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    fixture.proxy().sync(table([])).await.expect("a good table");
    std::net::TcpListener::bind(at).expect("the address is free as soon as sync has returned");
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_with_a_reason() {
    let fixture = fixture();
    let at = fixture.service_address();
    let sctp = ServicePort { protocol: Protocol::Sctp, ..port(at, &[]) };
    let error = fixture.proxy().sync(table([("calls", sctp)])).await.expect_err("SCTP");
    assert!(matches!(error, ProxyError::Unsupported { .. }) && error.to_string().contains("TCP and UDP"), "{error}");
    // TEST-NET-3 of RFC 5737: nobody's address.
    let elsewhere = port("203.0.113.1:80".parse().expect("an address"), &[]);
    let error = fixture.proxy().sync(table([("far", elsewhere)])).await.expect_err("not of this node");
    assert!(matches!(error, ProxyError::Unsupported { .. }), "{error}");
    assert!(error.to_string().contains("203.0.113.1 is no address of this node"), "{error}");
}

#[tokio::test]
async fn each_direction_is_closed_when_its_sender_closes_it() {
    let (_fixture, listener, at) = relayed().await;
    let mut client = TcpStream::connect(at).await.expect("an endpoint is ready");
    let (mut endpoint, _) = listener.accept().await.expect("it is relayed");

    client.write_all(b"question").await.expect("it is open");
    client.shutdown().await.expect("it is open");
    let mut question = String::new();
    endpoint.read_to_string(&mut question).await.expect("the end of the question comes through");
    assert_eq!(question, "question");

    endpoint.write_all(b"answer").await.expect("the other direction is still open");
    drop(endpoint);
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.expect("the end of the answer comes through");
    assert_eq!(answer, "answer");
}

#[tokio::test]
async fn an_endpoint_can_close_first_and_still_hear_the_client() {
    let (_fixture, listener, at) = relayed().await;
    let mut client = TcpStream::connect(at).await.expect("an endpoint is ready");
    let (mut endpoint, _) = listener.accept().await.expect("it is relayed");
    endpoint.shutdown().await.expect("it is open");
    assert_eq!(client.read(&mut [0; 8]).await.expect("an end, not a reset"), 0);
    client.write_all(b"still here").await.expect("the other direction is open");
    drop(client);
    let mut heard = String::new();
    endpoint.read_to_string(&mut heard).await.expect("all of it comes through");
    assert_eq!(heard, "still here");
}

#[tokio::test]
async fn a_reset_is_passed_on_so_that_half_an_answer_is_not_taken_for_the_whole() {
    let (_fixture, listener, at) = relayed().await;
    let mut client = TcpStream::connect(at).await.expect("an endpoint is ready");
    let (mut endpoint, _) = listener.accept().await.expect("it is relayed");
    endpoint.write_all(b"half").await.expect("it is open");
    client.read_exact(&mut [0; 4]).await.expect("half an answer");
    endpoint.set_zero_linger().expect("a socket option");
    drop(endpoint);
    let error = client.read(&mut [0; 8]).await.expect_err("a reset, not an end");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn clients_beyond_the_limit_wait_until_a_connection_ends() {
    let fixture = fixture_with(UserspaceConfig { connections_max: 1, ..UserspaceConfig::default() });
    let (backend, at) = (fixture.start_backend().await, fixture.service_address());
    let node = fixture.node_port();
    let both = ServicePort { node_port: Some(node.port()), ..port(at, &[backend]) };
    fixture.proxy().sync(table([("a", both)])).await.expect("a good table");
    let first = fixture.connect(1, at).await.expect("there is room");
    for to in [at, node] {
        let mut waiting = TcpStream::connect(to).await.expect("the kernel takes it");
        let early = tokio::time::timeout(Duration::from_millis(50), waiting.read_u8()).await;
        assert!(early.is_err(), "the second client waits, at every address of the service port");
    }
    drop(first);
    let served = tokio::time::timeout(SOON, fixture.connect(2, at)).await.expect("there is room again");
    assert_eq!(served.map(|connection| connection.backend()), Some(backend));
}

#[tokio::test]
async fn connections_end_with_a_reset_when_the_proxy_is_cleared_or_dropped() {
    for clear in [true, false] {
        let (fixture, listener, at) = relayed().await;
        let mut client = TcpStream::connect(at).await.expect("an endpoint is ready");
        let (mut endpoint, _) = listener.accept().await.expect("it is relayed");
        endpoint.write_all(b"!").await.expect("it is open");
        client.read_exact(&mut [0]).await.expect("it is open");
        if clear {
            fixture.proxy().clear().await.expect("it can be cleared");
        }
        drop(fixture);
        for side in [&mut client, &mut endpoint] {
            let error = side.read(&mut [0; 8]).await.expect_err("a reset, not an end");
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        assert!(TcpStream::connect(at).await.is_err(), "nobody listens any more");
    }
}

#[tokio::test]
async fn a_client_keeps_its_endpoint_when_the_policies_part_and_meet_again() {
    let fixture = fixture();
    let (at, node) = (fixture.service_address(), fixture.node_port());
    let mut endpoints = Vec::new();
    for _ in 0..4 {
        let address = fixture.start_backend().await;
        endpoints.push(Endpoint { address, is_local: true, state: EndpointState::Ready });
    }
    let affinity = Affinity::ClientIp(Duration::from_secs(60));
    let with = |external| {
        let (node_port, endpoints) = (Some(node.port()), endpoints.clone());
        table([("a", ServicePort { affinity, node_port, external, endpoints, ..port(at, &[]) })])
    };
    fixture.proxy().sync(with(TrafficPolicy::Cluster)).await.expect("a good table");
    let first = reached(&fixture, at).await;
    assert_eq!(reached(&fixture, node).await, first, "one policy, one endpoint");
    for external in [TrafficPolicy::Local, TrafficPolicy::Cluster] {
        fixture.proxy().sync(with(external)).await.expect("a good table");
        for to in [at, node, at] {
            assert_eq!(reached(&fixture, to).await, first, "at {to} with {external:?}: its endpoint is usable there");
        }
    }
}
