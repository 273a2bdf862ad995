//! [`Controller`]: drives the observed state to the desired one.

mod action;
mod error;
mod trigger;
mod view;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};

pub use action::{Action, Effect, EventType, Report};
pub use error::ControllerError;
pub use trigger::{Priority, Trigger};
pub use view::{Change, View, ViewExt};

use crate::clock::Timestamp;
use crate::key::Key;

/// Drives the observed state to the desired one, one key at a time.
///
/// A controller decides; it does not act. [`reconcile`](Controller::reconcile) looks at what is and returns the
/// ordered [`Action`]s that bring it nearer to what should be. Who runs the controller performs them, one at a time,
/// stops at the first that fails, and asks again after something changed. Because decision and action are apart, a
/// test can stop after every action, repeat it, or show an old view, without a thread or a clock.
///
/// # What every controller promises
///
/// - **C1** *Level-triggered*: the plan follows from the present state and time alone, never from which event came,
///   how many came, or in which order.
/// - **C2** *Idempotent*: once the actions of a plan were performed and are seen, none of them is planned again. Work
///   that takes several steps, each decided on what the last one left, ends after a few: then the same key gives an
///   empty plan, until something else changes or time passes a point that the plan named in
///   [`revisit_after`](Plan::revisit_after).
/// - **C3** *Crash-safe*: performed up to any action and started anew with empty memory, it reaches the same end state,
///   and creates and deletes nothing twice on the way.
/// - **C4** *Safe on a stale view*: whatever earlier state it is shown, what its actions do is prevented by their own
///   preconditions or right all the same. A create has a name that follows from the state, so that the same decision
///   made twice makes one object.
/// - **C5** *Modest*: it changes only objects that it manages or, of others, only the fields that are its own.
/// - **C6** *Finite*: in a system that nobody else changes it comes to rest, and two controllers of a system do not
///   undo each other's work for ever.
/// - **C7** *Harmless when refused*: a state that it cannot improve, an invalid object included, gives a plan that says
///   so in a status or a [`Report`], or an error; never a panic and never a change of something else.
///
/// # What whoever runs it promises
///
/// - **X1** One key is not reconciled twice at the same time, and not again before the view has reached this
///   controller's own last write for that key.
/// - **X2** Every [`Change`] of every triggering kind is shown to [`observe`](Controller::observe) once, in the order
///   of its kind's revisions, before the triggers are asked which keys it concerns. After a gap the difference is shown
///   as changes. Before the first key is reconciled, every triggering kind was listed and shown.
/// - **X3** Every key that a trigger names is reconciled after that change; several changes may share one run.
/// - **X4** Errors are retried with a growing pause, key by key.
#[async_trait]
pub trait Controller: Debug + Send + Sync + 'static {
    /// The controller's name, for logs, metrics and the source of its events: `replicaset`, `node-lifecycle`.
    fn name(&self) -> &'static str;

    /// Which kinds the controller sees in its view, and which keys are to be looked at when an object changes.
    /// Asked once, when the controller is started.
    fn triggers(&self) -> Vec<Trigger>;

    /// Keys to look at because of something outside the store, for ever. It only has to be a hint: what it names is
    /// looked at, and nothing may depend on each hint being delivered. Asked once. By default there is none.
    fn hints(&self) -> BoxStream<'static, Key> {
        stream::pending().boxed()
    }

    /// Takes notice of a change, for a controller that keeps a derived index, such as a scheduler its columns. Must
    /// return at once. By default it does nothing.
    fn observe(&self, change: &Change) {
        let _ = change;
    }

    /// What to do about `key`, which need not exist. Reads from the view and, where the controller manages something
    /// outside the store, from there; changes nothing. May be dropped at any point.
    ///
    /// # Errors
    /// [`ControllerError`] when it cannot decide now; the key is looked at again with a growing pause.
    async fn reconcile(&self, key: &Key, context: Context<'_>) -> Result<Plan, ControllerError>;
}

/// What a decision is made on.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The objects of the triggering kinds, as last seen. Never older than this controller's own last write for the
    /// key that is reconciled.
    pub view: &'a dyn View,
    /// The time of the decision.
    pub now: Timestamp,
}

/// What to do, in order.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The actions. Each is performed only if all before it succeeded.
    pub actions: Vec<Action>,
    /// Look at the key again after this time even if nothing changes.
    pub revisit_after: Option<Duration>,
}

impl Plan {
    /// Nothing to do.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Adds an action behind the others.
    pub fn then(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Look at the key again after `time`, or sooner if that was asked for before.
    pub fn revisit(&mut self, time: Duration) {
        self.revisit_after = Some(self.revisit_after.map_or(time, |before| before.min(time)));
    }
}
