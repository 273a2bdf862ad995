//! [`Election`]: one of several candidates, masters or schedulers of a framework, leads, and all know which.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use orch_core::key::{Key, Prefix};
use orch_core::kind::{Kind, Object, Scope};
use orch_core::object::ObjectMeta;
use orch_core::store::{Check, Claimed, Entry, StoreError, Value, WatchEvent};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::key_name::key_name;
use crate::store::SharedStore;

/// How long a store that does not answer is left alone.
const PAUSE: Duration = Duration::from_millis(200);

/// One who can lead, as it makes itself known to the others.
pub trait Candidate: Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    /// What no other one has, and this one has no longer when it is started again.
    fn id(&self) -> &str;

    /// What the others are told of it, in JSON.
    fn told(&self) -> serde_json::Value;

    /// One of whom this is told.
    fn of(told: &serde_json::Value) -> Option<Self>;
}

/// Elects one of the candidates that have a store in common: the one whose claim it is.
///
/// A claim ends by itself when it is not renewed, so a leader that is cut off, asleep or killed is replaced. It stops leading
/// before its claim can have ended, and what it had under way is refused by the store: every write depends on the claim.
#[derive(Debug)]
pub struct Election<T> {
    /// Where the claim is.
    pub store: Arc<dyn SharedStore>,
    /// What is led: several elections can be held in one store.
    pub office: String,
    /// What the others are told of this candidate.
    pub me: T,
    /// How long a leader that is not heard of is waited for.
    pub patience: Duration,
    /// Whether no other candidate has this store: then a claim that is there is that of an earlier process, and not waited for.
    pub alone: bool,
}

/// Who leads, as one candidate knows it.
#[derive(Clone, Debug, PartialEq)]
pub enum Leadership<T> {
    /// Nobody is known to.
    Unknown,
    /// Another one.
    Other(T),
    /// This one, as long as its claim holds.
    Me(Check),
}

impl<T> Leadership<T> {
    /// Whether it is this candidate.
    #[must_use]
    pub fn is_mine(&self) -> bool {
        matches!(self, Self::Me(_))
    }
}

/// A candidate that leads when no other one does. Dropping it ends that, without a word to the others.
#[derive(Debug)]
pub struct Candidacy<T> {
    leadership: watch::Receiver<Leadership<T>>,
    stop: watch::Sender<bool>,
    abdication: Abdication,
    running: JoinSet<()>,
}

/// Ends a candidate's time as a leader; it stays a candidate.
#[derive(Clone, Debug)]
pub struct Abdication(watch::Sender<()>);

impl Abdication {
    /// Leads no longer, and lets another one lead at once. If there is none, the candidate leads again after a moment.
    pub fn abdicate(&self) {
        self.0.send_replace(());
    }
}

impl<T: Candidate> Election<T> {
    /// Leads from now on whenever no other candidate does.
    #[must_use]
    pub fn stand(self) -> Candidacy<T> {
        let (told, leadership) = watch::channel(Leadership::Unknown);
        let (stop, stopping) = watch::channel(false);
        let (abdicate, abdicated) = watch::channel(());
        let mut running = JoinSet::new();
        running.spawn(Campaign { election: self, told, abdicated }.run(stopping));
        Candidacy { leadership, stop, abdication: Abdication(abdicate), running }
    }
}

/// Does what follows from who leads, as often as that changes: what is still under way then is dropped. It ends with the
/// candidacy.
pub async fn follow<T: Clone, F: Future<Output = ()>>(
    mut leadership: watch::Receiver<Leadership<T>>,
    what: impl Fn(Leadership<T>) -> F,
) {
    loop {
        let under_way = what(leadership.borrow_and_update().clone());
        let for_ever = async {
            under_way.await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            changed = leadership.changed() => if changed.is_err() { return },
            () = for_ever => {}
        }
    }
}

impl<T: Clone> Candidacy<T> {
    /// Who leads, now and later.
    #[must_use]
    pub fn leadership(&self) -> watch::Receiver<Leadership<T>> {
        self.leadership.clone()
    }

    /// What ends this candidate's time as a leader.
    #[must_use]
    pub fn abdication(&self) -> Abdication {
        self.abdication.clone()
    }

    /// Leads no longer, and lets another one lead at once. Stop acting first.
    pub async fn resign(mut self) {
        self.stop.send_replace(true);
        while self.running.join_next().await.is_some() {}
    }
}

/// Who leads, as it stands in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Leader {
    metadata: ObjectMeta,
    /// What it says of itself.
    leader: serde_json::Value,
}

impl Object for Leader {
    const KIND: Kind =
        Kind { api_version: "mesos.apache.org/v1", name: "Leader", collection: "leaders.mesos", scope: Scope::Cluster };

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl Leader {
    fn of(key: &Key, leader: &impl Candidate) -> Self {
        let metadata = ObjectMeta { name: key.name().to_owned(), ..ObjectMeta::default() };
        Self { metadata, leader: leader.told() }
    }
}

struct Campaign<T> {
    election: Election<T>,
    told: watch::Sender<Leadership<T>>,
    abdicated: watch::Receiver<()>,
}

impl<T: Candidate> Campaign<T> {
    async fn run(self, mut stop: watch::Receiver<bool>) {
        let Ok(key) = Key::new(&Leader::KIND, None, &key_name(&self.election.office)) else {
            return tracing::error!(office = self.election.office, "nobody can be elected: the name is too long");
        };
        if self.election.alone {
            self.clear(&key).await;
        }
        let mut held = None;
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => {}
            () = self.terms(&key, &mut held) => {}
        }
        self.tell(Leadership::Unknown);
        if let Some(claimed) = held {
            // Who cannot be told finds out when the claim ends.
            drop(timeout(self.election.patience, self.election.store.release(&claimed)).await);
        }
    }

    /// Takes away the claim of an earlier process.
    async fn clear(&self, key: &Key) {
        let store = &self.election.store;
        while let Err(error) = async {
            match store.get(key).await? {
                Some(entry) => store.delete(key, entry.revision).await.map(drop),
                None => Ok(()),
            }
        }
        .await
        {
            tracing::warn!(%error, "the store cannot be used yet");
            sleep(PAUSE).await;
        }
    }

    /// One term after another, of this candidate or others, for ever.
    async fn terms(&self, key: &Key, held: &mut Option<Claimed>) {
        let Election { store, me, patience, .. } = &self.election;
        loop {
            let begun = Instant::now();
            match store.claim(key, Value::new(Leader::of(key, me)), *patience).await {
                Ok(claimed) => {
                    *held = Some(claimed.clone());
                    tracing::info!(token = claimed.token().0, "this one leads");
                    // What was said before is not about this term.
                    let mut abdicated = self.abdicated.clone();
                    abdicated.mark_unchanged();
                    self.tell(Leadership::Me(claimed.check()));
                    let abdicates = tokio::select! {
                        biased;
                        () = self.lead(&claimed, begun) => false,
                        Ok(()) = abdicated.changed() => true,
                    };
                    tracing::warn!("this one leads no longer");
                    self.tell(Leadership::Unknown);
                    if abdicates {
                        // Who cannot be told finds out when the claim ends.
                        drop(timeout(*patience, store.release(&claimed)).await);
                        sleep(PAUSE * 5).await;
                    }
                    *held = None;
                }
                Err(StoreError::Conflict { .. }) => {
                    if let Err(error) = self.follow(key).await {
                        tracing::debug!(%error, "who leads is not known");
                        self.tell(Leadership::Unknown);
                        sleep(PAUSE).await;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the store cannot be used yet");
                    self.tell(Leadership::Unknown);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Renews the claim, until it is lost or may be.
    async fn lead(&self, claimed: &Claimed, mut renewed: Instant) {
        let patience = self.election.patience;
        // No claim ends before its time: to stop a little earlier is enough.
        let safe = patience - patience / 5;
        loop {
            sleep(patience / 4).await;
            let begun = Instant::now();
            match timeout_at(renewed + safe, self.election.store.renew(claimed)).await {
                Ok(Ok(())) => renewed = begun,
                Ok(Err(StoreError::ClaimLost { .. })) | Err(_) => return,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the claim of the leader could not be renewed yet");
                    if Instant::now() + PAUSE >= renewed + safe {
                        return;
                    }
                }
            }
        }
    }

    /// Tells who leads, until nobody does.
    async fn follow(&self, key: &Key) -> Result<(), StoreError> {
        let store = &self.election.store;
        let Some(entry) = store.get(key).await? else { return Ok(()) };
        self.tell(self.leader(&entry));
        let mut changes = store.watch(&Prefix::collection(&Leader::KIND), entry.revision).await?;
        while let Some(change) = changes.next().await {
            match change? {
                WatchEvent::Delete { .. } => {
                    self.tell(Leadership::Unknown);
                    return Ok(());
                }
                WatchEvent::Put { entry, .. } => self.tell(self.leader(&entry)),
                WatchEvent::Progress(_) => {}
            }
        }
        Err(StoreError::Closed)
    }

    /// Who leads by this claim. One that this one made without hearing of it is nobody's.
    fn leader(&self, entry: &Entry) -> Leadership<T> {
        let leader = entry.decode::<Leader>().ok().and_then(|stored| T::of(&stored.leader));
        let other = leader.filter(|leader: &T| leader.id() != self.election.me.id());
        other.map_or(Leadership::Unknown, Leadership::Other)
    }

    fn tell(&self, now: Leadership<T>) {
        self.told.send_if_modified(|before| std::mem::replace(before, now.clone()) != now);
    }
}

#[cfg(test)]
mod tests {
    use orch_store::MemoryStore;

    use super::*;

    type Stores = Arc<dyn SharedStore>;

    impl Candidate for String {
        fn id(&self) -> &str {
            self
        }

        fn told(&self) -> serde_json::Value {
            self.as_str().into()
        }

        fn of(told: &serde_json::Value) -> Option<Self> {
            told.as_str().map(str::to_owned)
        }
    }

    fn election(store: &Stores, me: &str) -> Election<String> {
        let (office, patience) = ("leader".to_owned(), Duration::from_secs(1));
        Election { store: Arc::clone(store), office, me: me.to_owned(), patience, alone: false }
    }

    fn stand(store: &Stores, me: &str) -> Candidacy<String> {
        election(store, me).stand()
    }

    async fn becomes(candidacy: &Candidacy<String>, wanted: impl FnMut(&Leadership<String>) -> bool) {
        let mut leadership = candidacy.leadership();
        timeout(Duration::from_secs(20), leadership.wait_for(wanted)).await.expect("in time").expect("it runs");
    }

    fn is(name: &str) -> impl FnMut(&Leadership<String>) -> bool {
        move |leadership| matches!(leadership, Leadership::Other(other) if other == name)
    }

    #[tokio::test]
    async fn one_leads_the_others_know_it_and_when_it_resigns_another_one_leads_at_once() {
        let store: Stores = Arc::new(MemoryStore::default());
        let first = stand(&store, "first");
        becomes(&first, Leadership::is_mine).await;
        let second = stand(&store, "second");
        becomes(&second, is("first")).await;
        first.resign().await;
        becomes(&second, Leadership::is_mine).await;
    }

    #[tokio::test]
    async fn a_leader_that_is_not_heard_of_is_replaced_and_one_whose_claim_is_taken_stops() {
        let store: Stores = Arc::new(MemoryStore::default());
        let first = stand(&store, "first");
        becomes(&first, Leadership::is_mine).await;
        drop(first);
        let second = stand(&store, "second");
        becomes(&second, is("first")).await;
        becomes(&second, Leadership::is_mine).await;
        let key = Key::new(&Leader::KIND, None, &key_name("leader")).expect("a key");
        let claim = store.get(&key).await.expect("read").expect("there");
        store.delete(&key, claim.revision).await.expect("deleted");
        let before = second.leadership().borrow().clone();
        // It may lead again before anybody has looked, but by another claim.
        becomes(&second, |leadership| leadership.is_mine() && *leadership != before).await;
    }

    #[tokio::test]
    async fn who_abdicates_leads_again_if_nobody_else_does_and_goes_on_leading() {
        let store: Stores = Arc::new(MemoryStore::default());
        let only = stand(&store, "only");
        becomes(&only, Leadership::is_mine).await;
        only.abdication().abdicate();
        becomes(&only, |leadership| !leadership.is_mine()).await;
        becomes(&only, Leadership::is_mine).await;
        let mut leadership = only.leadership();
        leadership.mark_unchanged();
        let ended = timeout(Duration::from_millis(500), leadership.changed()).await;
        assert!(ended.is_err(), "the next term is not ended by what was said in this one");
    }

    #[tokio::test]
    async fn several_elections_are_held_in_one_store() {
        let store: Stores = Arc::new(MemoryStore::default());
        let first = stand(&store, "first");
        let other = Election { office: "other".to_owned(), ..election(&store, "second") }.stand();
        becomes(&first, Leadership::is_mine).await;
        becomes(&other, Leadership::is_mine).await;
    }

    #[tokio::test]
    async fn a_candidate_that_has_its_store_alone_does_not_wait_for_an_earlier_process() {
        let store: Stores = Arc::new(MemoryStore::default());
        let patience = Duration::from_secs(3600);
        let alone = |me: &str| Election { patience, alone: true, ..election(&store, me) }.stand();
        let first = alone("first");
        becomes(&first, Leadership::is_mine).await;
        drop(first);
        becomes(&alone("second"), Leadership::is_mine).await;
    }
}
