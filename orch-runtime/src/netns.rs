//! Connecting to a port inside the network namespace of a process.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use nix::sched::{CloneFlags, setns};

/// How long connecting may take. Who listens on the same machine answers at once, unless its queue is full.
const CONNECT_TAKES: Duration = Duration::from_secs(10);

/// A connection to a TCP port of the loopback address that a process sees. Needs root.
///
/// A thread of its own enters the namespace and ends: no other thread of this program is ever in it.
pub(crate) async fn connect(pid: u32, port: u16) -> io::Result<tokio::net::TcpStream> {
    let (send, receive) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("netns".to_owned()).spawn(move || {
        // Who asked may have gone.
        let _ = send.send(enter_and_connect(pid, port));
    })?;
    let connected = receive.await.map_err(|_| io::Error::other("the thread that connects has panicked"))?;
    let stream = connected?;
    stream.set_nonblocking(true)?;
    tokio::net::TcpStream::from_std(stream)
}

fn enter_and_connect(pid: u32, port: u16) -> io::Result<TcpStream> {
    let cannot = |doing: &str, error: io::Error| {
        io::Error::new(error.kind(), format!("cannot {doing} the network namespace of process {pid}: {error}"))
    };
    let namespace = File::open(format!("/proc/{pid}/ns/net")).map_err(|error| cannot("see", error))?;
    setns(namespace, CloneFlags::CLONE_NEWNET).map_err(|error| cannot("enter", error.into()))?;
    TcpStream::connect_timeout(&SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port), CONNECT_TAKES)
}
