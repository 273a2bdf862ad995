//! The rules that every write of a [`Client`] obeys.

use std::sync::Arc;
use std::time::Duration;

use orch_core::client::{Client, ClientError, Grace, Precondition};
use orch_core::clock::Timestamp;
use orch_core::entropy::SeededEntropy;
use orch_core::key::Key;
use orch_core::kind::{self, Object};
use orch_core::object::{Container, Lease, Pod, PodPhase, Time, Uid};
use orch_core::revision::Revision;
use orch_core::store::{Expect, Store as _, StoreError, Value};
use orch_testkit::fault::ManualClock;
use orch_testkit::model::ModelStore;
use orch_testkit::suite::run;

/// A client of a model store, at a time that the test sets.
struct World {
    store: ModelStore,
    clock: Arc<ManualClock>,
    client: Client,
}

impl World {
    fn new() -> Self {
        let (store, clock) = (ModelStore::default(), Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)));
        let client = Client::new(Arc::new(store.clone()), clock.clone(), Arc::new(SeededEntropy::new(7)));
        Self { store, clock, client }
    }

    fn now(&self) -> Time {
        self.client.clock().now().into()
    }

    async fn read<T: Object>(&self, object: &T) -> Option<Arc<T>> {
        let key = object.key().expect("a valid key");
        self.store.get(&key).await.expect("a read").map(|entry| entry.decode().expect("it is one"))
    }

    /// A lease that was created with these finalizers.
    async fn lease(&self, finalizers: &[&str]) -> Arc<Lease> {
        let mut lease = Lease::default();
        (lease.metadata.name, lease.metadata.namespace) = ("one".into(), Some("a".into()));
        lease.metadata.finalizers = finalizers.iter().map(ToString::to_string).collect();
        self.client.create(lease).await.expect("it is valid and new")
    }

    /// A pod that was created on a node, and asks for this many seconds to end.
    async fn pod(&self, seconds: i64, finalizers: &[&str]) -> Arc<Pod> {
        let mut pod = Pod::default();
        (pod.metadata.name, pod.metadata.namespace) = ("one".into(), Some("a".into()));
        pod.metadata.finalizers = finalizers.iter().map(ToString::to_string).collect();
        pod.spec.node_name = Some("node".into());
        pod.spec.termination_grace_period_seconds = Some(seconds);
        pod.spec.containers =
            vec![Container { name: "main".into(), image: Some("program".into()), ..Container::default() }];
        self.client.create(pod).await.expect("it is valid and new")
    }

    /// Updates an object after `change` did something to it.
    async fn update<T: Object>(&self, object: &T, change: impl FnOnce(&mut T)) -> Result<Arc<T>, ClientError> {
        let on = Precondition::of(object).expect("it was stored");
        let mut changed = object.clone();
        change(&mut changed);
        self.client.update(changed, on).await
    }
}

fn held_by(holder: &'static str) -> impl FnOnce(&mut Lease) {
    move |lease| lease.spec.holder_identity = Some(holder.into())
}

#[test]
fn a_creator_may_vouch_for_the_uid_and_for_nothing_else_and_makes_no_second_object() {
    run(async {
        let world = World::new();
        let (first, uid) = (world.lease(&[]).await, Uid::new("vouched-for"));
        let again = Arc::new(Lease::clone(&first));
        let taken = world.client.create_any_as(again.clone(), uid.clone()).await.expect_err("there is one");
        assert!(matches!(taken, ClientError::AlreadyExists { .. }), "{taken}");
        world.client.delete(&*first, Grace::Now).await.expect("it is as it was read");
        world.clock.advance(Duration::from_secs(5));
        let made = world.client.create_any_as(again, uid.clone()).await.expect("it is valid and new");
        let metadata = made.metadata();
        assert_eq!((&metadata.uid, metadata.creation_timestamp), (&Some(uid), Some(world.now())));
        let stale = world.client.delete(&*first, Grace::Now).await.expect_err("another object");
        assert!(matches!(stale, ClientError::Conflict { .. }), "{stale}");
    });
}

#[test]
fn a_new_object_gets_a_uid_a_time_and_generation_one_whatever_it_came_with() {
    run(async {
        let world = World::new();
        let mut lease = Lease::default();
        let metadata = &mut lease.metadata;
        (metadata.name, metadata.namespace) = ("one".into(), Some("a".into()));
        (metadata.uid, metadata.generation) = (Some(Uid::new("mine")), Some(9));
        metadata.revision = Some(Revision(77));
        metadata.creation_timestamp = Some(Timestamp::MIN.into());
        metadata.deletion_timestamp = Some(Timestamp::MIN.into());
        metadata.deletion_grace_period_seconds = Some(5);
        let stored = world.client.create(lease).await.expect("it is valid and new");
        let metadata = &stored.metadata;
        assert!(metadata.uid.as_ref().is_some_and(|uid| uid.as_str().len() == 36), "{:?}", metadata.uid);
        assert_eq!(metadata.generation, Some(1));
        assert_eq!(metadata.creation_timestamp, Some(world.now()));
        assert_eq!((metadata.deletion_timestamp, metadata.deletion_grace_period_seconds), (None, None));
        assert_eq!(metadata.revision, Some(world.store.revision()));
        assert_eq!(world.read(&*stored).await, Some(stored), "what is returned is what was stored");
    });
}

#[test]
fn a_second_object_of_a_name_is_refused_and_one_after_it_has_another_uid() {
    run(async {
        let world = World::new();
        let first = world.lease(&[]).await;
        let again = world.client.create(Lease::clone(&first)).await;
        assert!(matches!(&again, Err(ClientError::AlreadyExists { key }) if *key == first.key().expect("a key")));
        assert!(again.is_err_and(|error| error.is_conflict() && !error.is_transient()));
        world.client.delete(&*first, Grace::Own).await.expect("nothing holds it");
        let second = world.lease(&[]).await;
        assert_ne!(first.metadata.uid, second.metadata.uid);
    });
}

#[test]
fn everything_wrong_with_an_object_is_told_at_once_and_nothing_is_written() {
    run(async {
        let world = World::new();
        let mut lease = Lease::default();
        lease.metadata.name = "Not A Name".into();
        lease.metadata.labels.insert("also wrong/".into(), "x".into());
        lease.spec.lease_duration_seconds = Some(0);
        let Err(ClientError::Invalid { source, .. }) = world.client.create(lease).await else {
            panic!("an invalid object was taken")
        };
        let paths: Vec<&str> = source.problems.iter().map(|problem| problem.path.as_str()).collect();
        let begin = ["metadata.name", "metadata.labels", "metadata.namespace", "spec.leaseDurationSeconds"];
        let told = begin.iter().all(|begin| paths.iter().any(|path| path.starts_with(begin)));
        assert!(told && paths.len() == begin.len(), "{paths:?}");
        let valid = world.lease(&[]).await;
        let update = world.update(&*valid, |lease| lease.spec.lease_duration_seconds = Some(0)).await;
        assert!(matches!(update, Err(ClientError::Invalid { .. })), "{update:?}");
        assert_eq!(world.store.history().len(), 1, "an invalid object was written");
    });
}

#[test]
fn the_generation_counts_changes_of_what_is_asked_for_only() {
    run(async {
        let world = World::new();
        let pod = world.pod(30, &[]).await;
        let labelled = world.update(&*pod, |pod| drop(pod.metadata.labels.insert("a".into(), "b".into()))).await;
        let labelled = labelled.expect("nobody else wrote");
        assert_eq!(labelled.metadata.generation, Some(1));
        let running = world.update(&*labelled, |pod| pod.status.phase = Some(PodPhase::Running)).await;
        let running = running.expect("nobody else wrote");
        assert_eq!(running.metadata.generation, Some(1));
        let asked = world.update(&*running, |pod| pod.spec.termination_grace_period_seconds = Some(5)).await;
        assert_eq!(asked.expect("nobody else wrote").metadata.generation, Some(2));
    });
}

#[test]
fn an_update_keeps_what_nobody_may_change() {
    run(async {
        let world = World::new();
        let old = world.lease(&["a.b/c"]).await;
        world.clock.advance(Duration::from_secs(60));
        world.client.delete(&*old, Grace::Own).await.expect("it can be marked");
        let old = world.read(&*old).await.expect("a finalizer holds it");
        let new = world.update(&*old, |lease| {
            let metadata = &mut lease.metadata;
            (metadata.uid, metadata.generation, metadata.revision) = (Some(Uid::new("mine")), Some(9), None);
            (metadata.creation_timestamp, metadata.deletion_timestamp) = (None, None);
            metadata.deletion_grace_period_seconds = Some(99);
            lease.spec.holder_identity = Some("me".into());
        });
        let new = new.await.expect("nobody else wrote");
        assert_eq!(new.metadata.uid, old.metadata.uid);
        assert_eq!(new.metadata.creation_timestamp, old.metadata.creation_timestamp);
        assert_eq!(new.metadata.deletion_timestamp, old.metadata.deletion_timestamp);
        assert_eq!(new.metadata.deletion_grace_period_seconds, Some(0));
        assert_eq!(new.metadata.generation, Some(2));
    });
}

#[test]
fn an_update_that_changes_nothing_is_a_sign_of_life() {
    run(async {
        let world = World::new();
        let lease = world.lease(&[]).await;
        let same = world.update(&*lease, |_| ()).await.expect("nobody else wrote");
        assert!(same.metadata.revision > lease.metadata.revision, "whoever watches the lease saw no renewal");
        assert_eq!(same.metadata.generation, lease.metadata.generation);
    });
}

#[test]
fn an_update_of_an_old_state_is_refused_and_so_is_one_of_another_object_of_that_name() {
    run(async {
        let world = World::new();
        let first = world.lease(&[]).await;
        let second = world.update(&*first, held_by("one")).await.expect("nobody else wrote");
        assert!(matches!(world.update(&*first, held_by("two")).await, Err(ClientError::Conflict { .. })));
        assert!(matches!(world.client.delete(&*first, Grace::Now).await, Err(ClientError::Conflict { .. })));
        world.client.delete(&*second, Grace::Own).await.expect("nothing holds it");
        assert!(matches!(world.update(&*second, held_by("two")).await, Err(ClientError::NotFound { .. })));
        assert!(matches!(world.client.delete(&*second, Grace::Own).await, Err(ClientError::NotFound { .. })));
        let other = world.lease(&[]).await;
        assert!(matches!(world.update(&*second, held_by("two")).await, Err(ClientError::Conflict { .. })));
        assert!(matches!(world.client.delete(&*second, Grace::Now).await, Err(ClientError::Conflict { .. })));
        // The revision alone, right by chance, is not enough: it must be the same object too.
        let mut mixed = Lease::clone(&other);
        mixed.metadata.uid = second.metadata.uid.clone();
        assert!(matches!(world.client.delete(&mixed, Grace::Now).await, Err(ClientError::Conflict { .. })));
        assert_eq!(world.read(&*other).await, Some(other), "it was touched");
    });
}

#[test]
fn what_was_never_stored_is_no_state_to_decide_on() {
    run(async {
        let world = World::new();
        let mut lease = Lease::clone(&*world.lease(&[]).await);
        lease.metadata.revision = None;
        assert!(matches!(Precondition::of(&lease), Err(ClientError::NeverStored { .. })));
        assert!(matches!(world.client.delete(&lease, Grace::Now).await, Err(ClientError::NeverStored { .. })));
    });
}

#[test]
fn an_object_that_nothing_holds_is_removed_at_once_and_the_revision_of_that_is_told() {
    run(async {
        let world = World::new();
        let lease = world.lease(&[]).await;
        for grace in [Grace::Own, Grace::Within(Duration::from_secs(30)), Grace::Now] {
            let current = match world.read(&*lease).await {
                Some(current) => current,
                None => world.lease(&[]).await,
            };
            let revision = world.client.delete(&*current, grace).await.expect("nobody else wrote");
            assert_eq!(world.read(&*lease).await, None, "with {grace:?}");
            assert_eq!(revision, world.store.revision());
        }
    });
}

#[test]
fn an_object_with_finalizers_goes_with_the_last_of_them() {
    run(async {
        let world = World::new();
        let lease = world.lease(&["a.b/c", "d.e/f"]).await;
        let marked = world.client.delete(&*lease, Grace::Now).await.expect("nobody else wrote");
        let lease = world.read(&*lease).await.expect("finalizers hold it");
        assert_eq!(lease.metadata.revision, Some(marked), "the revision of the mark is told");
        assert_eq!(lease.metadata.deletion_timestamp, Some(world.now()));
        let again = world.client.delete(&*lease, Grace::Own).await.expect("it is marked already");
        assert_eq!((again, world.store.revision()), (marked, marked), "it was marked twice");
        let added = world.update(&*lease, |lease| lease.metadata.finalizers.push("g.h/i".into())).await;
        assert!(matches!(added, Err(ClientError::Invalid { .. })), "it got a new finalizer: {added:?}");
        let one = world.update(&*lease, |lease| drop(lease.metadata.finalizers.remove(0))).await;
        let one = one.expect("nobody else wrote");
        assert_eq!(world.read(&*one).await.as_ref(), Some(&one), "one finalizer still holds it");
        let last = world.update(&*one, |lease| lease.metadata.finalizers.clear()).await.expect("nobody else wrote");
        assert_eq!(world.read(&*last).await, None, "nothing holds it");
        assert_eq!(last.metadata.revision, Some(world.store.revision()), "the revision of the removal is told");
    });
}

#[test]
fn an_object_that_needs_time_is_marked_and_removed_by_whoever_ended_it() {
    run(async {
        let world = World::new();
        let pod = world.pod(30, &[]).await;
        world.client.delete(&*pod, Grace::Own).await.expect("nobody else wrote");
        let marked = world.read(&*pod).await.expect("it is only marked");
        let deadline = world.client.clock().now() + Duration::from_secs(30);
        assert_eq!(marked.metadata.deletion_timestamp, Some(deadline.into()));
        assert_eq!(marked.metadata.deletion_grace_period_seconds, Some(30));
        let reported = world.update(&*marked, |pod| pod.status.phase = Some(PodPhase::Running)).await;
        let reported = reported.expect("nobody else wrote");
        assert_eq!(world.read(&*pod).await.as_ref(), Some(&reported), "an update removed what was not ended");
        world.client.delete(&*reported, Grace::Now).await.expect("nobody else wrote");
        assert_eq!(world.read(&*pod).await, None);
    });
}

#[test]
fn a_deadline_can_be_brought_forward_and_not_put_off() {
    run(async {
        let world = World::new();
        let pod = world.pod(30, &[]).await;
        let start = world.client.clock().now();
        let within = |seconds| Grace::Within(Duration::from_secs(seconds));
        for (advance, grace, given, end) in
            [(0, Grace::Own, 30, 30), (5, within(60), 30, 30), (0, within(10), 10, 15), (1, within(9), 9, 15)]
        {
            world.clock.advance(Duration::from_secs(advance));
            let current = world.read(&*pod).await.expect("it is only marked");
            world.client.delete(&*current, grace).await.expect("nobody else wrote");
            let metadata = world.read(&*pod).await.expect("it is only marked").metadata.clone();
            let deadline: Time = (start + Duration::from_secs(end)).into();
            assert_eq!(metadata.deletion_timestamp, Some(deadline), "after {grace:?}");
            assert_eq!(metadata.deletion_grace_period_seconds, Some(given), "after {grace:?}");
        }
    });
}

#[test]
fn an_object_that_needs_time_and_asks_for_none_is_marked_all_the_same() {
    run(async {
        let world = World::new();
        let pod = world.pod(0, &[]).await;
        world.client.delete(&*pod, Grace::Own).await.expect("nobody else wrote");
        let marked = world.read(&*pod).await.expect("its processes still run");
        assert_eq!(marked.metadata.deletion_grace_period_seconds, Some(1));
        let current = world.client.delete(&*marked, Grace::Within(Duration::ZERO)).await;
        assert_eq!(current.ok(), marked.metadata.revision, "there is nothing to bring forward");
    });
}

#[test]
fn an_object_that_was_ended_goes_when_its_last_finalizer_goes() {
    run(async {
        let world = World::new();
        let pod = world.pod(30, &["a.b/c"]).await;
        world.client.delete(&*pod, Grace::Now).await.expect("nobody else wrote");
        let ended = world.read(&*pod).await.expect("a finalizer holds it");
        assert_eq!(ended.metadata.deletion_grace_period_seconds, Some(0));
        world.update(&*ended, |pod| pod.metadata.finalizers.clear()).await.expect("nobody else wrote");
        assert_eq!(world.read(&*pod).await, None);
    });
}

#[test]
fn a_finalizer_that_goes_before_the_object_was_ended_does_not_remove_it() {
    run(async {
        let world = World::new();
        let pod = world.pod(30, &["a.b/c"]).await;
        world.client.delete(&*pod, Grace::Own).await.expect("nobody else wrote");
        let marked = world.read(&*pod).await.expect("it is only marked");
        let freed = world.update(&*marked, |pod| pod.metadata.finalizers.clear()).await.expect("nobody else wrote");
        assert_eq!(world.read(&*pod).await.as_ref(), Some(&freed), "its processes still run");
    });
}

#[test]
fn objects_whose_type_is_known_only_at_run_time_obey_the_same_rules() {
    run(async {
        let world = World::new();
        let mut lease = Lease::default();
        (lease.metadata.name, lease.metadata.namespace) = ("one".into(), Some("a".into()));
        let mine: Arc<dyn kind::AnyObject> = Arc::new(lease);
        let stored = world.client.create_any(Arc::clone(&mine)).await.expect("it is valid and new");
        assert_eq!(mine.metadata().uid, None, "the caller's own object was changed");
        let on = Precondition::of(&*stored).expect("it was stored");
        let mut changed = Lease::clone(stored.downcast_ref().expect("a lease"));
        held_by("me")(&mut changed);
        let updated = world.client.update_any(Arc::new(changed), &on).await.expect("nobody else wrote");
        assert_eq!(updated.metadata().generation, Some(2));
        assert_eq!(stored.metadata().generation, Some(1), "what a reader holds was changed");
    });
}

#[test]
fn what_cannot_be_read_is_told_as_such_and_not_overwritten() {
    run(async {
        let world = World::new();
        let key: Key = "leases.coordination.k8s.io/a/one".parse().expect("a valid key");
        let text = Value::from_json(br#"{"apiVersion": "v1", "kind": "Other"}"#.as_slice().into());
        let entry = world.store.put(&key, text, Expect::Absent).await.expect("a store takes what it is given");
        let mut lease = Lease::default();
        (lease.metadata.name, lease.metadata.namespace) = ("one".into(), Some("a".into()));
        let on = Precondition { uid: Uid::new("any"), revision: entry.revision };
        let refused = world.client.update(lease, on).await;
        assert!(matches!(refused, Err(ClientError::Store(StoreError::Corrupt { .. }))), "{refused:?}");
    });
}
