//! [`Forwarder`]: asks other name servers.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::base::iana::OptRcode;
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::authority::{ROOM_TCP, ROOM_UDP, room_for};
use super::question::{self, Question};
use super::upstream::{self, Verdict};
use super::{DnsConfig, answer, tcp};

/// Asks other name servers, one after another until one answers.
///
/// Each question gets a number, a port and a mixture of upper and lower case that nobody can guess, so that no stranger
/// can answer in place of the server that was asked. A question that comes back in that very case while it waits is
/// this server's own: the others ask it what it asks them. It is refused, which ends the loop.
#[derive(Debug)]
pub(super) struct Forwarder {
    upstreams: Vec<SocketAddr>,
    patience: Duration,
    room: Semaphore,
    waiting: Mutex<BTreeSet<Waiting>>,
    chance: Chance,
}

/// A question that waits for an answer: its name as it was sent, and its type.
type Waiting = (Vec<u8>, u16);

/// How a question is asked: as the client asked it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Udp,
    Tcp,
}

impl Forwarder {
    pub(super) fn new(config: &DnsConfig) -> Self {
        Self {
            upstreams: config.upstreams.clone(),
            patience: config.upstream_timeout,
            room: Semaphore::new(config.forwards_max.min(Semaphore::MAX_PERMITS)),
            waiting: Mutex::default(),
            chance: Chance::default(),
        }
    }

    /// What others answer to `message`, or why they do not.
    pub(super) async fn ask(&self, message: &[u8], over: Over) -> Option<Vec<u8>> {
        let question = question::read(message).ok()?;
        let room = room_for(&question, if over == Over::Udp { ROOM_UDP } else { ROOM_TCP });
        let failure = |code| answer::without_records(&question, code, false, room);
        let Ok(_permit) = self.room.try_acquire() else { return failure(OptRcode::SERVFAIL) };
        if self.waiting().contains(&(question.name.as_slice().to_vec(), question.rtype.to_int())) {
            tracing::warn!(name = %question.name, "an upstream asks what it is asked: it must not lead back here");
            return failure(OptRcode::REFUSED);
        }
        let name = upstream::disguise(question.name.as_slice(), || self.chance.next());
        let _waiting = self.wait(&question, &name);
        let mut last = None;
        for address in &self.upstreams {
            let query = upstream::query(&question, &name, self.chance.number())?;
            match timeout(self.patience, exchange(*address, &query, over)).await {
                Ok(Ok(answer)) if upstream::is_final(&answer) => {
                    return upstream::give_back(&question, answer, room);
                }
                Ok(Ok(answer)) => last = Some(answer),
                Ok(Err(error)) => tracing::debug!(%error, %address, "an upstream does not answer"),
                Err(_) => tracing::debug!(%address, "an upstream does not answer in time"),
            }
        }
        last.map_or_else(|| failure(OptRcode::SERVFAIL), |answer| upstream::give_back(&question, answer, room))
    }

    /// Notes that a question waits, if it can be told from those of clients by its case.
    fn wait(&self, question: &Question<'_>, name: &[u8]) -> Option<WaitGuard<'_>> {
        let can_be_told = name != question.name.as_slice() && name.iter().any(u8::is_ascii_uppercase);
        let waiting = (name.to_vec(), question.rtype.to_int());
        let is_new = can_be_told && self.waiting().insert(waiting.clone());
        is_new.then_some(WaitGuard { forwarder: self, waiting })
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeSet<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question waits until this is dropped.
struct WaitGuard<'a> {
    forwarder: &'a Forwarder,
    waiting: Waiting,
}

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        self.forwarder.waiting().remove(&self.waiting);
    }
}

/// Numbers that nobody can guess who does not know the operating system's key: those of an ordinary generator can be
/// worked out from some of them.
#[derive(Debug, Default)]
struct Chance {
    key: RandomState,
    count: AtomicU64,
}

impl Chance {
    fn next(&self) -> u64 {
        self.key.hash_one(self.count.fetch_add(1, Ordering::Relaxed))
    }

    fn number(&self) -> u16 {
        u16::try_from(self.next() >> 48).unwrap_or_default()
    }
}

/// Sends a question from a port of its own, and waits for its answer. What else comes in is not heard.
async fn exchange(address: SocketAddr, query: &[u8], over: Over) -> io::Result<Vec<u8>> {
    let failed = || io::Error::other("it does not understand the question");
    if over == Over::Tcp {
        let mut stream = TcpStream::connect(address).await?;
        tcp::send(&mut stream, query).await?;
        let answer = tcp::receive(&mut stream, ROOM_TCP).await?;
        return if upstream::judge(&answer, query) == Verdict::Answer { Ok(answer) } else { Err(failed()) };
    }
    let any: SocketAddr =
        if address.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    socket.send(query).await?;
    let mut buffer = vec![0; 4_096];
    loop {
        let length = socket.recv(&mut buffer).await?;
        match upstream::judge(&buffer[..length], query) {
            Verdict::Answer => return Ok(buffer[..length].to_vec()),
            Verdict::Failure => return Err(failed()),
            Verdict::Stranger => {}
        }
    }
}
