//! [`Runner`]: runs one controller.

use std::any::Any;
use std::collections::BTreeMap;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{FutureExt as _, StreamExt as _};
use orch_core::client::Client;
use orch_core::controller::{Change, Context, Controller, ControllerError, Plan, Priority, Trigger};
use orch_core::key::Key;
use orch_core::revision::Revision;
use tokio::sync::watch;
use tokio::time::Instant;

use super::breaker::Breaker;
use super::metrics::{EngineMetrics, Reconciled};
use super::perform::{Failure, Written};
use super::queue::{Awaited, Outcome, SharedQueue, Ticket};
use super::recorder::EventRecorder;
use crate::cache::{KindId, PartialView};

/// Runs one controller: fills its queue from changes and hints, and lets workers deal with the keys.
#[derive(Debug)]
pub(super) struct Runner {
    pub(super) name: &'static str,
    pub(super) controller: Arc<dyn Controller>,
    /// The controller's triggers, by the number of their kind.
    pub(super) triggers: Vec<Vec<Trigger>>,
    pub(super) view: PartialView,
    pub(super) queue: SharedQueue,
    pub(super) breaker: Breaker,
    pub(super) client: Client,
    pub(super) recorder: EventRecorder,
    pub(super) metrics: Arc<dyn EngineMetrics>,
    /// By key, the writes of which nobody knows whether they happened.
    pub(super) unsettled: Mutex<BTreeMap<Key, Written>>,
}

/// What came of one look at a key.
struct Attempt {
    result: Reconciled,
    outcome: Outcome,
}

impl Attempt {
    fn new(result: Reconciled, outcome: Outcome) -> Self {
        Self { result, outcome }
    }
}

impl Runner {
    /// Shows a change to the controller and queues what it triggers.
    pub(super) fn see(&self, kind: KindId, change: &Change, replay: bool) {
        if self.triggers[kind.0].is_empty() {
            return;
        }
        self.isolated("observing", change.key(), || self.controller.observe(change));
        for trigger in &self.triggers[kind.0] {
            let keys = self.isolated("mapping", change.key(), || trigger.keys(change, &self.view));
            let priority = if replay { Priority::Low } else { trigger.priority() };
            keys.iter().flatten().for_each(|key| self.queue.add(key, priority));
        }
    }

    /// The controller's view has reached a revision, and the controller was shown everything up to it.
    pub(super) fn reached(&self, kind: KindId, revision: Revision) {
        if self.view.kinds().contains(&kind) {
            self.queue.reached(kind.0, revision);
        }
    }

    /// Queues what the controller's hints name, for ever.
    pub(super) async fn take_hints(self: Arc<Self>) {
        let mut hints = self.controller.hints();
        loop {
            match AssertUnwindSafe(hints.next()).catch_unwind().await {
                Ok(Some(key)) => self.queue.add(&key, Priority::Normal),
                Ok(None) => return,
                Err(panic) => return self.panicked("hinting", None, &*panic),
            }
        }
    }

    /// Deals with one key after another until `stop` is set. A decision is then dropped; an action is brought to its
    /// end, and the rest of its plan is not begun.
    pub(super) async fn work(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        loop {
            let ticket = tokio::select! {
                biased;
                () = is_set(&mut stop) => return,
                ticket = self.queue.take() => ticket,
            };
            self.metrics.queue_depth(self.name, self.queue.depth());
            let failures = self.queue.failures(&ticket);
            if failures > 0 {
                self.metrics.retried(self.name, failures);
            }
            self.deal_with(ticket, failures, &mut stop).await;
        }
    }

    async fn deal_with(&self, ticket: Ticket, failures: u32, stop: &mut watch::Receiver<bool>) {
        let started = Instant::now();
        let mut awaited = Vec::new();
        let attempt = self.attempt(&ticket.key, failures, stop, &mut awaited);
        let attempt = match AssertUnwindSafe(attempt).catch_unwind().await {
            Ok(attempt) => attempt,
            Err(panic) => {
                self.panicked("reconciling", Some(&ticket.key), &*panic);
                Attempt::new(Reconciled::Failed, Outcome::Failure)
            }
        };
        self.metrics.reconciled(self.name, attempt.result, started.elapsed());
        self.queue.done(ticket, attempt.outcome, &awaited);
    }

    async fn attempt(
        &self,
        key: &Key,
        failures: u32,
        stop: &mut watch::Receiver<bool>,
        awaited: &mut Vec<Awaited>,
    ) -> Attempt {
        let unsettled = self.lock_unsettled().get(key).cloned();
        if let Some(written) = unsettled {
            return self.settle(key, &written, awaited).await;
        }
        let context = Context { view: &self.view, now: self.client.clock().now() };
        let plan = tokio::select! {
            biased;
            () = is_set(stop) => return Attempt::new(Reconciled::Abandoned, Outcome::Abandoned),
            plan = self.controller.reconcile(key, context) => plan,
        };
        match plan {
            Ok(plan) => self.perform_all(key, failures, plan, stop, awaited).await,
            Err(error) => self.failed(key, failures, &Failure::of(error)),
        }
    }

    async fn perform_all(
        &self,
        key: &Key,
        failures: u32,
        plan: Plan,
        stop: &watch::Receiver<bool>,
        awaited: &mut Vec<Awaited>,
    ) -> Attempt {
        let done = if plan.actions.is_empty() { Reconciled::Nothing } else { Reconciled::Done };
        for action in &plan.actions {
            if *stop.borrow() {
                return Attempt::new(Reconciled::Abandoned, Outcome::Abandoned);
            }
            match self.perform(action).await {
                Ok(written) => awaited.extend(written),
                Err(failure) => {
                    if let Some(written) = failure.written.as_ref().filter(|_| failure.outcome_is_unknown()) {
                        self.lock_unsettled().insert(key.clone(), written.clone());
                    } else if let Some(written) = failure.written.as_ref().filter(|_| failure.error.is_conflict()) {
                        awaited.extend(self.state_of(written).await.ok().flatten());
                    }
                    return self.failed(key, failures, &failure);
                }
            }
        }
        Attempt::new(done, Outcome::Success(plan.revisit_after))
    }

    /// Finds out up to where the view must come to show a write of which nobody knows whether it happened.
    async fn settle(&self, key: &Key, written: &Written, awaited: &mut Vec<Awaited>) -> Attempt {
        match self.state_of(written).await {
            Ok(state) => {
                awaited.extend(state);
                self.lock_unsettled().remove(key);
                Attempt::new(Reconciled::Conflict, Outcome::Conflict)
            }
            Err(error) => {
                tracing::debug!(controller = self.name, %key, "cannot find out what became of {}: {error}", written.key);
                Attempt::new(Reconciled::Failed, Outcome::Failure)
            }
        }
    }

    fn failed(&self, key: &Key, failures: u32, failure: &Failure) -> Attempt {
        let controller = self.name;
        if failure.error.is_conflict() {
            tracing::debug!(controller, %key, "deciding anew: {}", failure.error);
            return Attempt::new(Reconciled::Conflict, Outcome::Conflict);
        }
        let error = with_sources(&failure.error);
        if failure.is_refused_by_budget {
            tracing::debug!(controller, %key, failures, "{error}");
        } else if failure.error.is_transient() {
            tracing::warn!(controller, %key, failures, "trying again: {error}");
        } else {
            tracing::error!(controller, %key, failures, "trying again, though it needs a change to succeed: {error}");
        }
        Attempt::new(Reconciled::Failed, Outcome::Failure)
    }

    /// Calls code of the controller; a panic of it harms nobody else.
    fn isolated<T>(&self, doing: &str, key: &Key, call: impl FnOnce() -> T) -> Option<T> {
        let result = catch_unwind(AssertUnwindSafe(call));
        result.map_err(|panic| self.panicked(doing, Some(key), &*panic)).ok()
    }

    fn panicked(&self, doing: &str, key: Option<&Key>, panic: &(dyn Any + Send)) {
        let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
        let (controller, panic) = (self.name, text.unwrap_or("no message"));
        tracing::error!(controller, key = key.map(Key::as_str), "a controller panicked while {doing}: {panic}");
        self.metrics.panicked(controller);
    }

    fn lock_unsettled(&self) -> MutexGuard<'_, BTreeMap<Key, Written>> {
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until a flag is set, or nobody is left who could set it.
pub(super) async fn is_set(flag: &mut watch::Receiver<bool>) {
    let _ = flag.wait_for(|flag| *flag).await;
}

/// The error and what caused it, as one line; causes that the error quotes already are left out.
fn with_sources(error: &ControllerError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
