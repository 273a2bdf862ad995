//! [`LeaderElection`]: one of several acts, the others stand by.

mod fenced_store;
mod office;

use std::sync::Arc;
use std::time::Duration;

use orch_core::client::Client;
use orch_core::entropy::Entropy;
use orch_core::key::{Key, KeyError};
use orch_core::kind::Object as _;
use orch_core::object::Lease;
use orch_core::revision::Revision;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

pub use fenced_store::FencedStore;
use office::{Office, Round};

use super::runner::is_set;

/// Elects one of several candidates, who all know the same [`Lease`].
///
/// A lease alone keeps nobody from writing: whoever held it may have been suspended in the middle of a write and
/// finish it an hour later. So there are two objects. The *lease* says who may try: it is renewed all the time, and
/// taken when it was not renewed for its duration. The *fence*, a lease called `<name>-fence`, says whose writes count: a
/// new leader writes it once, after it took the lease and before it acts. The revision of that write is its
/// [`FencingToken`]. A [`FencedStore`] makes every write depend on the fence being unchanged: renewals do not disturb
/// it, and once another leader has taken office, an old one's write is refused for ever.
///
/// Whether a lease has expired is judged by the time that passed on the candidate's own machine since it saw the
/// lease change. The times in the lease are for people: clocks of two machines are never compared.
#[derive(Debug)]
pub struct LeaderElection {
    /// Reads and writes lease and fence.
    pub client: Client,
    /// Spreads the candidates' attempts over time.
    pub entropy: Arc<dyn Entropy>,
    /// Where the lease is.
    pub namespace: String,
    /// What the lease is called.
    pub name: String,
    /// Who this candidate is. No other one may be called so.
    pub identity: String,
    /// How soon things happen.
    pub timing: ElectionTiming,
}

/// How soon a leader is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElectionTiming {
    /// Others take over when the lease was not renewed for so long. At least a second; rounded up to whole ones.
    pub lease: Duration,
    /// The leader stops acting when it could not renew the lease for so long. Shorter than `lease`, so that it has
    /// stopped when another begins.
    pub renew_within: Duration,
    /// How often the leader renews the lease, and the others look at it.
    pub retry: Duration,
}

impl Default for ElectionTiming {
    /// 15, 10 and 2 seconds, as Kubernetes' own components.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { lease: seconds(15), renew_within: seconds(10), retry: seconds(2) }
    }
}

/// Proves that its holder was elected. Later leaders have greater tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FencingToken {
    fence: Key,
    revision: Revision,
}

impl FencingToken {
    /// The token as a number, to hand to something outside the store that refuses numbers smaller than one it knows.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }
}

/// What a candidate holds while it leads.
#[derive(Clone, Debug)]
struct Mandate {
    token: FencingToken,
    until: Instant,
}

impl LeaderElection {
    /// Becomes a candidate, on the tokio runtime that this is called on.
    ///
    /// # Errors
    /// [`KeyError`] when namespace or name are no names.
    pub fn stand(self) -> Result<Candidacy, KeyError> {
        let key = |name: &str| Key::new(&Lease::KIND, Some(&self.namespace), name);
        let (lease, fence) = (key(&self.name)?, key(&format!("{}-fence", self.name))?);
        let office = Office::new(self.client, lease, fence, self.identity, self.timing.lease);
        let (mandate, held) = watch::channel(None);
        let (stop, stopping) = watch::channel(false);
        let mut task = JoinSet::new();
        let campaign = Campaign { office, timing: self.timing, entropy: self.entropy, mandate, renewed: None };
        task.spawn(campaign.run(stopping));
        Ok(Candidacy { held, stop, task })
    }
}

/// A candidate in an election. Dropping it ends the candidacy without giving the office back: others take over once the
/// lease has expired.
#[derive(Debug)]
pub struct Candidacy {
    held: watch::Receiver<Option<Mandate>>,
    stop: watch::Sender<bool>,
    task: JoinSet<()>,
}

impl Candidacy {
    /// The token of this candidate, if it is the leader now. By the time this is used another one may be: only a
    /// [`FencedStore`] with this token keeps it from writing then.
    #[must_use]
    pub fn token(&self) -> Option<FencingToken> {
        let mandate = self.held.borrow();
        mandate.as_ref().filter(|mandate| Instant::now() < mandate.until).map(|mandate| mandate.token.clone())
    }

    /// Whether this candidate is the leader now; see [`token`](Self::token).
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.token().is_some()
    }

    /// Waits until this candidate is the leader.
    pub async fn elected(&self) -> FencingToken {
        let mut held = self.held.clone();
        loop {
            if let Some(token) = self.token() {
                return token;
            }
            if held.changed().await.is_err() {
                // The campaign ends only with this candidacy.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until the office of this token is lost.
    pub async fn lost(&self, token: &FencingToken) {
        let mut held = self.held.clone();
        while self.token().as_ref() == Some(token) {
            let until = held.borrow_and_update().as_ref().map_or_else(Instant::now, |mandate| mandate.until);
            // Whichever comes first is a reason to look again.
            let _ = timeout_at(until, held.changed()).await;
        }
    }

    /// Ends the candidacy, and gives the office back if it is held, so that another one can take it at once. Stop
    /// acting first.
    pub async fn resign(mut self) {
        self.stop.send_replace(true);
        while self.task.join_next().await.is_some() {}
    }
}

/// Runs for the office, keeps it, and gives it back.
struct Campaign {
    office: Office,
    timing: ElectionTiming,
    entropy: Arc<dyn Entropy>,
    mandate: watch::Sender<Option<Mandate>>,
    /// When the last renewal that succeeded was begun.
    renewed: Option<Instant>,
}

impl Campaign {
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let begun = Instant::now();
            let limit = self.renewed.unwrap_or(begun) + self.timing.renew_within;
            tokio::select! {
                biased;
                () = is_set(&mut stop) => break,
                round = timeout_at(limit, self.office.round(begun)) => match round {
                    Ok(Ok(Round::Leading(token))) => self.lead(token, begun),
                    Ok(Ok(Round::Following)) => self.follow(),
                    Ok(Err(error)) => tracing::debug!(lease = %self.office.lease, "cannot reach the office: {error}"),
                    Err(_) => {}
                },
            }
            let limit = self.renewed.map(|renewed| renewed + self.timing.renew_within);
            if limit.is_some_and(|limit| limit <= Instant::now()) {
                tracing::warn!(lease = %self.office.lease, "the lease could not be renewed in time: no longer the leader");
                self.follow();
            }
            tokio::select! {
                biased;
                () = is_set(&mut stop) => break,
                () = sleep(self.pause()) => {}
            }
        }
        self.follow();
        let given_back = timeout(self.timing.renew_within, self.office.give_back()).await;
        if !matches!(given_back, Ok(Ok(()))) {
            tracing::warn!(lease = %self.office.lease, "the office could not be given back: others wait until it expires");
        }
    }

    fn lead(&mut self, token: FencingToken, begun: Instant) {
        if self.renewed.is_none() {
            tracing::info!(lease = %self.office.lease, token = token.revision.0, "elected leader");
        }
        self.renewed = Some(begun);
        self.mandate.send_replace(Some(Mandate { token, until: begun + self.timing.renew_within }));
    }

    fn follow(&mut self) {
        self.renewed = None;
        self.office.forget();
        self.mandate.send_if_modified(|mandate| mandate.take().is_some());
    }

    /// The time between two rounds, with a fifth of it by chance.
    fn pause(&self) -> Duration {
        let part = u32::try_from(self.entropy.next_u64() % 1_000).unwrap_or(0);
        self.timing.retry * 4 / 5 + self.timing.retry * part / 5_000
    }
}
