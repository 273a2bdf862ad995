//! X2, X3 and the order in which keys are looked at.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use orch_controllers::engine::RunOptions;
use orch_core::controller::{Action, ControllerError, Effect, Plan, Trigger};
use orch_core::kind::Object;
use orch_core::object::Lease;

use crate::subject::{ClosureController, Cluster, lease, leases, namespace, pass, settle};

const ONE_WORKER: NonZeroUsize = NonZeroUsize::MIN;

#[tokio::test(start_paused = true)]
async fn a_burst_of_ten_thousand_keys_is_looked_at_in_the_order_of_its_changes() {
    let cluster = Cluster::new();
    let controller = ClosureController::new(|_, _| Ok(Plan::nothing()));
    let notes = controller.notes();
    let options = RunOptions { workers: ONE_WORKER, ..RunOptions::default() };
    let engine = cluster.engine().controller_with(Arc::new(controller), options).start().expect("it starts");
    engine.listed().await;
    let names: Vec<String> = (0..10_000).map(|number| format!("namespace-{}", number * 7_919 % 10_000)).collect();
    for name in &names {
        cluster.create_namespace(name).await;
    }
    settle().await;
    let looks: Vec<String> = notes.looks().into_iter().map(|(name, _)| name).collect();
    assert!(looks == names);
}

#[tokio::test(start_paused = true)]
async fn what_is_there_at_the_start_is_looked_at_after_what_changes() {
    let cluster = Cluster::new();
    for number in 0..5 {
        cluster.create_namespace(&format!("old-{number}")).await;
    }
    cluster.store.hold(&leases());
    let mut controller = ClosureController::new(|_, _| Ok(Plan::nothing()));
    controller.hints = vec![namespace("hinted").key().expect("a key")];
    let notes = controller.notes();
    let options = RunOptions { workers: ONE_WORKER, ..RunOptions::default() };
    let _engine = cluster.engine().controller_with(Arc::new(controller), options).start().expect("it starts");
    settle().await;
    cluster.create_namespace("new").await;
    settle().await;
    cluster.store.release(&leases());
    settle().await;
    let looks: Vec<String> = notes.looks().into_iter().map(|(name, _)| name).collect();
    assert_eq!(looks, ["hinted", "new", "old-0", "old-1", "old-2", "old-3", "old-4"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_observed_before_a_key_that_it_triggers_is_looked_at() {
    let cluster = Cluster::new();
    let observed: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let known = Arc::clone(&observed);
    let mut controller = ClosureController::new(move |key, _| {
        assert!(known.lock().expect("not poisoned").contains(key.name()), "{key} was not observed");
        Ok(Plan::nothing())
    });
    controller.on_change = Box::new(move |change| {
        observed.lock().expect("not poisoned").insert(change.key().name().to_owned());
    });
    let notes = controller.notes();
    let _engine = cluster.engine().controller(Arc::new(controller)).start().expect("it starts");
    for number in 0..100 {
        cluster.create_namespace(&format!("namespace-{number}")).await;
    }
    pass(Duration::from_secs(100)).await;
    assert_eq!(notes.looks().len(), 100, "none panicked and was tried again");
}

/// Takes ten seconds.
#[derive(Debug)]
struct Slow;

#[async_trait]
impl Effect for Slow {
    async fn perform(&self) -> Result<(), ControllerError> {
        tokio::time::sleep(Duration::from_secs(10)).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn changes_during_the_work_on_a_key_share_one_look_after_it() {
    let cluster = Cluster::new();
    let controller = ClosureController::new(|_, _| {
        let mut plan = Plan::nothing();
        plan.then(Action::Effect(Arc::new(Slow)));
        Ok(plan)
    });
    let notes = controller.notes();
    let _engine = cluster.engine().controller(Arc::new(controller)).start().expect("it starts");
    cluster.create_namespace("shop").await;
    pass(Duration::from_secs(1)).await;
    for _ in 0..5 {
        cluster.touch("shop").await;
    }
    pass(Duration::from_secs(8)).await;
    assert_eq!(notes.looks_at("shop"), 1, "not at the same time");
    pass(Duration::from_secs(100)).await;
    assert_eq!(notes.looks_at("shop"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_changed_object_triggers_the_keys_of_its_old_and_its_new_state() {
    let cluster = Cluster::new();
    let mut controller = ClosureController::new(|_, _| Ok(Plan::nothing()));
    controller.triggers = vec![Trigger::to::<Lease>(|lease, _| {
        let holder = lease.spec.holder_identity.iter();
        holder.filter_map(|name| namespace(name).key().ok()).collect()
    })];
    let notes = controller.notes();
    let _engine = cluster.engine().controller(Arc::new(controller)).start().expect("it starts");
    let mut home = lease("shop", "home");
    home.spec.holder_identity = Some("old".to_owned());
    let home = cluster.client.create(home).await.expect("it can be created");
    settle().await;
    assert_eq!((notes.looks_at("old"), notes.looks_at("new")), (1, 0));
    let mut moved = Lease::clone(&home);
    moved.spec.holder_identity = Some("new".to_owned());
    let on = orch_core::client::Precondition::of(&*home).expect("it was stored");
    cluster.client.update(moved, on).await.expect("nobody else changes it");
    settle().await;
    assert_eq!((notes.looks_at("old"), notes.looks_at("new")), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_key_is_looked_at_again_when_its_plan_says_so() {
    let cluster = Cluster::new();
    let controller = ClosureController::new(|_, _| {
        let mut plan = Plan::nothing();
        plan.revisit(Duration::from_secs(30));
        Ok(plan)
    });
    let notes = controller.notes();
    let _engine = cluster.engine().controller(Arc::new(controller)).start().expect("it starts");
    cluster.create_namespace("shop").await;
    pass(Duration::from_secs(100)).await;
    assert_eq!(notes.looks_at("shop"), 4);
}
