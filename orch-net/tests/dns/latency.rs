//! From what was published to what is answered.

use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout};

use super::client::{question, read};
use super::cluster::{at, key, server};

#[tokio::test]
async fn an_answer_is_as_new_as_what_was_published() {
    const SERVICES: u32 = 10_000;
    const ROUNDS: usize = 500;
    let mut table = orch_core::dns::NameTable::default();
    for number in 0..SERVICES {
        let address = std::net::Ipv4Addr::from(0x0A60_0000 + number).to_string();
        table.set_service(&key(&format!("s{number}")), Some(at(&[&address])));
    }
    let (server, board) = server(Some(table.clone())).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    socket.connect(server.addresses()[0]).await.expect("an address");
    let mut buffer = [0; 512];
    let mut took = Vec::new();
    for round in 0..ROUNDS {
        let address = format!("10.97.{}.{}", round / 256, round % 256);
        let names = at(&[&address]);
        let asked = question(u16::try_from(round).expect("small"), "s7.shop.svc.cluster.local", "A", None);
        let start = Instant::now();
        table.set_service(&key("s7"), Some(names));
        board.publish(table.clone());
        socket.send(&asked).await.expect("sent");
        let received = timeout(Duration::from_secs(5), socket.recv(&mut buffer)).await;
        let length = received.expect("in time").expect("an answer");
        took.push(start.elapsed());
        assert_eq!(read(&buffer[..length]).answer, [format!("s7.shop.svc.cluster.local 5 A {address}")]);
    }
    took.sort();
    let (median, late) = (took[ROUNDS / 2], took[ROUNDS * 99 / 100]);
    println!("a change among {SERVICES} services, published, asked for and answered: median {median:?}, 99 % {late:?}");
    // Generous: the machine may be busy with something else. Alone it takes a twentieth of a millisecond.
    assert!(median < Duration::from_millis(10), "{median:?}");
}
