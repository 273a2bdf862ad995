//! Datagrams and their flows.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use orch_core::object::Protocol;
use orch_core::proxy::{Affinity, Endpoint, EndpointState, ServicePort};
use orch_net::{FlowLimits, UserspaceConfig};
use orch_testkit::suite::proxy::{Caller, ProxyFixture, port, reached, table};
use tokio::net::UdpSocket;
use tokio::time::{sleep, timeout};

use super::{SOON, fixture, fixture_with};

/// A service port of UDP that leads to these endpoints.
pub(crate) fn udp(at: SocketAddr, backends: &[SocketAddr]) -> ServicePort {
    ServicePort { protocol: Protocol::Udp, ..port(at, backends) }
}

async fn serve(fixture: &impl ProxyFixture, port: ServicePort) {
    fixture.proxy().sync(table([("a", port)])).await.expect("a good table");
}

async fn socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let address = socket.local_addr().expect("an address");
    (socket, address)
}

async fn client_of(at: SocketAddr) -> UdpSocket {
    let (socket, _) = socket().await;
    socket.connect(at).await.expect("a datagram socket can be told where to send");
    socket
}

async fn received(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 70_000];
    let (length, from) =
        timeout(SOON, socket.recv_from(&mut buffer)).await.expect("a datagram comes").expect("no refusal comes");
    (buffer[..length].to_vec(), from)
}

#[tokio::test]
async fn each_client_hears_the_answers_to_its_own_datagrams_however_late_they_are() {
    let fixture = fixture();
    let (endpoint, backend) = socket().await;
    let at = fixture.service_address();
    serve(&fixture, udp(at, &[backend])).await;
    let mut asked = Vec::new();
    for number in 0..20_u8 {
        let client = client_of(at).await;
        client.send(&[number]).await.expect("it is sent");
        let (question, from) = received(&endpoint).await;
        assert_eq!(question, [number]);
        asked.push((client, number, from));
    }
    for (_, number, from) in asked.iter().rev() {
        endpoint.send_to(&[*number, *number], from).await.expect("it is sent");
    }
    for (client, number, _) in &asked {
        assert_eq!(received(client).await, (vec![*number, *number], at));
    }
}

#[tokio::test]
async fn datagrams_are_carried_whole_the_largest_and_the_empty_one_too() {
    let fixture = fixture();
    let (endpoint, backend) = socket().await;
    let at = fixture.service_address();
    serve(&fixture, udp(at, &[backend])).await;
    let client = client_of(at).await;
    // 65,535, less the headers of IPv4 and UDP.
    for length in [0, 1, 1_500, 65_507] {
        let question: Vec<u8> = (0..length).map(|index: usize| index.to_le_bytes()[0]).collect();
        client.send(&question).await.expect("it is sent");
        let (heard, from) = received(&endpoint).await;
        assert!(heard == question, "{length} bytes");
        endpoint.send_to(&heard, from).await.expect("it is sent");
        assert!(received(&client).await.0 == question, "{length} bytes, back");
    }
}

#[tokio::test]
async fn a_flow_goes_on_while_its_endpoint_ends_and_new_ones_go_elsewhere() {
    let fixture = fixture();
    let (ending, ready, at) =
        (fixture.start_datagram_backend().await, fixture.start_datagram_backend().await, fixture.service_address());
    serve(&fixture, udp(at, &[ending])).await;
    let mut old = fixture.send_datagrams_as(Caller::Client(1), at).await;
    assert_eq!(old.ask().await, Some(ending));
    let mut both = udp(at, &[ending, ready]);
    both.endpoints[0].state = EndpointState::ServingTerminating;
    serve(&fixture, both.clone()).await;
    assert_eq!(old.ask().await, Some(ending), "it still answers");
    assert_eq!(fixture.send_datagrams_as(Caller::Client(1), at).await.ask().await, Some(ready));
    both.endpoints[0].state = EndpointState::NotReady;
    serve(&fixture, both).await;
    assert_eq!(old.ask().await, Some(ready), "it answers no more");
}

#[tokio::test]
async fn an_endpoint_on_this_machine_that_refuses_is_passed_over_and_the_client_does_not_notice() {
    let fixture = fixture();
    // Connected to itself it hears nobody, so others are refused; and no other test gets its port.
    let (closed, dead) = socket().await;
    closed.connect(dead).await.expect("connected");
    let (alive, at) = (fixture.start_datagram_backend().await, fixture.service_address());
    for affinity in [Affinity::None, Affinity::ClientIp(Duration::from_secs(60))] {
        serve(&fixture, ServicePort { affinity, ..udp(at, &[dead, alive]) }).await;
        for client in 0..6 {
            let mut socket = fixture.send_datagrams_as(Caller::Client(client), at).await;
            assert_eq!(socket.ask().await, Some(alive), "with {affinity:?}");
        }
    }
}

#[tokio::test]
async fn a_flow_whose_endpoint_begins_to_refuse_goes_on_to_another_and_back_when_that_refuses() {
    let fixture = fixture();
    let ((one, first), (two, second), at) = (socket().await, socket().await, fixture.service_address());
    serve(&fixture, udp(at, &[first])).await;
    let client = client_of(at).await;
    client.send(b"?").await.expect("it is sent");
    received(&one).await;
    serve(&fixture, udp(at, &[first, second])).await;
    drop(one);
    ask_until_it_comes(&client, &two).await;
    drop(two);
    let one = UdpSocket::bind(first).await.expect("it is free");
    ask_until_it_comes(&client, &one).await;
}

/// A datagram or two may be lost before the proxy hears that they are refused.
async fn ask_until_it_comes(client: &UdpSocket, endpoint: &UdpSocket) {
    for _ in 0..3 {
        client.send(b"?").await.expect("it is sent");
        if timeout(Duration::from_millis(500), endpoint.recv(&mut [0])).await.is_ok() {
            return;
        }
    }
    panic!("the endpoint that does not refuse gets nothing");
}

#[tokio::test]
async fn a_client_that_was_silent_for_long_is_led_anew() {
    let short = Duration::from_millis(20);
    let flows = FlowLimits { unanswered: short, answered: short, ..FlowLimits::default() };
    let fixture = fixture_with(UserspaceConfig { flows, ..UserspaceConfig::default() });
    let (one, two, at) =
        (fixture.start_datagram_backend().await, fixture.start_datagram_backend().await, fixture.service_address());
    serve(&fixture, udp(at, &[one, two])).await;
    let mut socket = fixture.send_datagrams_as(Caller::Client(1), at).await;
    for expected in [one, two, one] {
        assert_eq!(socket.ask().await, Some(expected));
        sleep(short * 2).await;
    }
}

#[tokio::test]
async fn beyond_the_limit_the_client_that_was_silent_longest_gives_way() {
    let flows = FlowLimits { flows_max: 2, ..FlowLimits::default() };
    let fixture = fixture_with(UserspaceConfig { flows, ..UserspaceConfig::default() });
    let (mut backends, at) = (Vec::new(), fixture.service_address());
    for _ in 0..4 {
        backends.push(fixture.start_datagram_backend().await);
    }
    serve(&fixture, udp(at, &backends)).await;
    let (mut a, mut b, mut c) = (
        fixture.send_datagrams_as(Caller::Client(1), at).await,
        fixture.send_datagrams_as(Caller::Client(2), at).await,
        fixture.send_datagrams_as(Caller::Client(3), at).await,
    );
    assert_eq!([a.ask().await, b.ask().await, a.ask().await], [0, 1, 0].map(|index| Some(backends[index])));
    assert_eq!([c.ask().await, a.ask().await], [2, 0].map(|index| Some(backends[index])), "b gave way, a is kept");
    assert_eq!(b.ask().await, Some(backends[3]), "b is served, and led anew");
}

#[tokio::test]
async fn clients_of_one_address_share_an_endpoint_if_asked_for() {
    let fixture = fixture();
    let (mut backends, at) = (Vec::new(), fixture.service_address());
    for _ in 0..3 {
        backends.push(fixture.start_datagram_backend().await);
    }
    let affinity = Affinity::ClientIp(Duration::from_secs(60));
    serve(&fixture, ServicePort { affinity, ..udp(at, &backends) }).await;
    let mut reached = Vec::new();
    for client in [1, 1, 2, 2, 1] {
        reached.extend(fixture.send_datagrams_as(Caller::Client(client), at).await.ask().await);
    }
    assert_eq!(reached, [0, 0, 1, 1, 0].map(|index| backends[index]));
}

#[tokio::test]
async fn the_port_of_the_node_leads_datagrams_to_endpoints_of_the_node_if_asked_for() {
    use orch_core::object::TrafficPolicy;
    let fixture = fixture();
    let (here, elsewhere) = (fixture.start_datagram_backend().await, fixture.start_datagram_backend().await);
    let (at, node) = (fixture.service_address(), fixture.node_port());
    let local = |endpoints: &[(SocketAddr, bool)]| {
        let endpoint = |&(address, is_local): &_| Endpoint { address, is_local, state: EndpointState::Ready };
        let endpoints = endpoints.iter().map(endpoint).collect();
        ServicePort { node_port: Some(node.port()), external: TrafficPolicy::Local, endpoints, ..udp(at, &[]) }
    };
    let mut outside = fixture.send_datagrams_as(Caller::Outside, node).await;
    let mut inside = fixture.send_datagrams_as(Caller::Client(1), at).await;
    serve(&fixture, local(&[(elsewhere, false), (here, true)])).await;
    assert_eq!([outside.ask().await, inside.ask().await], [Some(here), Some(elsewhere)]);
    serve(&fixture, local(&[(elsewhere, false)])).await;
    assert_eq!([outside.ask().await, inside.ask().await], [None, Some(elsewhere)]);
    serve(&fixture, local(&[(here, true)])).await;
    assert_eq!([outside.ask().await, inside.ask().await], [Some(here), Some(here)]);
}

#[tokio::test]
async fn one_address_serves_connections_and_datagrams() {
    let fixture = fixture();
    let (at, by_tcp, by_udp) =
        (fixture.service_address(), fixture.start_backend().await, fixture.start_datagram_backend().await);
    let both = table([("dns", udp(at, &[by_udp])), ("dns-tcp", port(at, &[by_tcp]))]);
    fixture.proxy().sync(both).await.expect("a good table");
    assert_eq!(reached(&fixture, at).await, Some(by_tcp));
    assert_eq!(fixture.send_datagrams_as(Caller::Client(1), at).await.ask().await, Some(by_udp));
}

#[tokio::test]
async fn without_endpoints_an_address_is_refused_and_kept_and_given_up_with_its_service() {
    let fixture = fixture();
    let at = fixture.service_address();
    for backends in [&[][..], &["127.0.0.1:9".parse().expect("an address")], &[]] {
        serve(&fixture, udp(at, backends)).await;
        let error = std::net::UdpSocket::bind(at).expect_err("the address is kept");
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    }
    fixture.proxy().sync(table([])).await.expect("a good table");
    std::net::UdpSocket::bind(at).expect("the address is free as soon as sync has returned");
}

#[tokio::test]
async fn flows_end_when_the_proxy_is_cleared_or_dropped() {
    for clear in [true, false] {
        let fixture = fixture();
        let (endpoint, backend) = socket().await;
        let at = fixture.service_address();
        serve(&fixture, udp(at, &[backend])).await;
        client_of(at).await.send(b"?").await.expect("it is sent");
        let (_, from) = received(&endpoint).await;
        if clear {
            fixture.proxy().clear().await.expect("it can be cleared");
        }
        drop(fixture);
        std::net::UdpSocket::bind(at).expect("the address is free");
        if !clear {
            // What is dropped has nobody to wait for its last tasks.
            sleep(Duration::from_millis(100)).await;
        }
        std::net::UdpSocket::bind(from).expect("the flow's own socket is closed");
    }
}
