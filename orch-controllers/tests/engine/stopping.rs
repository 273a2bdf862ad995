//! How an engine stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use orch_controllers::engine::{EngineError, Stopped};
use orch_core::controller::{Action, ControllerError, Effect, EventType, Plan, Report};
use orch_core::key::Prefix;
use orch_core::kind::Object;
use orch_core::object::Event;
use orch_core::store::StoreExt as _;
use tokio::time::Instant;

use crate::subject::{ClosureController, Cluster, namespace, pass, settle};

/// Takes its time, and counts how often it came to its end.
#[derive(Clone, Debug)]
struct Slow {
    time: Duration,
    finished: Arc<AtomicU32>,
}

#[async_trait]
impl Effect for Slow {
    async fn perform(&self) -> Result<(), ControllerError> {
        tokio::time::sleep(self.time).await;
        self.finished.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// A controller with a report and two slow effects in its plan.
fn slow(time: Duration) -> (ClosureController, Arc<AtomicU32>) {
    let finished = Arc::new(AtomicU32::new(0));
    let effect = Slow { time, finished: Arc::clone(&finished) };
    let controller = ClosureController::new(move |key, _| {
        let mut plan = Plan::nothing();
        plan.then(Action::Report(Report::about(&namespace(key.name()), EventType::Normal, "Begun", "it begins")?));
        plan.then(Action::Effect(Arc::new(effect.clone())));
        plan.then(Action::Effect(Arc::new(effect.clone())));
        Ok(plan)
    });
    (controller, finished)
}

#[tokio::test(start_paused = true)]
async fn a_graceful_stop_ends_the_action_under_way_and_begins_no_other() {
    let cluster = Cluster::new();
    let (controller, finished) = slow(Duration::from_secs(5));
    let notes = controller.notes();
    let engine = cluster.engine().controller(Arc::new(controller)).start().expect("it starts");
    for name in ["one", "two", "three"] {
        cluster.create_namespace(name).await;
    }
    settle().await;
    let begun = Instant::now();
    assert_eq!(engine.shutdown().await, Stopped::Gracefully);
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!((notes.looks().len(), finished.load(Ordering::Relaxed)), (2, 2), "two workers, an action each");
    let revision = cluster.store.inner.revision();
    cluster.create_namespace("four").await;
    pass(Duration::from_secs(100)).await;
    assert_eq!(cluster.store.inner.revision(), revision.next(), "a stopped engine does nothing");
}

#[tokio::test(start_paused = true)]
async fn what_was_reported_is_written_before_a_graceful_stop_ends() {
    let cluster = Cluster::new();
    let (controller, _) = slow(Duration::from_secs(5));
    let engine = cluster.engine().controller(Arc::new(controller)).start().expect("it starts");
    cluster.create_namespace("one").await;
    cluster.store.puts_held.send_replace(true);
    settle().await;
    let release = async {
        pass(Duration::from_secs(20)).await;
        cluster.store.puts_held.send_replace(false);
    };
    assert_eq!(tokio::join!(engine.shutdown(), release).0, Stopped::Gracefully);
    let events = cluster.store.inner.list_as::<Event>(&Prefix::collection(&Event::KIND)).await;
    assert_eq!(events.expect("events can be listed").0.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_action_that_does_not_end_is_given_up_in_time() {
    let cluster = Cluster::new();
    let (controller, finished) = slow(Duration::from_secs(1_000_000));
    let builder = cluster.engine().controller(Arc::new(controller)).stop_within(Duration::from_secs(3));
    let engine = builder.start().expect("it starts");
    cluster.create_namespace("one").await;
    pass(Duration::from_secs(1)).await;
    let (begun, stopper) = (Instant::now(), engine.stopper());
    stopper.stop();
    assert_eq!(engine.join().await, Stopped::Aborted(1));
    assert_eq!((begun.elapsed().as_secs(), finished.load(Ordering::Relaxed)), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn controllers_of_one_name_are_refused() {
    let cluster = Cluster::new();
    let idle = || Arc::new(ClosureController::new(|_, _| Ok(Plan::nothing())));
    let error = cluster.engine().controller(idle()).controller(idle()).start().expect_err("they cannot be told apart");
    assert_eq!(error, EngineError::SameName { name: "closure" });
}
