//! Real connections and datagrams, in whichever network their sockets were opened.

use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::{AT_ONCE, Connection, Datagrams, Source};

/// What answers connections or datagrams.
#[derive(Debug)]
pub(super) struct Backend {
    task: AbortHandle,
    /// The socket that takes connections, once more.
    listener: Option<std::net::TcpListener>,
}

impl Backend {
    /// Takes no more. Whoever was connected is answered, also those that nobody looked after yet.
    pub(super) fn stop(self) {
        self.task.abort();
        while let Some(Ok((stream, peer))) = self.listener.as_ref().map(std::net::TcpListener::accept) {
            stream.set_nonblocking(true).expect("a socket option");
            tokio::spawn(answer(TcpStream::from_std(stream).expect("the runtime takes a socket"), peer));
        }
    }
}

/// Takes connections, and tells each who it is and whom it sees.
pub(super) fn serve(listener: std::net::TcpListener) -> Backend {
    listener.set_nonblocking(true).expect("a socket option");
    let again = listener.try_clone().expect("a socket can be had twice");
    let listener = TcpListener::from_std(listener).expect("the runtime takes a socket");
    let accept = async move {
        while let Ok((stream, peer)) = listener.accept().await {
            tokio::spawn(answer(stream, peer));
        }
    };
    Backend { task: tokio::spawn(accept).abort_handle(), listener: Some(again) }
}

/// Says who this is and whom it sees, then sends back whatever comes.
async fn answer(mut stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
    let address = stream.local_addr()?;
    stream.write_all(format!("{address} {}\n", peer.ip()).as_bytes()).await?;
    let (mut read, mut write) = stream.split();
    tokio::io::copy(&mut read, &mut write).await.map(drop)
}

/// Answers each datagram with who it is.
pub(super) fn serve_datagrams(socket: UdpSocket) -> Backend {
    let answer = async move {
        let mut name = String::new();
        if let Ok(address) = socket.local_addr() {
            let _ = write!(name, "{address}");
        }
        loop {
            // An error is that of an earlier answer, to somebody who is gone.
            if let Ok((_, peer)) = socket.recv_from(&mut [0; 16]).await {
                let _ = socket.send_to(name.as_bytes(), peer).await;
            }
        }
    };
    Backend { task: tokio::spawn(answer).abort_handle(), listener: None }
}

/// Connects a socket that is bound to the client's address.
pub(super) async fn connect(socket: TcpSocket, to: SocketAddr) -> Option<Box<dyn Connection>> {
    let dial = async {
        let client = socket.local_addr()?.ip();
        let mut stream = BufStream::new(socket.connect(to).await?);
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        Ok::<_, io::Error>((client, line, stream))
    };
    let answer = timeout(AT_ONCE, dial).await.expect("a connection is answered or refused at once");
    let (client, line, stream) = answer.ok()?;
    let (backend, seen) = line.trim().split_once(' ')?;
    let source = Source { client, seen: seen.parse::<IpAddr>().ok()? };
    Some(Box::new(TcpConnection { backend: backend.parse().ok()?, source, stream }))
}

#[derive(Debug)]
struct TcpConnection {
    backend: SocketAddr,
    source: Source,
    stream: BufStream<TcpStream>,
}

#[async_trait]
impl Connection for TcpConnection {
    fn backend(&self) -> SocketAddr {
        self.backend
    }

    async fn is_open(&mut self) -> bool {
        let echo = async {
            self.stream.write_all(b"?").await?;
            self.stream.flush().await?;
            self.stream.read_u8().await
        };
        matches!(timeout(AT_ONCE, echo).await, Ok(Ok(b'?')))
    }

    fn source(&self) -> Option<Source> {
        Some(self.source)
    }
}

/// Sends from a socket that is bound to the client's address.
pub(super) async fn datagrams(socket: UdpSocket, to: SocketAddr) -> Box<dyn Datagrams> {
    socket.connect(to).await.expect("a datagram socket can be told where to send");
    Box::new(UdpDatagrams { socket })
}

#[derive(Debug)]
struct UdpDatagrams {
    socket: UdpSocket,
}

#[async_trait]
impl Datagrams for UdpDatagrams {
    async fn ask(&mut self) -> Option<SocketAddr> {
        let ask = async {
            self.socket.send(b"?").await?;
            let mut answer = [0; 64];
            let length = self.socket.recv(&mut answer).await?;
            Ok::<_, io::Error>(String::from_utf8_lossy(&answer[..length]).into_owned())
        };
        let answer = timeout(AT_ONCE, ask).await.expect("a datagram is answered or refused at once");
        answer.ok()?.parse().ok()
    }
}
