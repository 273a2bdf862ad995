//! [`EngineHandle`]: a running engine.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::breaker::BreakerState;
use super::runner::Runner;
use crate::cache::{Cache, KindId};

/// A running engine. Dropping it ends the engine at once, in the middle of whatever it does; its controllers are made
/// to survive that.
#[derive(Debug)]
pub struct EngineHandle {
    pub(super) cache: Arc<Cache>,
    pub(super) runners: Vec<Arc<Runner>>,
    pub(super) listed: watch::Receiver<BTreeSet<KindId>>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) drain: watch::Sender<bool>,
    pub(super) workers: JoinSet<()>,
    pub(super) background: JoinSet<()>,
    pub(super) recording: JoinSet<()>,
    pub(super) stop_within: Duration,
}

/// Tells an engine to stop, from elsewhere.
#[derive(Clone, Debug)]
pub struct EngineStopper(watch::Sender<bool>);

impl EngineStopper {
    /// Tells the engine to stop gracefully; does not wait for it. See [`EngineHandle::join`].
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// How an engine stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Every action that was begun was brought to its end.
    Gracefully,
    /// So many workers were still in an action when the time was over.
    Aborted(usize),
}

impl EngineHandle {
    /// What the controllers see.
    #[must_use]
    pub fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// Waits until every kind was listed.
    pub async fn listed(&self) {
        let all = |listed: &BTreeSet<KindId>| self.cache.ids().all(|kind| listed.contains(&kind));
        // An error means that the engine ended, and then there is nothing to wait for.
        let _ = self.listed.clone().wait_for(all).await;
    }

    /// Whether no key of any controller is ready, in work or waiting to see its own write: only time or a change can
    /// now make one look at something.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.runners.iter().all(|runner| runner.queue.is_idle())
    }

    /// Whether a controller may delete; `None` if there is no such controller.
    #[must_use]
    pub fn breaker(&self, controller: &str) -> Option<BreakerState> {
        Some(self.runner(controller)?.breaker.state(Instant::now()))
    }

    /// Lets a controller delete again, with a new budget. Whether there is such a controller.
    pub fn reset_breaker(&self, controller: &str) -> bool {
        let Some(runner) = self.runner(controller) else { return false };
        runner.breaker.reset();
        tracing::warn!(controller, "deletions go on: the breaker was reset by hand");
        runner.metrics.breaker(runner.name, false);
        true
    }

    /// What tells this engine to stop, for a signal handler or whoever loses a leader's office.
    #[must_use]
    pub fn stopper(&self) -> EngineStopper {
        EngineStopper(self.stop.clone())
    }

    /// Stops the engine: no key is taken, decisions under way are dropped, actions under way are brought to their end.
    /// Takes no longer than [`stop_within`](super::EngineBuilder::stop_within).
    pub async fn shutdown(self) -> Stopped {
        self.stopper().stop();
        self.join().await
    }

    /// Waits until the engine is told to stop, and has.
    pub async fn join(mut self) -> Stopped {
        // The sender is this handle's own, so that waiting cannot fail.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
        let end = Instant::now() + self.stop_within;
        let finished = async { while self.workers.join_next().await.is_some() {} };
        let stopped = match timeout_at(end, finished).await {
            Ok(()) => Stopped::Gracefully,
            Err(_) => Stopped::Aborted(self.workers.len()),
        };
        self.workers.shutdown().await;
        self.background.shutdown().await;
        self.drain.send_replace(true);
        // What is not written by then is dropped: nothing depends on events.
        let _ = timeout_at(end, self.recording.join_next()).await;
        stopped
    }

    fn runner(&self, controller: &str) -> Option<&Arc<Runner>> {
        self.runners.iter().find(|runner| runner.name == controller)
    }
}
