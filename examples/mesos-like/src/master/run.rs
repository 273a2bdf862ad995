//! [`RunningMaster`]: a master from its start to its end, leading whenever no other one does.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use orch_core::clock::{Clock as _, SystemClock};
use orch_core::entropy::SeededEntropy;
use orch_core::store::Check;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::about::About;
use super::flags::MasterFlags;
use super::front::{Front, Leads, Stand};
use super::leading::lead;
use super::registry::{Registered, Registry, RegistryError};
use crate::http::Server;
use crate::leader::{Candidacy, Candidate, Election, Leadership, follow};
use crate::signals::Signals;
use crate::store::{SharedStore, StoreOpenError};
use crate::wire::{MasterInfo, MediaType};

/// Between two attempts to read what is recorded.
const RETRY: Duration = Duration::from_millis(500);

/// A master that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct RunningMaster {
    about: Arc<About>,
    address: SocketAddr,
    candidacy: Candidacy<MasterInfo>,
    /// The terms, and the server: whichever is dropped ends its streams.
    terms: JoinSet<()>,
    _server: Server,
}

/// Why a master does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MasterError {
    /// It cannot listen where it should.
    #[error("cannot listen on {address}: {error}. Choose another --ip or --port")]
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

/// A term of a leading master: what answers, and what returns if the term ends by itself.
pub(crate) struct Term {
    pub(crate) leads: Arc<dyn Leads>,
    pub(crate) ended: BoxFuture<'static, ()>,
}

/// What begins a term: with the registry, and all that an earlier master recorded in it.
pub(crate) type Begin = Arc<dyn Fn(&Arc<About>, Registry, Registered) -> Term + Send + Sync>;

impl RunningMaster {
    /// Starts a master.
    ///
    /// # Errors
    /// [`MasterError`]
    pub async fn start(flags: MasterFlags) -> Result<Self, MasterError> {
        Self::start_with(flags, Arc::new(lead)).await
    }

    /// Starts a master whose terms begin so.
    pub(crate) async fn start_with(flags: MasterFlags, begin: Begin) -> Result<Self, MasterError> {
        let store = flags.store.open().await.map_err(|error| {
            let store = flags.store.to_string();
            MasterError::Store { store, error }
        })?;
        Self::start_on(flags, store, begin).await
    }

    /// Starts a master on a store that is open.
    pub(crate) async fn start_on(
        flags: MasterFlags,
        store: Arc<dyn SharedStore>,
        begin: Begin,
    ) -> Result<Self, MasterError> {
        let wanted = SocketAddr::new(flags.ip, flags.port);
        let listen = |error| MasterError::Listen { address: wanted, error };
        let listener = TcpListener::bind(wanted).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let about = About::new(flags, address.port(), SystemClock.now(), &SeededEntropy::from_os());
        let about = Arc::new(about);
        let (stand, stands) = watch::channel(Stand::Unknown);
        let server = Server::start(listener, Arc::new(Front::new(Arc::clone(&about), stands))).map_err(listen)?;
        let candidacy = Election {
            store: Arc::clone(&store),
            office: "master".to_owned(),
            me: about.info.clone(),
            patience: about.flags.leader_timeout,
            alone: !about.flags.store.is_shared(),
        }
        .stand();
        let seat = Seat { about: Arc::clone(&about), store, stand, begin };
        let mut terms = JoinSet::new();
        terms.spawn(seat.hold(candidacy.leadership()));
        Ok(Self { about, address, candidacy, terms, _server: server })
    }

    /// What it is.
    #[must_use]
    pub fn about(&self) -> &Arc<About> {
        &self.about
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it, and lets another one lead at once.
    pub async fn stop(mut self) {
        self.terms.shutdown().await;
        self.candidacy.resign().await;
    }
}

impl Candidate for MasterInfo {
    fn id(&self) -> &str {
        &self.id
    }

    fn told(&self) -> serde_json::Value {
        // What a message is encoded to is JSON.
        serde_json::from_slice(&MediaType::Json.encode(self)).unwrap_or_default()
    }

    fn of(told: &serde_json::Value) -> Option<Self> {
        MediaType::Json.decode(&serde_json::to_vec(told).ok()?, "MasterInfo").ok()
    }
}

struct Seat {
    about: Arc<About>,
    store: Arc<dyn SharedStore>,
    stand: watch::Sender<Stand>,
    begin: Begin,
}

impl Seat {
    /// Follows or leads, as it is elected, for ever.
    async fn hold(self, leadership: watch::Receiver<Leadership<MasterInfo>>) {
        follow(leadership, |now| self.stand(now)).await;
        self.stand.send_replace(Stand::Unknown);
    }

    async fn stand(&self, now: Leadership<MasterInfo>) {
        match now {
            Leadership::Unknown => drop(self.stand.send_replace(Stand::Unknown)),
            Leadership::Other(leader) => drop(self.stand.send_replace(Stand::Follows(Box::new(leader)))),
            Leadership::Me(claim) => self.lead(claim).await,
        }
    }

    /// A term, until it ends by itself or is given up.
    async fn lead(&self, claim: Check) {
        self.stand.send_replace(Stand::Recovers);
        // Whoever waits for this term's end also sees that it is over, however it ends.
        let over = Over(&self.stand);
        let (registry, registered) = loop {
            match Registry::open(Arc::clone(&self.store) as _, claim.clone()).await {
                Ok(opened) => break opened,
                Err(error @ RegistryError::Corrupt { .. }) => {
                    tracing::error!(%error, "this master cannot lead with what is recorded");
                    sleep(RETRY * 10).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "what is recorded cannot be read yet");
                    sleep(RETRY).await;
                }
            }
        };
        let agents = registered.agents.len();
        tracing::info!(agents, frameworks = registered.frameworks.len(), "recovered what an earlier master recorded");
        let term = (self.begin)(&self.about, registry, registered);
        self.stand.send_replace(Stand::Leads(term.leads));
        term.ended.await;
        drop(over);
    }
}

/// Nobody leads any more, as far as this master knows, when this is dropped.
struct Over<'a>(&'a watch::Sender<Stand>);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.send_replace(Stand::Unknown);
    }
}

/// Runs a master until a signal ends it.
pub async fn master(flags: MasterFlags) -> ExitCode {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("error: cannot listen for signals: {error}");
            return ExitCode::FAILURE;
        }
    };
    let store = flags.store.to_string();
    let running = match RunningMaster::start(flags).await {
        Ok(running) => running,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    eprintln!("master {} listens on {}, with the store {store}", running.about().info.id, running.address());
    signals.end().await;
    running.stop().await;
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use orch_store::MemoryStore;
    use tokio::time::timeout;

    use super::*;
    use crate::http::{Client, ClientError};
    use crate::master::flags::tests::flags;
    use crate::master::front::tests::Echo;
    use crate::master::registry::{RegistryChange, RoleRecord};

    /// Each term counts in the registry how many there were.
    fn counting() -> Begin {
        Arc::new(|_, registry, registered| {
            let before = registered.roles.get("terms").and_then(|role| role.weight).unwrap_or(0.0);
            let count = RoleRecord { role: "terms".to_owned(), weight: Some(before + 1.0), quota: None };
            let ended = Box::pin(async move {
                registry.record(vec![RegistryChange::Role(count)]).await.expect("this master leads");
                std::future::pending().await
            });
            Term { leads: Arc::new(Echo), ended }
        })
    }

    async fn start(store: &Arc<dyn SharedStore>) -> RunningMaster {
        // That the store is another one does not matter to who is alone with it.
        let flags = flags(&["--port=0", "--leader_timeout=1secs", "--store=etcd://127.0.0.1:1"]).expect("flags");
        RunningMaster::start_on(flags, Arc::clone(store), counting()).await.expect("started")
    }

    async fn said(master: &RunningMaster) -> Result<String, StatusCode> {
        match Client::default().get(&master.address().to_string(), "/state").await {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(ClientError::Refused { status, .. }) => Err(status),
            Err(error) => panic!("{error}"),
        }
    }

    async fn leads(master: &RunningMaster) {
        let led = async {
            let mut stand = master.candidacy.leadership();
            stand.wait_for(Leadership::is_mine).await.expect("it runs");
            while said(master).await != Ok("State  GET".to_owned()) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(20), led).await.expect("in time");
    }

    #[tokio::test]
    async fn one_master_leads_the_others_lead_to_it_and_the_next_one_knows_what_it_recorded() {
        let store: Arc<dyn SharedStore> = Arc::new(MemoryStore::default());
        let first = start(&store).await;
        leads(&first).await;
        let second = start(&store).await;
        let follows = async {
            // The client goes where it is sent.
            while said(&second).await != Ok("State  GET".to_owned()) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(20), follows).await.expect("in time");
        assert!(!second.candidacy.leadership().borrow().is_mine());
        // It is killed: nobody is told.
        drop(first);
        leads(&second).await;
        let third = start(&store).await;
        second.stop().await;
        leads(&third).await;
        let claim = third.candidacy.leadership().borrow().clone();
        let Leadership::Me(claim) = claim else { panic!("{claim:?}") };
        let (_, registered) = Registry::open(store, claim).await.expect("read");
        assert_eq!(registered.roles["terms"].weight, Some(3.0));
    }

    #[tokio::test]
    async fn a_master_that_cannot_start_says_what_to_do() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let taken = flags(&[&format!("--port={port}")]).expect("flags");
        let error = RunningMaster::start_with(taken, counting()).await.expect_err("taken").to_string();
        assert!(error.contains("Choose another --ip or --port"), "{error}");
        let nowhere = flags(&["--store=embedded:/proc/none"]).expect("flags");
        let error = RunningMaster::start_with(nowhere, counting()).await.expect_err("no folder").to_string();
        assert!(error.contains("--store=embedded:/proc/none"), "{error}");
    }
}
