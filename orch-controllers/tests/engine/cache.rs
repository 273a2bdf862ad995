//! The cache, through gaps, faults and objects that cannot be read.

use std::sync::Arc;
use std::time::Duration;

use orch_core::controller::{Change, Plan, ViewExt as _};
use orch_core::kind::Object;
use orch_core::object::{Lease, Namespace};
use orch_core::revision::Revision;
use orch_core::store::{Expect, PROGRESS_WITHIN, Store as _, StoreExt as _, Value};

use crate::subject::{ClosureController, Cluster, lease, leases, namespace, pass, settle};

fn idle() -> ClosureController {
    ClosureController::new(|_, _| Ok(Plan::nothing()))
}

#[tokio::test(start_paused = true)]
async fn after_a_compaction_under_the_watch_the_difference_is_shown_as_changes() {
    let cluster = Cluster::new();
    for name in ["stays", "goes", "changes"] {
        cluster.create_namespace(name).await;
    }
    let controller = idle();
    let notes = controller.notes();
    let engine = cluster.engine().controller(Arc::new(controller)).start().expect("it starts");
    engine.listed().await;
    settle().await;
    let (seen, looked) = (notes.observed().len(), notes.looks().len());
    let namespaces = orch_core::key::Prefix::collection(&Namespace::KIND);
    cluster.store.hold(&namespaces);
    let goes = cluster.store.inner.get_as::<Namespace>(&namespace("goes").key().expect("a key")).await;
    let goes = goes.expect("it can be read").expect("it is there");
    cluster.client.delete(&*goes, orch_core::client::Grace::Own).await.expect("it can be deleted");
    cluster.touch("changes").await;
    cluster.create_namespace("comes").await;
    cluster.store.compact_under_watches().await;
    cluster.store.release(&namespaces);
    settle().await;
    let told: Vec<String> = notes.observed()[seen..].iter().map(tell).collect();
    assert_eq!(told, ["goes went", "changes changed", "comes came"]);
    let looks: Vec<String> = notes.looks()[looked..].iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(looks, ["goes", "changes", "comes"]);
    assert_eq!(engine.cache().reached(&Namespace::KIND), Some(cluster.store.inner.revision()));
    assert_eq!(engine.cache().list::<Namespace>().len(), 3);
}

fn tell(change: &Change) -> String {
    let what = match (change.previous(), change.current()) {
        (None, _) => "came",
        (Some(_), Some(_)) => "changed",
        (Some(_), None) => "went",
    };
    format!("{} {what}", change.key().name())
}

#[tokio::test(start_paused = true)]
async fn every_change_is_observed_once_in_order_whatever_happens_to_the_watch() {
    let cluster = Cluster::new();
    let controller = idle();
    let notes = controller.notes();
    let engine = cluster.engine().controller(Arc::new(controller)).start().expect("it starts");
    engine.listed().await;
    for number in 0..200 {
        cluster.create_namespace(&format!("namespace-{number}")).await;
        match number % 50 {
            10 => pass(Duration::from_secs(1)).await,
            20 => cluster.store.compact_under_watches().await,
            _ => tokio::task::yield_now().await,
        }
    }
    settle().await;
    let revision = |change: &Change| change.current().and_then(|object| object.metadata().revision);
    let revisions: Vec<_> = notes.observed().iter().filter_map(revision).collect();
    assert_eq!(revisions.len(), 200);
    assert!(revisions.is_sorted());
    assert!((0..200).all(|number| notes.looks_at(&format!("namespace-{number}")) >= 1));
    assert!(engine.is_idle());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_looked_at_before_all_kinds_were_listed() {
    let cluster = Cluster::new();
    cluster.create_namespace("shop").await;
    cluster.store.hold(&leases());
    let controller = idle();
    let notes = controller.notes();
    let _engine = cluster.engine().controller(Arc::new(controller)).start().expect("it starts");
    pass(Duration::from_secs(1_000)).await;
    assert_eq!((notes.looks().len(), notes.observed().len()), (0, 1));
    cluster.store.release(&leases());
    settle().await;
    assert_eq!(notes.looks_at("shop"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_not_there_is_asked_again_with_growing_pauses() {
    let cluster = Cluster::new();
    cluster.create_namespace("shop").await;
    cluster.store.fail_lists(20);
    let controller = idle();
    let notes = controller.notes();
    let _engine = cluster.engine().controller(Arc::new(controller)).start().expect("it starts");
    pass(Duration::from_secs(10)).await;
    assert!((6..20).contains(&cluster.store.lists()), "{} listings in ten seconds", cluster.store.lists());
    pass(Duration::from_secs(600)).await;
    assert_eq!(notes.looks_at("shop"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_cannot_be_read_is_kept_out_and_stops_nobody() {
    let cluster = Cluster::new();
    let spoilt = lease("shop", "spoilt").key().expect("a key");
    let bytes = || Value::from_json(b"{\"spec\": 7}".to_vec().into());
    let entry = cluster.store.put(&spoilt, bytes(), Expect::Absent).await.expect("a store takes what it is given");
    cluster.client.create(lease("shop", "good")).await.expect("it can be created");
    let engine = cluster.engine().controller(Arc::new(idle())).start().expect("it starts");
    engine.listed().await;
    assert_eq!(engine.cache().unreadable(), std::slice::from_ref(&spoilt));
    assert_eq!(engine.cache().list::<Lease>().len(), 1);
    cluster.client.create(lease("shop", "later")).await.expect("it can be created");
    settle().await;
    assert_eq!(engine.cache().list::<Lease>().len(), 2);
    let healed = Value::new(lease("shop", "spoilt"));
    let entry = cluster.store.put(&spoilt, healed, Expect::Revision(entry.revision)).await.expect("it is as expected");
    settle().await;
    assert_eq!((engine.cache().unreadable().len(), engine.cache().list::<Lease>().len()), (0, 3));
    cluster.store.put(&spoilt, bytes(), Expect::Revision(entry.revision)).await.expect("it is as expected");
    settle().await;
    let kept = engine.cache().get::<Lease>(&spoilt).expect("the last state that could be read stays");
    assert_eq!(kept.metadata.revision, Some(entry.revision));
    assert_eq!(engine.cache().unreadable(), [spoilt]);
}

#[tokio::test(start_paused = true)]
async fn writes_of_other_kinds_bring_a_quiet_kind_forward_as_well() {
    let cluster = Cluster::new();
    let engine = cluster.engine().controller(Arc::new(idle())).start().expect("it starts");
    engine.listed().await;
    cluster.create_namespace("shop").await;
    pass(PROGRESS_WITHIN + Duration::from_secs(1)).await;
    assert_eq!(engine.cache().reached(&Lease::KIND), Some(cluster.store.inner.revision()));
}

#[tokio::test(start_paused = true)]
async fn a_controller_sees_the_kinds_it_asked_for_and_no_others() {
    let cluster = Cluster::new();
    cluster.create_namespace("shop").await;
    cluster.client.create(lease("shop", "home")).await.expect("it can be created");
    let mut narrow = ClosureController::new(|_, context| {
        assert_eq!(context.view.list::<Lease>().len(), 0);
        assert_eq!(context.view.list_any(&orch_core::key::Prefix::all()).len(), 1);
        Ok(Plan::nothing())
    });
    narrow.name = "narrow";
    narrow.triggers.truncate(1);
    let notes = narrow.notes();
    let engine = cluster.engine().controller(Arc::new(idle())).controller(Arc::new(narrow)).start().expect("it starts");
    engine.listed().await;
    pass(Duration::from_secs(10)).await;
    assert_eq!(notes.looks_at("shop"), 1, "it did not panic");
    assert_eq!(cluster.store.lists(), 2, "each kind is listed once for all controllers");
    assert!(engine.cache().reached(&Lease::KIND) > Some(Revision::ZERO));
}
