//! [`Network`]: the connections between the members of a cluster, which can be cut.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::task::AbortHandle;

use super::etcd::Etcd;

/// The connections between the members of a cluster. Each member is reached by the others through a gate, which passes
/// everything on, unless either end is cut off.
#[derive(Debug, Default)]
pub(super) struct Network {
    gates: Vec<AbortHandle>,
    traffic: Arc<Mutex<Traffic>>,
}

#[derive(Debug, Default)]
struct Traffic {
    /// The member that is cut off from the others.
    isolated: Option<usize>,
    connections: Vec<Connection>,
}

#[derive(Debug)]
struct Connection {
    from: usize,
    to: usize,
    passing: AbortHandle,
}

impl Network {
    /// Opens a gate for each member, at the address that the others have of it.
    ///
    /// # Errors
    /// When a port was taken meanwhile.
    pub(super) fn open(members: &Arc<Vec<Etcd>>) -> io::Result<Self> {
        let mut network = Self::default();
        for (to, member) in members.iter().enumerate() {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, member.ports().advertised))?;
            listener.set_nonblocking(true)?;
            let gate = accept(listener, to, Arc::downgrade(members), Arc::clone(&network.traffic));
            network.gates.push(RUNTIME.spawn(gate).abort_handle());
        }
        Ok(network)
    }

    /// Ends all connections of this member with others, and lets no new one come about. `None` ends the isolation.
    pub(super) fn isolate(&self, member: Option<usize>) {
        let mut traffic = lock(&self.traffic);
        traffic.isolated = member;
        traffic.connections.retain(|connection| {
            let cut = member == Some(connection.from) || member == Some(connection.to);
            if cut {
                connection.passing.abort();
            }
            !cut && !connection.passing.is_finished()
        });
    }
}

/// A runtime of a thread of its own: that of a test stands still while the test does something that blocks.
static RUNTIME: LazyLock<Handle> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_io().build().expect("the operating system gives a runtime");
    let handle = runtime.handle().clone();
    let run = move || runtime.block_on(std::future::pending::<()>());
    thread::Builder::new().name("network".to_owned()).spawn(run).expect("the operating system gives a thread");
    handle
});

impl Drop for Network {
    fn drop(&mut self) {
        self.gates.iter().for_each(AbortHandle::abort);
        lock(&self.traffic).connections.iter().for_each(|connection| connection.passing.abort());
    }
}

/// Changes under the lock are made in one go: a panic elsewhere leaves them whole.
fn lock(traffic: &Mutex<Traffic>) -> MutexGuard<'_, Traffic> {
    traffic.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The gate of member `to`.
async fn accept(listener: std::net::TcpListener, to: usize, members: Weak<Vec<Etcd>>, traffic: Arc<Mutex<Traffic>>) {
    let listener = TcpListener::from_std(listener).expect("the runtime takes a socket");
    // An error is of the one connection that could not be accepted; without members nobody needs the gate.
    while let (accepted, Some(members)) = (listener.accept().await, members.upgrade()) {
        let Ok((incoming, caller)) = accepted else { continue };
        let Some(from) = socket_of(caller).and_then(|socket| members.iter().position(|member| member.has(&socket)))
        else {
            continue;
        };
        let port = members[to].ports().peer;
        let mut traffic = lock(&traffic);
        if traffic.isolated.is_none_or(|isolated| isolated != from && isolated != to) {
            let passing = RUNTIME.spawn(pass(incoming, port)).abort_handle();
            traffic.connections.push(Connection { from, to, passing });
        }
    }
}

async fn pass(mut incoming: TcpStream, port: u16) {
    if let Ok(mut outgoing) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
        // A broken connection is an ended one; who is at its ends finds out.
        let _ = tokio::io::copy_bidirectional(&mut incoming, &mut outgoing).await;
    }
}

/// The socket that calls from this address on this machine, as Linux names it among the open files of its process.
fn socket_of(caller: SocketAddr) -> Option<String> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    // proc(5): after a number, the local address in hexadecimal, then much else; the tenth word is the inode.
    let local = format!("0100007F:{:04X}", caller.port());
    let line = table.lines().find(|line| line.split_whitespace().nth(1) == Some(&local))?;
    Some(format!("socket:[{}]", line.split_whitespace().nth(9)?))
}
