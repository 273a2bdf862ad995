//! Leader election: one leads, and an old leader's late write is refused.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orch_controllers::engine::{Candidacy, ElectionTiming, FencedStore, LeaderElection};
use orch_core::client::{Client, ClientError};
use orch_core::entropy::SeededEntropy;
use orch_core::key::{Key, Prefix};
use orch_core::object::Lease;
use orch_core::revision::Revision;
use orch_core::store::{Entry, Expect, ListOptions, Page, Store, StoreError, StoreExt as _, Transact, Value, Watch};
use orch_testkit::fault::ManualClock;
use orch_testkit::model::ModelStore;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::subject::{lease, pass};

/// One candidate's way to the store, which can be cut.
#[derive(Debug)]
struct Cable {
    store: Arc<ModelStore>,
    plugged: watch::Sender<bool>,
}

impl Cable {
    async fn through(&self) -> &ModelStore {
        self.plugged.subscribe().wait_for(|plugged| *plugged).await.expect("the sender is here");
        &self.store
    }
}

#[async_trait]
impl Store for Cable {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.through().await.get(key).await
    }
    async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        self.through().await.list(prefix, options).await
    }
    async fn put(&self, key: &Key, value: Value, expect: Expect) -> Result<Entry, StoreError> {
        self.through().await.put(key, value, expect).await
    }
    async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        self.through().await.delete(key, expect).await
    }
    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        self.through().await.watch(prefix, after).await
    }
}

struct Member {
    cable: Arc<Cable>,
    candidacy: Candidacy,
}

fn client(store: Arc<dyn Store>, time: &str) -> Client {
    let clock = ManualClock::new(time.parse().expect("a time"));
    Client::new(store, Arc::new(clock), Arc::new(SeededEntropy::new(1)))
}

/// A candidate whose clock shows `time`.
fn member(store: &Arc<ModelStore>, identity: &str, time: &str) -> Member {
    let cable = Arc::new(Cable { store: Arc::clone(store), plugged: watch::Sender::new(true) });
    let election = LeaderElection {
        client: client(cable.clone(), time),
        entropy: Arc::new(SeededEntropy::new(identity.len() as u64)),
        namespace: "system".to_owned(),
        name: "manager".to_owned(),
        identity: identity.to_owned(),
        timing: ElectionTiming::default(),
    };
    Member { cable, candidacy: election.stand().expect("the names are names") }
}

const NOW: &str = "2026-11-22T18:00:00Z";
const NEXT_YEAR: &str = "2027-11-22T18:00:00Z";

#[tokio::test(start_paused = true)]
async fn an_old_leaders_late_write_is_refused_and_the_new_ones_is_not() {
    let store = Arc::new(ModelStore::default());
    let old = member(&store, "old", NOW);
    let old_token = old.candidacy.elected().await;
    let writer = client(Arc::new(FencedStore::new(store.clone(), &old_token)), NOW);
    writer.create(lease("shop", "first")).await.expect("the leader may write");
    let new = member(&store, "new", NOW);
    old.cable.plugged.send_replace(false);
    let begun = Instant::now();
    let new_token = new.candidacy.elected().await;
    let waited = begun.elapsed().as_secs();
    assert!((11..20).contains(&waited), "the lease has to expire first: {waited} seconds");
    assert!(!old.candidacy.is_leader(), "the old leader stopped by itself before that");
    assert!(new_token.revision() > old_token.revision());
    let refused = writer.create(lease("shop", "late")).await.expect_err("the old leader's write comes too late");
    assert!(matches!(refused, ClientError::Store(StoreError::Fenced { .. })), "{refused}");
    let writer = client(Arc::new(FencedStore::new(store.clone(), &new_token)), NOW);
    writer.create(lease("shop", "second")).await.expect("the new leader may write");
    old.cable.plugged.send_replace(true);
    pass(Duration::from_secs(100)).await;
    assert!(!old.candidacy.is_leader() && new.candidacy.is_leader());
}

#[tokio::test(start_paused = true)]
async fn renewals_do_not_disturb_the_leaders_own_writes() {
    let store = Arc::new(ModelStore::default());
    let leader = member(&store, "leader", NOW);
    let token = leader.candidacy.elected().await;
    let fenced: Arc<dyn Transact> = Arc::new(FencedStore::new(store.clone(), &token));
    let writer = client(fenced.clone(), NOW);
    for number in 0..500 {
        writer.create(lease("shop", &format!("lease-{number}"))).await.expect("the leader may write");
        pass(Duration::from_millis(100)).await;
    }
    let lease: Key = "leases.coordination.k8s.io/system/manager".parse().expect("a key");
    let held = store.get_as::<Lease>(&lease).await.expect("it can be read").expect("it is there");
    assert!(held.metadata.revision > Some(Revision(500)), "it was renewed meanwhile");
    assert_eq!(leader.candidacy.token(), Some(token));
}

#[tokio::test(start_paused = true)]
async fn whoever_resigns_is_replaced_at_once() {
    let store = Arc::new(ModelStore::default());
    let first = member(&store, "first", NOW);
    let token = first.candidacy.elected().await;
    let second = member(&store, "second", NOW);
    pass(Duration::from_secs(60)).await;
    assert!(first.candidacy.is_leader() && !second.candidacy.is_leader());
    first.candidacy.resign().await;
    let begun = Instant::now();
    assert!(second.candidacy.elected().await.revision() > token.revision());
    assert!(begun.elapsed() <= ElectionTiming::default().retry);
}

#[tokio::test(start_paused = true)]
async fn clocks_of_two_machines_are_never_compared() {
    for (one, other) in [(NOW, NEXT_YEAR), (NEXT_YEAR, NOW)] {
        let store = Arc::new(ModelStore::default());
        let leader = member(&store, "leader", one);
        let token = leader.candidacy.elected().await;
        let follower = member(&store, "follower", other);
        pass(Duration::from_secs(1_000)).await;
        assert_eq!(leader.candidacy.token(), Some(token.clone()), "a clock that is a year off takes nothing away");
        leader.cable.plugged.send_replace(false);
        pass(Duration::from_secs(20)).await;
        assert!(follower.candidacy.is_leader(), "and does not keep a dead leader's lease alive");
        leader.candidacy.lost(&token).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_process_of_the_same_identity_shuts_the_first_one_out() {
    let store = Arc::new(ModelStore::default());
    let first = member(&store, "same", NOW);
    let old = first.candidacy.elected().await;
    let second = member(&store, "same", NOW);
    let new = second.candidacy.elected().await;
    assert!(new.revision() > old.revision());
    let writer = client(Arc::new(FencedStore::new(store.clone(), &old)), NOW);
    assert!(writer.create(lease("shop", "late")).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn of_many_candidates_with_bad_connections_at_most_one_leads_at_any_time() {
    let store = Arc::new(ModelStore::default());
    let members: Vec<Member> = (1..=5).map(|number| member(&store, &"x".repeat(number), NOW)).collect();
    let chance = SeededEntropy::new(3);
    let (mut elections, mut last) = (0, None);
    for _ in 0..2_000 {
        let pick = |bound: u64| usize::try_from(orch_core::entropy::Entropy::next_u64(&chance) % bound).expect("small");
        let plugged = pick(3) > 0;
        members[pick(5)].cable.plugged.send_replace(plugged);
        pass(Duration::from_millis(pick(4_000) as u64)).await;
        let tokens: Vec<_> = members.iter().filter_map(|member| member.candidacy.token()).collect();
        assert!(tokens.len() <= 1, "{tokens:?}");
        if tokens.first().is_some_and(|token| last.as_ref() != Some(token)) {
            let revision = tokens[0].revision();
            assert!(last.is_none_or(|last| last.revision() < revision), "tokens grow");
            last = tokens.into_iter().next();
            elections += 1;
        }
    }
    assert!(elections > 10, "{elections} elections");
}
