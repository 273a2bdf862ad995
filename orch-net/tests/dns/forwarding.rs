//! Names outside the zone, with other name servers that behave in every way.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::base::iana::Rcode;
use domain::base::{Message, MessageBuilder};
use domain::rdata::A;
use orch_net::{DnsConfig, DnsError, DnsServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;

use super::client::{ask, question, read, send, send_over};
use super::cluster::{config, server_with, table};

/// Ends with the test.
struct Upstream {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

type Behaviour = fn(&[u8]) -> Vec<Vec<u8>>;

/// An address of nobody else, UDP's and TCP's: of 127.0.0.1 a port that is free for one may be taken for the other, and at
/// any time.
fn own_address() -> SocketAddr {
    static LAST: AtomicUsize = AtomicUsize::new(0);
    let number = u8::try_from(LAST.fetch_add(1, Ordering::Relaxed)).expect("few tests");
    let [_, _, high, low] = std::process::id().to_be_bytes();
    (Ipv4Addr::new(127, 128 + number % 64, high, low.clamp(1, 254)), 5353).into()
}

/// A name server that sends what `behave` makes of each question; over TCP the last of it.
async fn upstream(behave: Behaviour) -> Upstream {
    let address = own_address();
    let udp = UdpSocket::bind(address).await.expect("a socket");
    let tcp = TcpListener::bind(address).await.expect("the same port");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let over_udp = tokio::spawn(async move {
        let mut buffer = [0; 2_048];
        while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
            count.fetch_add(1, Ordering::Relaxed);
            for answer in behave(&buffer[..length]) {
                udp.send_to(&answer, from).await.expect("sent");
            }
        }
    });
    let over_tcp = tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let Ok(length) = stream.read_u16().await else { continue };
            let mut message = vec![0; length.into()];
            stream.read_exact(&mut message).await.expect("a message");
            let Some(answer) = behave(&message).pop() else { continue };
            stream.write_u16(u16::try_from(answer.len()).expect("short")).await.expect("sent");
            stream.write_all(&answer).await.expect("sent");
        }
    });
    Upstream { address, asked, tasks: vec![over_udp, over_tcp] }
}

fn answer(message: &[u8], code: Rcode, addresses: u8) -> Vec<u8> {
    let message = Message::from_slice(message).expect("a message");
    let name = message.first_question().expect("a question").qname().to_owned();
    let mut answer = MessageBuilder::new_vec().start_answer(message, code).expect("room");
    answer.header_mut().set_aa(true);
    for last in 1..=addresses {
        answer.push((&name, 60, A::from_octets(192, 0, 2, last))).expect("room");
    }
    answer.finish()
}

fn good(message: &[u8]) -> Vec<Vec<u8>> {
    vec![answer(message, Rcode::NOERROR, 1)]
}

fn silent(_: &[u8]) -> Vec<Vec<u8>> {
    Vec::new()
}

fn failing(message: &[u8]) -> Vec<Vec<u8>> {
    vec![answer(message, Rcode::SERVFAIL, 0)]
}

fn long(message: &[u8]) -> Vec<Vec<u8>> {
    vec![answer(message, Rcode::NOERROR, 100)]
}

/// Others answer first: with another number, to another question, in pieces.
fn among_forgeries(message: &[u8]) -> Vec<Vec<u8>> {
    let real = answer(message, Rcode::NOERROR, 1);
    let forged = answer(message, Rcode::NOERROR, 3);
    let mut number = forged.clone();
    number[0] ^= 1;
    let mut name = forged.clone();
    name[13] ^= 1;
    let mut asking = forged.clone();
    asking[2] &= 0x7F;
    vec![number, name, asking, forged[..11].to_vec(), Vec::new(), real]
}

async fn forwarding(upstreams: &[&Upstream]) -> (DnsServer, SocketAddr) {
    let upstreams = upstreams.iter().map(|upstream| upstream.address).collect();
    let config = DnsConfig { upstreams, upstream_timeout: Duration::from_millis(300), ..config() };
    let (server, _) = server_with(Some(table()), config).await;
    let address = server.addresses()[0];
    (server, address)
}

#[tokio::test]
async fn names_outside_the_zone_are_asked_elsewhere_and_those_inside_never() {
    let upstream = upstream(good).await;
    let (_server, address) = forwarding(&[&upstream]).await;
    let seen = ask(address, "Www.Example.com", "A").await;
    assert_eq!(
        (seen.code.as_str(), &seen.question),
        ("NOERROR", &"Www.Example.com A".to_owned()),
        "the case is given back"
    );
    assert!(seen.answer[0].eq_ignore_ascii_case("www.example.com 60 A 192.0.2.1"), "{seen:?}");
    assert!(seen.recursion && !seen.authoritative, "{seen:?}");
    assert_eq!(ask(address, "x.shop.svc.cluster.local", "A").await.code, "NXDOMAIN");
    assert_eq!(ask(address, "1.0.96.10.in-addr.arpa", "PTR").await.answer.len(), 1);
    assert_eq!(upstream.asked.load(Ordering::Relaxed), 1, "only for what is not ours");
    assert_eq!(ask(address, "1.2.0.192.in-addr.arpa", "A").await.code, "NOERROR");
    assert_eq!(upstream.asked.load(Ordering::Relaxed), 2);
    let mut alone = question(1, "example.com", "A", None);
    alone[2] &= !1;
    assert_eq!(read(&send(address, &alone).await.expect("an answer")).code, "REFUSED", "who wants no recursion");
}

#[tokio::test]
async fn answers_of_strangers_are_not_heard() {
    let upstream = upstream(among_forgeries).await;
    let (_server, address) = forwarding(&[&upstream]).await;
    let seen = ask(address, "example.com", "A").await;
    assert_eq!(seen.answer.len(), 1, "{seen:?}");
}

#[tokio::test]
async fn the_next_server_is_asked_when_one_is_silent_gone_or_fails() {
    let (silent, failing, good, gone) =
        (upstream(silent).await, upstream(failing).await, upstream(good).await, upstream(good).await);
    gone.tasks.iter().for_each(JoinHandle::abort);
    let (_server, address) = forwarding(&[&gone, &failing, &silent, &good]).await;
    assert_eq!(ask(address, "example.com", "A").await.answer.len(), 1);
    let (_server, address) = forwarding(&[&silent, &failing]).await;
    assert_eq!(ask(address, "example.com", "A").await.code, "SERVFAIL");
    let (_server, address) = forwarding(&[&silent]).await;
    assert_eq!(ask(address, "example.com", "A").await.code, "SERVFAIL");
}

#[tokio::test]
async fn a_long_answer_of_another_server_is_cut_over_udp_and_whole_over_tcp() {
    let upstream = upstream(long).await;
    let (_server, address) = forwarding(&[&upstream]).await;
    let seen = ask(address, "example.com", "A").await;
    assert!(seen.truncated && seen.length <= 512, "{seen:?}");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let whole = send_over(&mut stream, &question(1, "example.com", "A", None)).await.expect("an answer");
    assert_eq!(read(&whole).answer.len(), 100);
}

#[tokio::test]
async fn no_more_questions_wait_than_may() {
    let upstream = upstream(silent).await;
    let config = DnsConfig { upstreams: vec![upstream.address], forwards_max: 1, ..config() };
    let (server, _) = server_with(Some(table()), config).await;
    let address = server.addresses()[0];
    let waiting = tokio::spawn(async move { send(address, &question(1, "a.example", "A", None)).await });
    while upstream.asked.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ask(address, "b.example", "A").await.code, "SERVFAIL");
    assert_eq!(ask(address, "web.shop.svc.cluster.local", "A").await.code, "NOERROR", "ours does not wait");
    waiting.abort();
}

#[tokio::test]
async fn a_server_that_is_to_ask_itself_does_not_start() {
    let port = own_address();
    let itself = DnsConfig { addresses: vec![port], upstreams: vec![port], ..config() };
    let refused = DnsServer::start(itself, Arc::default()).await;
    assert!(matches!(refused, Err(DnsError::AsksItself { upstream }) if upstream == port), "{refused:?}");
}

#[tokio::test]
async fn two_servers_that_ask_one_another_end_the_loop_at_once() {
    let second = own_address();
    let config_to =
        |upstream| DnsConfig { upstreams: vec![upstream], upstream_timeout: Duration::from_secs(30), ..config() };
    let (first, _) = server_with(Some(table()), config_to(second)).await;
    let first_address = first.addresses()[0];
    let back = DnsConfig { addresses: vec![second], ..config_to(first_address) };
    let (_second, _) = server_with(Some(table()), back).await;
    let seen = ask(first_address, "example.com", "A").await;
    assert_eq!(seen.code, "REFUSED");
}
