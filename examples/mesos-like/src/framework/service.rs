//! [`RunningService`]: a framework as a service: it answers requests, leads when no other process of it does, and passes
//! requests on to the leader otherwise.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use http::{HeaderName, HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use orch_core::entropy::SeededEntropy;
use orch_core::object::Uid;
use orch_core::store::Check;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Records, RecordsError};
use crate::http::{Answer, Forwarder, Handler, Refusal, Server};
use crate::leader::{Abdication, Candidacy, Candidate, Election, Leadership, follow};
use crate::signals::Signals;
use crate::store::{SharedStore, StoreChoice, StoreOpenError};

/// Between two attempts to read what is recorded.
const RETRY: Duration = Duration::from_millis(500);

/// What is said as long as nobody is known to lead.
const UNKNOWN: &str = "no leader is known yet: try again in a moment";

/// A framework as a service, before it runs.
pub struct Service {
    /// What the framework is called; processes of one name in one store are one framework, of which one leads.
    pub name: String,
    /// Where it listens.
    pub listen: SocketAddr,
    /// What others are told instead, as `host:port`.
    pub advertised: Option<String>,
    /// Where its processes agree on who leads, and what outlives them.
    pub store: StoreChoice,
    /// How long a leader that is not heard of is waited for.
    pub patience: Duration,
    /// What it calls itself to the leader when it passes a request on.
    pub via: &'static str,
    /// The header in which an answer that was passed on says who leads.
    pub leader_header: HeaderName,
    /// What it does when it leads; or why it cannot with what is recorded, which is tried again after a while.
    pub begin: Begin,
}

/// How a time begins in which a process leads.
pub type Begin = Box<dyn Fn(Term) -> Result<Leading, String> + Send + Sync>;

/// The beginning of a time in which a process leads.
#[derive(Debug)]
pub struct Term {
    /// Where to record what must not be forgotten; every write depends on that this process leads.
    pub records: Records,
    /// What is recorded.
    pub recorded: BTreeMap<String, serde_json::Value>,
    /// Where this process is, as `host:port`.
    pub address: String,
    /// Ends the time in which it leads.
    pub abdication: Abdication,
}

/// What leads.
pub struct Leading {
    /// Answers requests.
    pub handler: Arc<dyn Handler>,
    /// Ends when this process is to lead no longer; it is dropped when it does not any more. A new term follows when it is
    /// elected again.
    pub ended: BoxFuture<'static, ()>,
}

/// A service that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct RunningService {
    address: SocketAddr,
    candidacy: Candidacy<Process>,
    terms: JoinSet<()>,
    _server: Server,
}

/// Why a service does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// It cannot listen where it should.
    #[error("cannot listen on {address}: {error}. Choose another --http_address or --http_port")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the operating system says.
        error: io::Error,
    },
    /// Its store cannot be opened.
    #[error("cannot open --store={store}: {error}")]
    Store {
        /// Which.
        store: String,
        /// Why.
        error: StoreOpenError,
    },
}

impl RunningService {
    /// Starts a service.
    ///
    /// # Errors
    /// [`ServiceError`]
    pub async fn start(service: Service) -> Result<Self, ServiceError> {
        let opened = service.store.open().await;
        let store = opened.map_err(|error| ServiceError::Store { store: service.store.to_string(), error })?;
        let listen = |error| ServiceError::Listen { address: service.listen, error };
        let listener = TcpListener::bind(service.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let told = service.advertised.clone().unwrap_or_else(|| address.to_string());
        let (stand, stands) = watch::channel(Stand::Unable(UNKNOWN.to_owned()));
        let (forwarder, header) = (Forwarder::new(service.via), service.leader_header.clone());
        let server = Server::start(listener, Arc::new(Front { stands, forwarder, header })).map_err(listen)?;
        let id = Uid::random(&SeededEntropy::from_os()).to_string();
        let candidacy = Election {
            store: Arc::clone(&store),
            office: format!("framework/{}", service.name),
            me: Process { id, address: told.clone() },
            patience: service.patience,
            alone: !service.store.is_shared(),
        }
        .stand();
        let abdication = candidacy.abdication();
        let seat = Seat { name: service.name, store, begin: service.begin, told, abdication, stand };
        let mut terms = JoinSet::new();
        terms.spawn(seat.hold(candidacy.leadership()));
        Ok(Self { address, candidacy, terms, _server: server })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it, and lets another process lead at once. What it runs goes on.
    pub async fn stop(mut self) {
        self.terms.shutdown().await;
        self.candidacy.resign().await;
    }
}

impl fmt::Debug for Leading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Leading")
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("name", &self.name).field("listen", &self.listen).finish_non_exhaustive()
    }
}

/// A process of a framework, as the others know it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Process {
    id: String,
    address: String,
}

impl Candidate for Process {
    fn id(&self) -> &str {
        &self.id
    }

    fn told(&self) -> serde_json::Value {
        serde_json::json!({ "id": self.id, "address": self.address })
    }

    fn of(told: &serde_json::Value) -> Option<Self> {
        Self::deserialize(told).ok()
    }
}

/// Who answers, as one process knows it.
#[derive(Clone)]
enum Stand {
    /// Nobody can answer, and why.
    Unable(String),
    Follows(String),
    Leads(Arc<dyn Handler>),
}

struct Front {
    stands: watch::Receiver<Stand>,
    forwarder: Forwarder,
    header: HeaderName,
}

#[async_trait]
impl Handler for Front {
    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Answer {
        let stand = self.stands.borrow().clone();
        match stand {
            Stand::Leads(handler) => handler.answer(request, peer).await,
            Stand::Follows(leader) => match self.forwarder.forward(&leader, request).await {
                Ok(mut answer) => {
                    let leader = HeaderValue::try_from(format!("http://{leader}")).ok();
                    answer.headers_mut().extend(leader.map(|leader| (self.header.clone(), leader)));
                    answer
                }
                Err(refusal) => refusal.into(),
            },
            Stand::Unable(reason) => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason).into(),
        }
    }
}

struct Seat {
    name: String,
    store: Arc<dyn SharedStore>,
    begin: Begin,
    told: String,
    abdication: Abdication,
    stand: watch::Sender<Stand>,
}

impl Seat {
    /// Follows or leads, as it is elected, for ever.
    async fn hold(self, leadership: watch::Receiver<Leadership<Process>>) {
        follow(leadership, |now| self.stand(now)).await;
        self.stand.send_replace(Stand::Unable(UNKNOWN.to_owned()));
    }

    async fn stand(&self, now: Leadership<Process>) {
        match now {
            Leadership::Unknown => drop(self.stand.send_replace(Stand::Unable(UNKNOWN.to_owned()))),
            Leadership::Other(leader) => drop(self.stand.send_replace(Stand::Follows(leader.address))),
            Leadership::Me(claim) => self.lead(claim).await,
        }
    }

    /// One term after another, as long as this process leads.
    async fn lead(&self, claim: Check) {
        loop {
            self.stand.send_replace(Stand::Unable(UNKNOWN.to_owned()));
            match Records::open(Arc::clone(&self.store) as _, claim.clone(), &self.name).await {
                Ok((records, recorded)) => {
                    tracing::info!(framework = self.name, records = recorded.len(), "this process leads");
                    let (address, abdication) = (self.told.clone(), self.abdication.clone());
                    match (self.begin)(Term { records, recorded, address, abdication }) {
                        Ok(leading) => {
                            self.stand.send_replace(Stand::Leads(leading.handler));
                            leading.ended.await;
                            tracing::warn!(framework = self.name, "a term has ended; what is recorded is read anew");
                        }
                        Err(reason) => self.cannot_lead(reason).await,
                    }
                }
                Err(error @ (RecordsError::Corrupt { .. } | RecordsError::Owner { .. })) => {
                    self.cannot_lead(error.to_string()).await;
                }
                Err(error) => tracing::warn!(%error, "what is recorded cannot be read yet"),
            }
            sleep(RETRY).await;
        }
    }

    async fn cannot_lead(&self, reason: String) {
        tracing::error!(framework = self.name, reason, "this process cannot lead");
        self.stand.send_replace(Stand::Unable(format!("this process cannot lead: {reason}")));
        sleep(RETRY * 10).await;
    }
}

/// Runs a service until a signal ends it; what it runs goes on. It says where it listens.
pub async fn run(
    starting: impl Future<Output = Result<RunningService, ServiceError>>,
    said: impl FnOnce(SocketAddr) -> String,
) -> ExitCode {
    let started = async {
        let signals = Signals::listen().map_err(|error| format!("cannot listen for signals: {error}"))?;
        Ok::<_, String>((signals, starting.await.map_err(|error| error.to_string())?))
    };
    let (mut signals, running) = match started.await {
        Ok(started) => started,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    eprintln!("{}", said(running.address()));
    signals.end().await;
    running.stop().await;
    ExitCode::SUCCESS
}
