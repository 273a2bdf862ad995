//! X4, and that a controller's faults harm nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use orch_controllers::engine::{BreakerState, DisruptionBudget, EngineMetrics, Reset, RunOptions};
use orch_core::controller::{Action, ControllerError, Plan, ViewExt as _};
use orch_core::object::Lease;

use crate::faulty::PutFault;
use crate::subject::{ClosureController, Cluster, lease, pass, settle};

#[derive(Debug, Default)]
struct Counted {
    panics: AtomicU32,
    retries: AtomicU32,
    opened: AtomicU32,
    deleted: AtomicU32,
}

impl EngineMetrics for Counted {
    fn panicked(&self, _: &'static str) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    fn retried(&self, _: &'static str, _: u32) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    fn breaker(&self, _: &'static str, open: bool) {
        self.opened.fetch_add(u32::from(open), Ordering::Relaxed);
    }

    fn acted(&self, _: &'static str, action: &'static str, succeeded: bool) {
        self.deleted.fetch_add(u32::from(succeeded && action == "delete"), Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_its_own_key_a_pause_and_nobody_else_anything() {
    let cluster = Cluster::new();
    let mut controller = ClosureController::new(|key, _| {
        assert_ne!(key.name(), "cursed", "a controller's own mistake");
        Ok(Plan::nothing())
    });
    controller.on_change = Box::new(|change| assert_ne!(change.key().name(), "unseen", "another mistake"));
    let notes = controller.notes();
    let metrics = Arc::new(Counted::default());
    let builder = cluster.engine().controller(Arc::new(controller)).metrics(metrics.clone());
    let _engine = builder.start().expect("it starts");
    for name in ["cursed", "unseen", "good"] {
        cluster.create_namespace(name).await;
    }
    pass(Duration::from_secs(2)).await;
    assert_eq!((notes.looks_at("good"), notes.looks_at("unseen")), (1, 1));
    let (looks, panics) = (notes.looks_at("cursed"), metrics.panics.load(Ordering::Relaxed));
    assert!((3..9).contains(&looks), "it is tried again with growing pauses: {looks} looks");
    assert_eq!(panics as usize, looks + 1);
}

#[tokio::test(start_paused = true)]
async fn errors_are_retried_with_a_growing_pause_and_a_success_ends_that() {
    let cluster = Cluster::new();
    let failing = Arc::new(AtomicU32::new(8));
    let left = Arc::clone(&failing);
    let controller = ClosureController::new(move |_, _| {
        let failing = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        let error = ControllerError::Outside { message: "a test's fault".into(), transient: true, source: None };
        if failing { Err(error) } else { Ok(Plan::nothing()) }
    });
    let notes = controller.notes();
    let metrics = Arc::new(Counted::default());
    let builder = cluster.engine().controller(Arc::new(controller)).metrics(metrics.clone());
    let engine = builder.start().expect("it starts");
    cluster.create_namespace("shop").await;
    pass(Duration::from_secs(1_000)).await;
    let looks = notes.looks();
    let pauses: Vec<Duration> = looks.windows(2).map(|pair| pair[1].1 - pair[0].1).collect();
    assert_eq!(pauses.len(), 8);
    for (number, pause) in pauses.iter().enumerate() {
        let regular = Duration::from_millis(100 << number);
        let lenient = Duration::from_millis(2);
        assert!(regular / 2 <= *pause && *pause <= regular + lenient, "pause {number} is {pause:?}");
    }
    assert_eq!(metrics.retries.load(Ordering::Relaxed), 8);
    assert!(engine.is_idle());
}

/// Wants every lease of a namespace gone.
fn sweeper() -> ClosureController {
    ClosureController::new(|key, context| {
        let mut plan = Plan::nothing();
        context.view.list_in::<Lease>(key.name())?.into_iter().for_each(|lease| plan.then(Action::delete(lease)));
        Ok(plan)
    })
}

async fn with_leases(number: usize) -> Cluster {
    let cluster = Cluster::new();
    for number in 0..number {
        cluster.client.create(lease("shop", &format!("lease-{number}"))).await.expect("it can be created");
    }
    cluster.create_namespace("shop").await;
    cluster
}

#[tokio::test(start_paused = true)]
async fn the_breaker_stops_deletions_until_somebody_resets_it() {
    let cluster = with_leases(10).await;
    let window = Duration::from_secs(60);
    let budget = DisruptionBudget { deletions: 3, percent: 0, window, reset: Reset::ByHand };
    let options = RunOptions { budget: Some(budget), ..RunOptions::default() };
    let metrics = Arc::new(Counted::default());
    let builder = cluster.engine().controller_with(Arc::new(sweeper()), options).metrics(metrics.clone());
    let engine = builder.start().expect("it starts");
    pass(Duration::from_secs(100_000)).await;
    assert_eq!(cluster.leases().await.len(), 7);
    assert_eq!(engine.breaker("closure"), Some(BreakerState::Open { kind: "Lease", until: None }));
    assert!(engine.reset_breaker("closure") && !engine.reset_breaker("nobody"));
    pass(Duration::from_secs(100_000)).await;
    assert_eq!(cluster.leases().await.len(), 4);
    assert_eq!((metrics.opened.load(Ordering::Relaxed), metrics.deleted.load(Ordering::Relaxed)), (2, 6));
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_resets_itself_only_slows_deletions_down() {
    let cluster = with_leases(10).await;
    let window = Duration::from_secs(60);
    let budget = DisruptionBudget { deletions: 3, percent: 0, window, reset: Reset::After(window) };
    let options = RunOptions { budget: Some(budget), ..RunOptions::default() };
    let engine = cluster.engine().controller_with(Arc::new(sweeper()), options).start().expect("it starts");
    pass(Duration::from_secs(59)).await;
    assert_eq!(cluster.leases().await.len(), 7);
    pass(Duration::from_secs(1_000)).await;
    assert_eq!((cluster.leases().await.len(), engine.breaker("closure")), (0, Some(BreakerState::Closed)));
}

#[tokio::test(start_paused = true)]
async fn the_first_action_that_fails_ends_the_plan() {
    let cluster = Cluster::new();
    let controller = ClosureController::new(|key, context| {
        let mut plan = Plan::nothing();
        if context.view.list_in::<Lease>(key.name())?.len() < 2 {
            plan.then(Action::create(lease(key.name(), "first")));
            plan.then(Action::create(lease(key.name(), "second")));
        }
        Ok(plan)
    });
    let _engine = cluster.engine().controller(Arc::new(controller)).start().expect("it starts");
    settle().await;
    cluster.create_namespace("shop").await;
    cluster.store.spoil_put(PutFault::Refused);
    settle().await;
    assert_eq!(cluster.leases().await.len(), 0, "the second was not begun");
    pass(Duration::from_secs(1)).await;
    assert_eq!(cluster.leases().await.len(), 2);
}
