//! X1: a key is not looked at again before the view shows what was written for it.

use std::time::Duration;

use orch_core::controller::{Action, Plan, ViewExt as _};
use orch_core::key::Key;
use orch_core::object::{Lease, Namespace};

use crate::faulty::PutFault;
use crate::subject::{ClosureController, Cluster, lease, leases, pass, settle};

const LONG: Duration = Duration::from_secs(100_000);

/// Sees to it that every namespace has a lease, and would make another one whenever it does not see the last: only
/// the engine's promise keeps it from that.
fn careless() -> ClosureController {
    ClosureController::new(|key, context| {
        let mut plan = Plan::nothing();
        let seen = context.view.list_in::<Lease>(key.name())?;
        let namespace = context.view.get::<Namespace>(key);
        if seen.is_empty()
            && let Some(namespace) = namespace
        {
            let revision = namespace.metadata.revision.map_or(0, |revision| revision.0);
            plan.then(Action::create(lease(key.name(), &format!("home-{revision}"))));
        }
        Ok(plan)
    })
}

#[tokio::test(start_paused = true)]
async fn a_key_rests_until_its_own_write_is_seen_however_long_that_takes() {
    let cluster = Cluster::new();
    let controller = careless();
    let notes = controller.notes();
    let engine = cluster.engine().controller(std::sync::Arc::new(controller)).start().expect("it starts");
    engine.listed().await;
    cluster.store.hold(&leases());
    cluster.create_namespace("shop").await;
    settle().await;
    for _ in 0..5 {
        cluster.touch("shop").await;
        pass(LONG).await;
    }
    assert_eq!(notes.looks_at("shop"), 1);
    assert!(!engine.is_idle());
    cluster.create_namespace("other").await;
    settle().await;
    assert_eq!(notes.looks_at("other"), 1, "other keys do not wait");
    cluster.store.release(&leases());
    settle().await;
    assert_eq!(notes.looks_at("shop"), 2, "several changes share one look");
    assert_eq!(cluster.leases().await.len(), 2);
    assert!(engine.is_idle());
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_was_lost_is_waited_for_as_well() {
    let cluster = Cluster::new();
    let controller = careless();
    let notes = controller.notes();
    let engine = cluster.engine().controller(std::sync::Arc::new(controller)).start().expect("it starts");
    engine.listed().await;
    cluster.store.hold(&leases());
    cluster.create_namespace("shop").await;
    cluster.store.spoil_put(PutFault::AnswerLost);
    for _ in 0..3 {
        pass(LONG).await;
        cluster.touch("shop").await;
    }
    assert_eq!(notes.looks_at("shop"), 1);
    cluster.store.release(&leases());
    pass(LONG).await;
    assert_eq!(cluster.leases().await.len(), 1, "it happened, and was not done twice");
    assert!(notes.looks_at("shop") > 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_of_a_kind_that_the_controller_does_not_see_keeps_it_from_nothing() {
    let cluster = Cluster::new();
    let mut controller = ClosureController::new(|key, _| {
        let mut plan = Plan::nothing();
        plan.then(Action::create(lease(key.name(), "home")));
        Ok(plan)
    });
    controller.triggers.truncate(1);
    let notes = controller.notes();
    let engine = cluster.engine().controller(std::sync::Arc::new(controller)).start().expect("it starts");
    cluster.create_namespace("shop").await;
    settle().await;
    assert_eq!((notes.looks_at("shop"), engine.is_idle()), (1, true));
    cluster.touch("shop").await;
    pass(Duration::from_secs(60)).await;
    let looks = notes.looks_at("shop");
    assert!(
        (10..200).contains(&looks),
        "that it exists is found again and again, with pauses: {looks} looks in a minute"
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_conflict_a_key_rests_until_the_view_shows_what_the_conflict_was_with() {
    let cluster = Cluster::new();
    cluster.create_namespace("shop").await;
    cluster.client.create(lease("shop", "home")).await.expect("it can be created");
    let controller = ClosureController::new(|key, context| {
        let mut plan = Plan::nothing();
        let home: Key = format!("leases.coordination.k8s.io/{}/home", key.name()).parse()?;
        if let Some(before) = context.view.get::<Lease>(&home)
            && context
                .view
                .get::<Namespace>(key)
                .is_some_and(|namespace| namespace.metadata.annotations.contains_key("touched"))
        {
            let mut after = Lease::clone(&before);
            after.metadata.labels.insert("seen".to_owned(), "yes".to_owned());
            if after != *before {
                plan.then(Action::update(&*before, after)?);
            }
        }
        Ok(plan)
    });
    let notes = controller.notes();
    let engine = cluster.engine().controller(std::sync::Arc::new(controller)).start().expect("it starts");
    engine.listed().await;
    settle().await;
    cluster.store.hold(&leases());
    let home = cluster.leases().await.remove(0);
    let mut changed = Lease::clone(&home);
    changed.spec.holder_identity = Some("somebody".to_owned());
    let on = orch_core::client::Precondition::of(&*home).expect("it was stored");
    cluster.client.update(changed, on).await.expect("nobody else changes it");
    let before = notes.looks_at("shop");
    cluster.touch("shop").await;
    pass(LONG).await;
    assert_eq!(notes.looks_at("shop"), before + 1, "no busy loop");
    cluster.store.release(&leases());
    settle().await;
    let home = cluster.leases().await.remove(0);
    assert_eq!(home.spec.holder_identity.as_deref(), Some("somebody"));
    assert_eq!(home.metadata.labels.get("seen").map(String::as_str), Some("yes"));
    assert!(engine.is_idle());
}
