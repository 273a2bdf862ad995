//! How fast datagrams and connections are relayed. Run it with `--ignored --nocapture`; it prints, and claims nothing.

use std::net::SocketAddr;
use std::time::Duration;

use orch_testkit::suite::proxy::{ProxyFixture as _, port, table};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::{Instant, timeout};

use super::datagrams::udp;
use super::fixture;

const TIME: Duration = Duration::from_secs(3);

/// Questions and answers a second, with so many questions on their way.
async fn answers_a_second(to: SocketAddr, window: usize, length: usize) -> f64 {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    socket.connect(to).await.expect("a datagram socket can be told where to send");
    let (question, mut answer) = (vec![0; length], vec![0; 65_536]);
    let (start, mut answered) = (Instant::now(), 0_u32);
    for _ in 0..window {
        socket.send(&question).await.expect("it is sent");
    }
    while start.elapsed() < TIME {
        if timeout(Duration::from_millis(100), socket.recv(&mut answer)).await.is_ok() {
            answered += 1;
        }
        // In place of one that came, or that was lost.
        socket.send(&question).await.expect("it is sent");
    }
    f64::from(answered) / start.elapsed().as_secs_f64()
}

/// Bytes a second, in one direction.
async fn bytes_a_second(to: SocketAddr) -> f64 {
    let mut stream = TcpStream::connect(to).await.expect("somebody takes it");
    let (block, start, mut sent) = (vec![0; 65_536], Instant::now(), 0_u32);
    while start.elapsed() < TIME {
        stream.write_all(&block).await.expect("it is open");
        sent += 1;
    }
    f64::from(sent) * 65_536.0 / start.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "it measures, for half a minute"]
async fn relayed_beside_direct() {
    let fixture = fixture();
    let echo = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let sink = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (by_udp, by_tcp) = (echo.local_addr().expect("an address"), sink.local_addr().expect("an address"));
    tokio::spawn(async move {
        let mut buffer = vec![0; 65_536];
        while let Ok((length, from)) = echo.recv_from(&mut buffer).await {
            let _ = echo.send_to(&buffer[..length], from).await;
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = sink.accept().await {
            tokio::spawn(async move {
                let mut buffer = vec![0; 65_536];
                while stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
            });
        }
    });
    let at = fixture.service_address();
    let both = table([("dns", udp(at, &[by_udp])), ("dns-tcp", port(at, &[by_tcp]))]);
    fixture.proxy().sync(both).await.expect("a good table");
    for (window, length) in [(1, 64), (32, 64), (32, 1_400)] {
        let (direct, relayed) =
            (answers_a_second(by_udp, window, length).await, answers_a_second(at, window, length).await);
        println!("{window} on their way, {length} bytes: {direct:.0} answers a second direct, {relayed:.0} relayed");
    }
    let (direct, relayed) = (bytes_a_second(by_tcp).await / 1e6, bytes_a_second(at).await / 1e6);
    println!("TCP: {direct:.0} MB a second direct, {relayed:.0} relayed");
}
