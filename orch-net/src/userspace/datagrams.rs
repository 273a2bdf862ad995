//! [`DatagramRelay`]: carries the datagrams that come in at one address.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::task::Poll;
use std::time::Duration;

use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, sockopt};
use tokio::net::UdpSocket;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::config::FlowLimits;
use super::flows::FlowTable;
use super::plan::Owner;
use super::target::Aim;

/// How many datagrams of one socket are carried before other tasks have their turn.
const BATCH: usize = 64;

/// The pause after datagrams could not be received, and that between two complaints about the same.
const PAUSE: Duration = Duration::from_secs(1);

/// More than any datagram has.
const ROOM: usize = 65_536;

thread_local! {
    /// Where datagrams are while they are carried: one for each thread, not for each socket.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; ROOM]);
}

/// Carries the datagrams that come in at one address. Its sockets are closed when it is dropped.
#[derive(Debug)]
pub(super) struct DatagramRelay {
    shared: Arc<Shared>,
    task: AbortHandle,
}

/// What the relay's tasks share: one that receives from clients, and for each flow one that receives from its endpoint.
#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    /// Taking it out closes it there and then, whatever the tasks are doing.
    socket: RwLock<Option<UdpSocket>>,
    state: Mutex<State>,
    /// Tells the task that receives from clients that there is another socket.
    reopened: Notify,
    /// Dropped when the last task is gone.
    _end: watch::Receiver<()>,
}

#[derive(Debug)]
struct State {
    aim: Aim,
    flows: FlowTable<Lead>,
    /// Whether datagrams are to be refused, and whether they are.
    refuse: bool,
    refuses: bool,
    complained: Option<Instant>,
}

/// The socket from which a flow's datagrams go to its endpoint, and the task that brings back the answers.
#[derive(Debug)]
struct Lead {
    socket: Arc<UdpSocket>,
    task: AbortHandle,
}

/// What became of a datagram.
#[derive(Debug)]
enum Sent {
    /// It is on its way, or lost as anywhere on the way.
    Gone,
    /// The endpoint refuses datagrams.
    Refused,
}

/// Takes an address.
pub(super) fn bind(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = std::net::UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl DatagramRelay {
    /// Begins to carry datagrams for `aim`.
    pub(super) fn start(
        socket: UdpSocket,
        address: SocketAddr,
        aim: Aim,
        limits: FlowLimits,
        end: watch::Receiver<()>,
    ) -> Self {
        let state = State { aim, flows: FlowTable::new(limits), refuse: false, refuses: false, complained: None };
        let (socket, state) = (RwLock::new(Some(socket)), Mutex::new(state));
        let shared = Arc::new(Shared { address, socket, state, reopened: Notify::new(), _end: end });
        let task = tokio::spawn(carry_all(Arc::clone(&shared))).abort_handle();
        Self { shared, task }
    }

    /// Whom the datagrams are for.
    pub(super) fn owner(&self) -> Owner {
        self.shared.state().aim.owner()
    }

    /// Datagrams are for `aim` from now on. Flows go on if their endpoints are the same; see [`follow`](Self::follow).
    pub(super) fn hand_over(&self, aim: Aim) {
        self.shared.state().aim = aim;
    }

    /// Ends the flows to endpoints that answer no more. Without an endpoint, datagrams are refused.
    pub(super) fn follow(&self) {
        let mut state = self.shared.state();
        let answering = state.aim.answering();
        state.flows.keep_to(&answering);
        state.refuse = answering.is_empty();
        self.shared.settle(&mut state);
        if state.refuse != state.refuses {
            self.shared.reopened.notify_one();
        }
    }
}

impl Drop for DatagramRelay {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.socket.write().unwrap_or_else(PoisonError::into_inner).take();
        self.shared.state().flows.clear();
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Has the kernel refuse what comes in. A socket that is connected hears its peer alone, and whoever else sends to its
/// address is told that nobody listens. This one is connected to itself, which never sends: so the address is refused,
/// and kept.
fn refuse(socket: &UdpSocket, address: SocketAddr) -> io::Result<()> {
    Ok(rustix::net::connect(socket, &address)?)
}

/// Another socket at the address of one that refuses, to take its place. Linux can release a socket from its peer, but of
/// IPv6 it keeps half of the peer's address.
fn bind_again(refusing: &UdpSocket, address: SocketAddr) -> io::Result<UdpSocket> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket =
        rustix::net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    // Two may have an address while both agree. It is nobody else's at any moment.
    sockopt::set_socket_reuseaddr(refusing, true)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    let bound = rustix::net::bind(&socket, &address);
    sockopt::set_socket_reuseaddr(refusing, false)?;
    sockopt::set_socket_reuseaddr(&socket, false)?;
    bound?;
    UdpSocket::from_std(socket.into())
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn socket(&self) -> RwLockReadGuard<'_, Option<UdpSocket>> {
        self.socket.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has datagrams refused, or no more, as they are to be. Where this process has no room for another socket they are
    /// refused a while longer.
    fn settle(&self, state: &mut State) {
        if state.refuse == state.refuses {
            return;
        }
        let mut slot = self.socket.write().unwrap_or_else(PoisonError::into_inner);
        let Some(socket) = &*slot else { return };
        let settled = if state.refuse {
            refuse(socket, self.address)
        } else {
            bind_again(socket, self.address).map(|another| {
                *slot = Some(another);
                self.reopened.notify_one();
            })
        };
        match settled {
            Ok(()) => state.refuses = state.refuse,
            Err(error) => {
                let service = state.aim.name();
                tracing::warn!(%error, %service, ?PAUSE, "whether datagrams are refused is not changed yet; trying again");
            }
        }
    }

    /// Ends the flows that are over. Returns when to look again.
    fn look_after_flows(&self) -> Option<Instant> {
        let (now, mut state) = (Instant::now(), self.state());
        self.settle(&mut state);
        let next = state.flows.expire(now);
        if state.refuse == state.refuses { next } else { Some(now + PAUSE) }
    }

    /// Waits for a datagram. Returns whether the socket is still there.
    async fn readable(&self) -> io::Result<bool> {
        poll_fn(|context| match &*self.socket() {
            Some(socket) => socket.poll_recv_ready(context).map_ok(|()| true),
            None => Poll::Ready(Ok(false)),
        })
        .await
    }

    /// Carries some of the datagrams that are there.
    fn receive(self: &Arc<Self>) -> io::Result<()> {
        BUFFER.with_borrow_mut(|buffer| {
            for _ in 0..BATCH {
                let received = self.socket().as_ref().map(|socket| socket.try_recv_from(buffer));
                match received {
                    Some(Ok((length, client))) => self.carry(client, &buffer[..length]),
                    None => break,
                    Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Some(Err(error)) => return Err(error),
                }
            }
            Ok(())
        })
    }

    /// Carries a datagram to the endpoint of its flow; if there is none, or that refuses, to another one.
    fn carry(self: &Arc<Self>, client: SocketAddr, datagram: &[u8]) {
        let now = Instant::now();
        let mut state = self.state();
        if let Some((endpoint, lead)) = state.flows.lead(client, now) {
            match send(lead.socket.as_ref(), datagram) {
                Sent::Gone => return,
                Sent::Refused => state.flows.refused(client, endpoint),
            }
        }
        // Whoever refused earlier datagrams comes last, whoever refuses this one has refused it.
        let mut earlier = state.flows.refused_by(client);
        let mut tried = Vec::new();
        loop {
            let left_out = [&*earlier, &*tried].concat();
            let Some(endpoint) = state.aim.pick(client.ip(), &left_out) else {
                if earlier.is_empty() {
                    return;
                }
                earlier.clear();
                continue;
            };
            match self.begin(&mut state, client, endpoint, datagram, now) {
                Ok(Sent::Gone) => return,
                Ok(Sent::Refused) => tried.push(endpoint),
                Err(error) => return state.out_of_room(&error, now),
            }
        }
    }

    /// Begins a flow with its first datagram. Fails if this process or machine has no room for another socket.
    fn begin(
        self: &Arc<Self>,
        state: &mut State,
        client: SocketAddr,
        endpoint: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> io::Result<Sent> {
        let any = if endpoint.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = bind(SocketAddr::new(any, 0))?;
        if socket.connect(endpoint).is_err() {
            return Ok(Sent::Refused);
        }
        // On this machine a refusal is there as soon as the datagram is sent.
        if let Sent::Refused = send(&socket, datagram) {
            return Ok(Sent::Refused);
        }
        if socket.take_error()?.is_some() {
            return Ok(Sent::Refused);
        }
        let socket = Arc::new(UdpSocket::from_std(socket)?);
        let task = tokio::spawn(answer_all(Arc::clone(self), client, endpoint, Arc::clone(&socket))).abort_handle();
        state.flows.begin(client, endpoint, Lead { socket, task }, now);
        Ok(Sent::Gone)
    }

    /// Brings back some of the answers that are there. Returns whether there may be more.
    fn answer(&self, client: SocketAddr, endpoint: SocketAddr, from: &UdpSocket) -> bool {
        BUFFER.with_borrow_mut(|buffer| {
            for _ in 0..BATCH {
                let length = match from.try_recv(buffer) {
                    Ok(length) => length,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => {
                        self.state().flows.refused(client, endpoint);
                        return false;
                    }
                };
                if !self.state().flows.answered(client, endpoint, Instant::now()) {
                    return false;
                }
                let socket = self.socket();
                let Some(socket) = &*socket else { return false };
                if let Err(error) = rustix::net::sendto(socket, &buffer[..length], SendFlags::DONTWAIT, &client) {
                    tracing::debug!(%error, %client, %endpoint, "an answer is lost");
                }
            }
            true
        })
    }
}

impl State {
    /// Gives room to the next flow; the datagram of this one is lost.
    fn out_of_room(&mut self, error: &io::Error, now: Instant) {
        self.flows.make_room();
        if self.complained.is_none_or(|last| now.saturating_duration_since(last) >= PAUSE) {
            self.complained = Some(now);
            tracing::warn!(%error, service = %self.aim.name(), "no socket for another client; the longest silent one gives way");
        }
    }
}

fn send(socket: &impl std::os::fd::AsFd, datagram: &[u8]) -> Sent {
    let Err(error) = rustix::net::send(socket, datagram, SendFlags::DONTWAIT) else { return Sent::Gone };
    match error.kind() {
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::PermissionDenied => Sent::Refused,
        _ => Sent::Gone,
    }
}

/// Carries datagrams until the socket is taken away.
async fn carry_all(shared: Arc<Shared>) {
    loop {
        let next = shared.look_after_flows();
        let received = tokio::select! {
            biased;
            ready = shared.readable() => match ready {
                Ok(true) => shared.receive(),
                Ok(false) => return,
                Err(error) => Err(error),
            },
            () = shared.reopened.notified() => continue,
            () = until(next) => continue,
        };
        if let Err(error) = received {
            let service = shared.state().aim.name().to_string();
            tracing::warn!(%error, service, ?PAUSE, "cannot receive datagrams; trying again after a pause");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Brings back the answers of one flow until it ends.
async fn answer_all(shared: Arc<Shared>, client: SocketAddr, endpoint: SocketAddr, from: Arc<UdpSocket>) {
    while from.readable().await.is_ok() {
        if !shared.answer(client, endpoint, &from) {
            return;
        }
    }
}
