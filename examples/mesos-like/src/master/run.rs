//! [`RunningMaster`]: a master from its start to its end, leading whenever no other one does.

use std::io;
use std::net::SocketAddr;
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
use super::leader::{Candidacy, Election, Leadership};
use super::registry::{Registered, Registry, RegistryError};
use super::store::{MasterStore, StoreOpenError};
use crate::http::Server;

/// Between two attempts to read what is recorded.
const RETRY: Duration = Duration::from_millis(500);

/// A master that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct RunningMaster {
    about: Arc<About>,
    address: SocketAddr,
    candidacy: Candidacy,
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
        store: Arc<dyn MasterStore>,
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

struct Seat {
    about: Arc<About>,
    store: Arc<dyn MasterStore>,
    stand: watch::Sender<Stand>,
    begin: Begin,
}

impl Seat {
    /// Follows or leads, as it is elected, for ever.
    async fn hold(self, mut leadership: watch::Receiver<Leadership>) {
        loop {
            let now = leadership.borrow_and_update().clone();
            let term = async {
                match now {
                    Leadership::Unknown => drop(self.stand.send_replace(Stand::Unknown)),
                    Leadership::Other(leader) => drop(self.stand.send_replace(Stand::Follows(leader))),
                    Leadership::Me(claim) => self.lead(claim).await,
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                biased;
                changed = leadership.changed() => if changed.is_err() { break },
                () = term => {}
            }
        }
        self.stand.send_replace(Stand::Unknown);
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
