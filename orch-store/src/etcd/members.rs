//! [`Members`]: which member is asked, and which one next when it fails.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tokio_rustls::TlsConnector;

use super::config::{EtcdConfig, EtcdConfigError};
use super::connection::{Connection, Token};
use super::endpoint::Endpoint;
use super::error::{Failure, Meaning};
use super::tls;
use super::token::Tokens;
use super::wire::Unary;

/// How long to wait until members without a leader are asked again.
const ELECTION_PAUSE: Duration = Duration::from_millis(200);

/// The members of a cluster. All requests go to one of them until it fails; then the next one is asked.
#[derive(Debug)]
pub(super) struct Members {
    slots: Vec<Slot>,
    /// The one that is asked.
    current: AtomicUsize,
    tls: Option<Tls>,
    tokens: Tokens,
    timeout: Duration,
    connect_timeout: Duration,
    /// Of the first member that answered.
    cluster_id: OnceLock<u64>,
}

/// What a request may do to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: it can be asked again elsewhere whatever became of it.
    Reads,
    /// Something: it is asked again only when nothing happened.
    Writes,
}

/// A connection to a member, and the token to send on it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) connection: Connection,
    pub(super) token: Option<Arc<Token>>,
    slot: usize,
}

#[derive(Debug)]
struct Slot {
    endpoint: Endpoint,
    connection: Mutex<Option<Connection>>,
    /// Whoever connects holds it; inside is how the last attempt failed, and how many there were.
    connecting: tokio::sync::Mutex<Option<(Meaning, String)>>,
    attempts: AtomicUsize,
}

/// What encrypts connections.
#[derive(Clone)]
struct Tls(TlsConnector);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Members {
    /// Connects to nobody yet.
    pub(super) fn new(config: &EtcdConfig) -> Result<Self, EtcdConfigError> {
        if config.endpoints.is_empty() {
            return Err(EtcdConfigError::NoEndpoint);
        }
        let server_name = config.tls.as_ref().and_then(|tls| tls.server_name.as_deref());
        let slot = |text: &String| {
            let endpoint = Endpoint::parse(text, config.tls.is_some(), server_name)?;
            Ok(Slot {
                endpoint,
                connection: Mutex::default(),
                connecting: tokio::sync::Mutex::default(),
                attempts: AtomicUsize::new(0),
            })
        };
        Ok(Self {
            slots: config.endpoints.iter().map(slot).collect::<Result<_, _>>()?,
            current: AtomicUsize::new(0),
            tls: config.tls.as_ref().map(tls::connector).transpose()?.map(Tls),
            tokens: Tokens::new(config.credentials.clone()),
            timeout: config.timeout,
            connect_timeout: config.connect_timeout,
            cluster_id: OnceLock::new(),
        })
    }

    /// When a request that begins now has had its time.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// Asks, and asks another member where that cannot do harm, until there is an answer or the time is over.
    pub(super) async fn call<R: Unary>(&self, request: R, effect: Effect) -> Result<R::Answer, Failure> {
        let deadline = self.deadline();
        let ask = |line: Line| {
            let request = request.clone();
            async move { line.connection.unary(request, line.token.as_deref()).await }
        };
        self.with_line(deadline, effect, ask).await
    }

    /// Does something on a line, and again on another one where that cannot do harm, until it succeeds or the time is
    /// over.
    pub(super) async fn with_line<T, Asked>(
        &self,
        deadline: Instant,
        effect: Effect,
        mut ask: impl FnMut(Line) -> Asked,
    ) -> Result<T, Failure>
    where
        Asked: Future<Output = Result<T, Failure>>,
    {
        let mut failures = Failures::default();
        let mut new_token_tried = false;
        loop {
            let line = match self.line(deadline).await {
                Ok(line) => line,
                Err(failure) => return Err(failures.and(failure)),
            };
            let enough = self.enough(deadline, effect, failures.len());
            let asked = match timeout_at(enough, ask(line.clone())).await {
                Ok(asked) => asked,
                Err(_) => Err(self.no_answer(&line)),
            };
            let failure = match asked {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if matches!(failure.meaning, Meaning::TokenEnded | Meaning::Denied) && !new_token_tried {
                if !self.tokens.give_up(line.token.as_ref()).await {
                    return Err(failure.meaning(Meaning::Refused));
                }
                new_token_tried = true;
                continue;
            }
            if !matches!(failure.meaning, Meaning::AskAnother | Meaning::Unknown) {
                return Err(failure);
            }
            self.leave(&line);
            if !failure.may_ask_another() && effect == Effect::Writes {
                return Err(failure);
            }
            failures.push(failure);
            if failures.len() % self.slots.len() == 0 {
                if Instant::now() + ELECTION_PAUSE >= deadline {
                    return Err(failures.all());
                }
                sleep(ELECTION_PAUSE).await;
            }
        }
    }

    /// A connection to the current member, or the next one that can be connected to.
    pub(super) async fn line(&self, deadline: Instant) -> Result<Line, Failure> {
        let first = self.current.load(Ordering::Relaxed);
        let mut failures = Failures::default();
        for index in (first..).take(self.slots.len()) {
            let slot = index % self.slots.len();
            let found = async {
                let connection = self.connection(slot).await?;
                let token = self.tokens.token(&connection).await?;
                Ok(Line { connection, token, slot })
            };
            match timeout_at(deadline, found).await {
                Ok(Ok(line)) => {
                    if slot != first {
                        self.current.store(slot, Ordering::Relaxed);
                    }
                    return Ok(line);
                }
                Ok(Err(failure)) => failures.push(failure),
                Err(_) => {
                    let message = format!("{}: no answer in time", self.slots[slot].endpoint);
                    failures.push(Failure::new(Meaning::AskAnother, message));
                    break;
                }
            }
        }
        Err(failures.all())
    }

    /// Asks the next member from now on, unless somebody saw to that already, and this one on a new connection.
    pub(super) fn leave(&self, line: &Line) {
        self.slots[line.slot].forget(&line.connection);
        let next = (line.slot + 1) % self.slots.len();
        let _ = self.current.compare_exchange(line.slot, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// A read leaves time for the members that have not been asked.
    fn enough(&self, deadline: Instant, effect: Effect, asked: usize) -> Instant {
        if effect == Effect::Reads && asked + 1 < self.slots.len() {
            let now = Instant::now();
            now + deadline.saturating_duration_since(now) / 2
        } else {
            deadline
        }
    }

    fn no_answer(&self, line: &Line) -> Failure {
        let message = format!("{}: no answer in {:?}", line.connection.member.shown, self.timeout);
        Failure::new(Meaning::Unknown, message)
    }

    async fn connection(&self, index: usize) -> Result<Connection, Failure> {
        let slot = &self.slots[index];
        if let Some(connection) = slot.open() {
            return Ok(connection);
        }
        let attempts = slot.attempts.load(Ordering::Acquire);
        let mut last = slot.connecting.lock().await;
        if let Some(connection) = slot.open() {
            return Ok(connection);
        }
        // Somebody tried while this one waited: many who ask at once do not try one after another.
        if let Some((meaning, message)) = &*last
            && slot.attempts.load(Ordering::Acquire) != attempts
        {
            return Err(Failure::new(*meaning, message.clone()));
        }
        let tls = self.tls.as_ref().map(|tls| &tls.0);
        let deadline = Instant::now() + self.connect_timeout;
        let connected = match timeout_at(deadline, Connection::open(&slot.endpoint, tls)).await {
            Ok(connected) => connected.and_then(|connection| self.check_cluster(connection)),
            Err(_) => {
                let message = format!("{}: not connected in {:?}", slot.endpoint, self.connect_timeout);
                Err(Failure::new(Meaning::AskAnother, message))
            }
        };
        slot.attempts.fetch_add(1, Ordering::AcqRel);
        match connected {
            Ok(connection) => {
                *last = None;
                *slot.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection.clone());
                Ok(connection)
            }
            Err(failure) => {
                *last = Some((failure.meaning, failure.message.clone()));
                Err(failure)
            }
        }
    }

    /// Revisions of one cluster mean nothing in another: what is there instead of it, or beside it, is not asked.
    fn check_cluster(&self, connection: Connection) -> Result<Connection, Failure> {
        let member = &connection.member;
        let expected = *self.cluster_id.get_or_init(|| member.cluster_id);
        if member.cluster_id == expected {
            return Ok(connection);
        }
        let message = format!(
            "{} belongs to the cluster {:x}, and not to {expected:x} as before: if the cluster was replaced, start this \
             process anew, otherwise correct the endpoints",
            member.shown, member.cluster_id
        );
        Err(Failure::new(Meaning::Refused, message))
    }
}

impl Slot {
    fn open(&self) -> Option<Connection> {
        let mut held = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(Connection::is_closed) {
            *held = None;
        }
        held.clone()
    }

    fn forget(&self, connection: &Connection) {
        let mut held = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|held| held.is_same(connection)) {
            *held = None;
        }
    }
}

/// Why several members could not do it.
#[derive(Debug, Default)]
struct Failures(Vec<Failure>);

impl Failures {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn push(&mut self, failure: Failure) {
        self.0.push(failure);
    }

    fn and(mut self, failure: Failure) -> Failure {
        self.push(failure);
        self.all()
    }

    /// Refused only if every member refuses; what may have happened at one of them may have happened.
    fn all(mut self) -> Failure {
        if self.0.len() < 2 {
            let nobody = || Failure::new(Meaning::AskAnother, "no member was asked");
            return self.0.pop().unwrap_or_else(nobody);
        }
        let some = |meaning| self.0.iter().any(|failure| failure.meaning == meaning);
        let meaning = if some(Meaning::Unknown) {
            Meaning::Unknown
        } else if self.0.iter().all(|failure| failure.meaning == Meaning::Refused) {
            Meaning::Refused
        } else {
            Meaning::AskAnother
        };
        let mut messages: Vec<String> = self.0.into_iter().map(|failure| failure.message).collect();
        messages.dedup();
        messages.truncate(8);
        Failure::new(meaning, messages.join("; "))
    }
}
