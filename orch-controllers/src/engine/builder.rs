//! [`Engine`] and how it is put together.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orch_core::client::Client;
use orch_core::controller::{Controller, Trigger};
use orch_core::entropy::{Entropy, SeededEntropy};
use orch_core::kind::{Decoder, Kind};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::breaker::{Breaker, DisruptionBudget};
use super::dispatch::Dispatcher;
use super::handle::EngineHandle;
use super::metrics::{EngineMetrics, NoMetrics};
use super::queue::{Pauses, SharedQueue, WorkQueue};
use super::recorder::EventRecorder;
use super::runner::{Runner, is_set};
use crate::backoff::Backoff;
use crate::cache::{Cache, KindId, PartialView, Reflector};

/// Runs controllers.
#[derive(Debug)]
pub struct Engine;

impl Engine {
    /// An engine whose controllers read and write through `client`.
    #[must_use]
    pub fn builder(client: Client) -> EngineBuilder {
        EngineBuilder {
            client,
            entropy: Arc::new(SeededEntropy::from_os()),
            metrics: Arc::new(NoMetrics),
            stop_within: Duration::from_secs(30),
            controllers: Vec::new(),
        }
    }
}

/// How one controller is run.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// How many keys are worked on at the same time.
    pub workers: NonZeroUsize,
    /// How long a key that failed waits.
    pub backoff: Backoff,
    /// How much the controller may delete; `None` for as much as it likes.
    pub budget: Option<DisruptionBudget>,
}

impl Default for RunOptions {
    /// Two workers, pauses from a tenth of a second to a minute, the default budget.
    fn default() -> Self {
        let workers = NonZeroUsize::MIN.saturating_add(1);
        Self { workers, backoff: Pauses::default().failure, budget: Some(DisruptionBudget::default()) }
    }
}

/// Puts an engine together; see [`Engine::builder`].
#[derive(Debug)]
pub struct EngineBuilder {
    client: Client,
    entropy: Arc<dyn Entropy>,
    metrics: Arc<dyn EngineMetrics>,
    stop_within: Duration,
    controllers: Vec<(Arc<dyn Controller>, RunOptions)>,
}

impl EngineBuilder {
    /// Runs a controller with the default options.
    #[must_use]
    pub fn controller(self, controller: Arc<dyn Controller>) -> Self {
        self.controller_with(controller, RunOptions::default())
    }

    /// Runs a controller.
    #[must_use]
    pub fn controller_with(mut self, controller: Arc<dyn Controller>, options: RunOptions) -> Self {
        self.controllers.push((controller, options));
        self
    }

    /// Where the engine's own chance comes from, which spreads retries over time. By default it differs from run to run.
    #[must_use]
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// Who is told figures. By default nobody.
    #[must_use]
    pub fn metrics(mut self, metrics: Arc<dyn EngineMetrics>) -> Self {
        self.metrics = metrics;
        self
    }

    /// How long a graceful stop may take. By default 30 seconds.
    #[must_use]
    pub fn stop_within(mut self, time: Duration) -> Self {
        self.stop_within = time;
        self
    }

    /// Starts the engine on the tokio runtime that this is called on.
    ///
    /// # Errors
    /// [`EngineError`] when the controllers do not go together.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(self) -> Result<EngineHandle, EngineError> {
        let triggers: Vec<Vec<Trigger>> =
            self.controllers.iter().map(|(controller, _)| controller.triggers()).collect();
        self.check_names()?;
        let cache = Arc::new(Cache::new(kinds(&triggers)?));
        let (stop, stopping) = watch::channel(false);
        let (drain, draining) = watch::channel(false);
        let (recorder, writer) = EventRecorder::new(self.client.clone(), draining);
        let mut runners = Vec::new();
        for ((controller, options), triggers) in self.controllers.iter().zip(triggers) {
            let controller = Arc::clone(controller);
            runners.push(Arc::new(self.runner(controller, options, triggers, &cache, recorder.clone())));
        }
        let dispatcher = Arc::new(Dispatcher::new(runners.clone()));
        let (mut workers, mut background) = (JoinSet::new(), JoinSet::new());
        for (runner, (_, options)) in runners.iter().zip(&self.controllers) {
            background.spawn(Arc::clone(runner).take_hints());
            for _ in 0..options.workers.get() {
                let (runner, listed) = (Arc::clone(runner), dispatcher.listed());
                workers.spawn(work_once_listed(runner, listed, stopping.clone()));
            }
        }
        for kind in cache.ids() {
            let (cache, store) = (Arc::clone(&cache), Arc::clone(self.client.store()));
            let (entropy, listener) = (Arc::clone(&self.entropy), Arc::clone(&dispatcher));
            background.spawn(Reflector { cache, kind, store, entropy, listener }.run());
        }
        let mut recording = JoinSet::new();
        recording.spawn(writer);
        Ok(EngineHandle {
            cache,
            runners,
            listed: dispatcher.listed(),
            stop,
            drain,
            workers,
            background,
            recording,
            stop_within: self.stop_within,
        })
    }

    fn check_names(&self) -> Result<(), EngineError> {
        let mut names = BTreeSet::new();
        for (controller, _) in &self.controllers {
            if !names.insert(controller.name()) {
                return Err(EngineError::SameName { name: controller.name() });
            }
        }
        Ok(())
    }

    fn runner(
        &self,
        controller: Arc<dyn Controller>,
        options: &RunOptions,
        triggers: Vec<Trigger>,
        cache: &Arc<Cache>,
        recorder: EventRecorder,
    ) -> Runner {
        let mut by_kind: Vec<Vec<Trigger>> = cache.ids().map(|_| Vec::new()).collect();
        for trigger in triggers {
            if let Some(id) = cache.id_of(trigger.kind().collection) {
                by_kind[id.0].push(trigger);
            }
        }
        let seen: Vec<KindId> = cache.ids().filter(|id| !by_kind[id.0].is_empty()).collect();
        let pauses = Pauses { failure: options.backoff, ..Pauses::default() };
        Runner {
            name: controller.name(),
            controller,
            view: PartialView::new(Arc::clone(cache), seen),
            queue: SharedQueue::new(WorkQueue::new(by_kind.len(), pauses, Arc::clone(&self.entropy))),
            triggers: by_kind,
            breaker: Breaker::new(options.budget),
            client: self.client.clone(),
            recorder,
            metrics: Arc::clone(&self.metrics),
            unsettled: Mutex::default(),
        }
    }
}

/// Lets a worker begin once everything its controller sees was listed: on part of the world it would delete what
/// belongs to the rest.
async fn work_once_listed(
    runner: Arc<Runner>,
    mut listed: watch::Receiver<BTreeSet<KindId>>,
    mut stop: watch::Receiver<bool>,
) {
    let all = |listed: &BTreeSet<KindId>| runner.view.kinds().iter().all(|kind| listed.contains(kind));
    tokio::select! {
        biased;
        () = is_set(&mut stop) => return,
        listed = listed.wait_for(all) => drop(listed),
    }
    Arc::clone(&runner).work(stop).await;
}

/// All kinds that are seen.
fn kinds(triggers: &[Vec<Trigger>]) -> Result<Vec<(&'static Kind, Decoder)>, EngineError> {
    let mut kinds: BTreeMap<&str, &Trigger> = BTreeMap::new();
    for trigger in triggers.iter().flatten() {
        let first = kinds.entry(trigger.kind().collection).or_insert(trigger);
        if first.kind() != trigger.kind() {
            let (one, other) = (first.kind().api_version, trigger.kind().api_version);
            return Err(EngineError::KindsDiffer { collection: trigger.kind().collection, one, other });
        }
    }
    Ok(kinds.into_values().map(|trigger| (trigger.kind(), trigger.decoder())).collect())
}

/// Why an engine could not be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Two controllers have the same name.
    #[error(
        "two controllers are called {name:?}: give each a name of its own, their events and figures are told by it"
    )]
    SameName {
        /// The name.
        name: &'static str,
    },
    /// Two types claim the same collection.
    #[error("{collection} is seen as {one} by one controller and as {other} by another: agree on one type")]
    KindsDiffer {
        /// The collection.
        collection: &'static str,
        /// The version that one asks for.
        one: &'static str,
        /// The version that another asks for.
        other: &'static str,
    },
}
