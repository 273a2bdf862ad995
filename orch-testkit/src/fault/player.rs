//! [`Player`]: plays a scenario once, with the faults of one plan.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use orch_core::controller::{Action, Context, ControllerError, Plan};
use orch_core::entropy::{Entropy as _, SeededEntropy};
use orch_core::key::Key;
use orch_core::kind::AnyObject;
use orch_core::object::Uid;
use orch_core::store::{Expect, Store as _, Value};

use super::Cluster;
use super::member::{Frozen, Member};
use super::perform::deeds;
use super::plan::Fault;
use super::report::Oracle;
use super::scenario::{Scenario, System};
use crate::model::ModelStore;

/// How much happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// Actions other than reports, performed or not.
    pub(super) actions: usize,
    /// Decisions.
    pub(super) reconciles: usize,
    /// Writes to the store, by whomever.
    pub(super) writes: usize,
    /// How many invalid objects the scenario has.
    pub(super) invalid: usize,
    /// The most kinds that a controller sees.
    pub(super) kinds: usize,
}

impl Count {
    /// The most that may happen in a scenario of which nothing is known yet.
    pub(super) const UNKNOWN: Self = Self { actions: 2_000, reconciles: 20_000, writes: 4_000, invalid: 0, kinds: 0 };

    /// The most that may happen with faults, in a scenario in which this much happens without.
    pub(super) fn with_faults(self) -> Self {
        Self {
            actions: self.actions * 3 + 50,
            reconciles: self.reconciles * 10 + 500,
            writes: self.writes * 3 + 50,
            ..self
        }
    }
}

/// What must hold and did not.
#[derive(Clone, Debug)]
pub(super) struct Broken {
    pub(super) oracle: Oracle,
    pub(super) message: String,
}

/// Plays a scenario once.
pub(super) struct Player<'a> {
    pub(super) cluster: Cluster,
    pub(super) system: System,
    pub(super) count: Count,
    pub(super) trace: Option<Vec<String>>,
    pub(super) scenario: &'a Scenario,
    pub(super) faults: &'a [Fault],
    pub(super) limit: Count,
    pub(super) members: Vec<Member>,
    pub(super) late: Vec<Action>,
    pub(super) touched: BTreeMap<Uid, Key>,
    /// Time since the start; the wall clock may jump, this does not.
    pub(super) elapsed: Duration,
    pub(super) quiet_since: Duration,
    pub(super) steps_done: usize,
    pub(super) order: Option<SeededEntropy>,
}

/// How an action ended, as its controller learns it.
pub(super) enum Performed {
    Done,
    Failed,
    Crashed,
}

impl<'a> Player<'a> {
    /// Plays to the end.
    pub(super) async fn play(
        scenario: &'a Scenario,
        faults: &'a [Fault],
        limit: Count,
        traced: bool,
    ) -> (Self, Result<(), Broken>) {
        let cluster = Cluster::new(Arc::new(ModelStore::default()), scenario.start);
        let system = (scenario.make)(&cluster);
        let order = faults.iter().find_map(|fault| match fault {
            Fault::Shuffled { seed } => Some(SeededEntropy::new(*seed)),
            _ => None,
        });
        let mut player = Self {
            cluster,
            system,
            count: Count::default(),
            trace: traced.then(Vec::new),
            scenario,
            faults,
            limit,
            members: Vec::new(),
            late: Vec::new(),
            touched: BTreeMap::new(),
            elapsed: Duration::ZERO,
            quiet_since: Duration::ZERO,
            steps_done: 0,
            order,
        };
        let result = player.run().await;
        player.count.writes = player.cluster.history.len();
        player.count.invalid = scenario.invalid.len();
        player.count.kinds = player.members.iter().map(Member::kinds).max().unwrap_or(0);
        (player, result)
    }

    async fn run(&mut self) -> Result<(), Broken> {
        match self.invalid() {
            Some(object) => self.smuggle_in(object).await?,
            None => {
                for object in self.scenario.initial.iter().chain(&self.scenario.bystanders) {
                    self.set_up(object).await?;
                }
            }
        }
        for make in &self.system.controllers {
            self.members.push(Member::start(make(), &self.cluster.history, self.cluster.history.len()));
        }
        while self.go_on().await? {
            self.check_limits()?;
        }
        self.check_touched()?;
        self.check_settled().await
    }

    async fn set_up(&self, object: &Arc<dyn AnyObject>) -> Result<(), Broken> {
        self.cluster.create_any(object.clone()).await.map_err(|error| Broken {
            oracle: Oracle::Scenario,
            message: format!("cannot create the {} at the start: {error}", object.kind().name),
        })
    }

    /// The invalid object that stands in the place of the scenario, if that is the plan.
    pub(super) fn invalid(&self) -> Option<&'a Arc<dyn AnyObject>> {
        self.faults.iter().find_map(|fault| match fault {
            Fault::Invalid { index } => self.scenario.invalid.get(*index),
            _ => None,
        })
    }

    /// Puts an object into the store past all validation.
    async fn smuggle_in(&self, object: &Arc<dyn AnyObject>) -> Result<(), Broken> {
        let mut object = object.clone_arc();
        if let Some(unshared) = Arc::get_mut(&mut object) {
            let metadata = unshared.metadata_mut();
            metadata.uid = Some(Uid::new("invalid"));
            metadata.generation = Some(1);
        }
        let broken = |message: String| Broken { oracle: Oracle::Scenario, message };
        let key = object.key().map_err(|error| broken(error.to_string()))?;
        let put = self.cluster.history.put(&key, Value::shared(object), Expect::Absent).await;
        put.map(drop).map_err(|error| broken(error.to_string()))
    }

    /// Does the next thing that there is to do. Returns whether there was something.
    async fn go_on(&mut self) -> Result<bool, Broken> {
        if self.step_if(true).await? || self.shuffled().await? {
            return Ok(true);
        }
        for index in 0..self.members.len() {
            if self.turn(index).await? {
                return Ok(true);
            }
        }
        if self.act().await? || self.thaw() || self.perform_late().await? || self.wait() {
            return Ok(true);
        }
        self.step_if(false).await
    }

    /// Lets a controller look at its next key.
    async fn turn(&mut self, index: usize) -> Result<bool, Broken> {
        let member = &mut self.members[index];
        if self.faults.contains(&Fault::OneByOne) {
            while member.queue.is_empty() && member.show_next(&self.cluster.history) {}
        } else {
            member.catch_up(&self.cluster.history);
        }
        let Some(key) = member.queue.pop_front() else { return Ok(false) };
        self.reconcile(index, key).await?;
        Ok(true)
    }

    /// Something at random, if the plan says so. Returns whether something was done.
    async fn shuffled(&mut self) -> Result<bool, Broken> {
        const TRIES: u64 = 6;
        for _ in 0..TRIES {
            let Some(order) = &self.order else { return Ok(false) };
            let dice = order.next_u64();
            let (what, which) = (dice % 3, usize::try_from(dice >> 40).unwrap_or(0));
            let index = which % self.members.len().max(1);
            let Some(member) = self.members.get_mut(index) else { return Ok(false) };
            match what {
                0 => {
                    let kind = (which / 7) % member.kinds().max(1);
                    member.show_to(kind, self.cluster.history.len(), &self.cluster.history);
                }
                1 if !member.queue.is_empty() => {
                    let key = member.queue.remove((which / 7) % member.queue.len());
                    if let Some(key) = key {
                        self.reconcile(index, key).await?;
                        return Ok(true);
                    }
                }
                2 if self.act().await? => return Ok(true),
                _ => {}
            }
        }
        Ok(false)
    }

    async fn reconcile(&mut self, index: usize, key: Key) -> Result<(), Broken> {
        let number = self.count.reconciles;
        self.count.reconciles += 1;
        let member = &mut self.members[index];
        member.show_own(&key, &self.cluster.history);
        member.queue.retain(|queued| *queued != key);
        member.timers.remove(&key);
        let plan = self.decide(index, &key).await?;
        match plan {
            Ok(plan) => {
                let done: BTreeSet<String> = deeds(&plan).collect();
                if self.carry_out(index, &key, plan).await? && self.faults.contains(&Fault::AskedAgain) {
                    self.ask_again(index, &key, done).await?;
                }
            }
            Err(error) => {
                self.note(|| format!("  cannot decide about {key}: {error}"));
                self.failed(index, &key);
            }
        }
        self.members[index].lose_patience(&self.cluster.history);
        for fault in self.faults {
            match *fault {
                Fault::Stale { reconcile, kind, over_step, relist } if reconcile == number => {
                    self.members[index].frozen =
                        Some(Frozen { kind, over_step, relist, looked: false, patience: Frozen::PATIENCE });
                }
                Fault::Repeated { reconcile } if reconcile == number => {
                    self.members[index].queue.push_front(key.clone())
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) async fn decide(&mut self, index: usize, key: &Key) -> Result<Result<Plan, ControllerError>, Broken> {
        let member = &self.members[index];
        let context = Context { view: &member.seen.view, now: self.cluster.now() };
        let decision = AssertUnwindSafe(member.controller.reconcile(key, context)).catch_unwind().await;
        let name = member.controller.name();
        self.note(|| format!("{name} looks at {key}"));
        decision.map_err(|_| Broken { oracle: Oracle::Panic, message: format!("{name} panicked on {key}") })
    }

    /// Performs a plan. Returns whether that went well.
    pub(super) async fn carry_out(&mut self, index: usize, key: &Key, plan: Plan) -> Result<bool, Broken> {
        for action in plan.actions {
            match self.perform(index, key, action).await? {
                Performed::Done => {}
                Performed::Failed => {
                    self.failed(index, key);
                    return Ok(false);
                }
                Performed::Crashed => return Ok(false),
            }
        }
        let member = &mut self.members[index];
        member.failures.remove(key);
        if let Some(time) = plan.revisit_after {
            member.timers.insert(key.clone(), self.elapsed + time);
        }
        Ok(true)
    }

    /// Promise X4: the first time at once, then with a growing pause.
    fn failed(&mut self, index: usize, key: &Key) {
        let member = &mut self.members[index];
        let failures = member.failures.entry(key.clone()).or_default();
        *failures += 1;
        if *failures == 1 {
            member.enqueue(key.clone());
        } else {
            let pause = Duration::from_secs(1 << (*failures).min(6));
            member.timers.insert(key.clone(), self.elapsed + pause);
        }
    }

    async fn act(&mut self) -> Result<bool, Broken> {
        for actor in &mut self.system.actors {
            let from = self.cluster.history.len();
            if actor.act(&self.cluster).await {
                let write = self.cluster.history.write(from);
                let words = format!("{actor:?} writes {:?}", write.map(|write| write.key));
                self.note(|| words);
                self.check_invariants()?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The system is at rest but for controllers that do not see it: they look once more, then see again.
    fn thaw(&mut self) -> bool {
        let last_step = self.steps_done == self.scenario.steps.len();
        for member in &mut self.members {
            let Some(frozen) = &mut member.frozen else { continue };
            if frozen.over_step && !last_step {
                continue;
            }
            if !frozen.looked {
                frozen.looked = true;
                for key in member.known.clone() {
                    member.enqueue(key);
                }
                return true;
            }
            member.thaw(&self.cluster.history);
            return true;
        }
        false
    }

    /// Moves the time to when something is due, unless the system has been at rest for long.
    fn wait(&mut self) -> bool {
        // A controller that is shown nothing would only fail again and again at what it cannot see.
        let awake = |member: &&Member| member.frozen.is_none();
        let timers = self.members.iter().filter(awake).flat_map(|member| member.timers.values().copied());
        let actors = self.system.actors.iter().filter_map(|actor| actor.wakes_after(&self.cluster));
        let due = timers.chain(actors.map(|time| self.elapsed + time)).min();
        let Some(due) = due.filter(|due| *due <= self.quiet_since + self.scenario.horizon) else { return false };
        self.cluster.advance(due.saturating_sub(self.elapsed));
        self.elapsed = due.max(self.elapsed);
        for member in self.members.iter_mut().filter(|member| member.frozen.is_none()) {
            let ready: Vec<Key> =
                member.timers.iter().filter(|(_, time)| **time <= due).map(|(key, _)| key.clone()).collect();
            for key in ready {
                member.timers.remove(&key);
                member.enqueue(key);
            }
        }
        true
    }

    /// Does the user's next step, if it is one that waits for a state and that state is here, or for rest.
    async fn step_if(&mut self, early: bool) -> Result<bool, Broken> {
        let Some(step) = self.scenario.steps.get(self.steps_done) else { return Ok(false) };
        if self.invalid().is_some() {
            return Ok(false);
        }
        if early && !step.once.as_ref().is_some_and(|holds| holds(&self.cluster)) {
            return Ok(false);
        }
        let broken = |message| Broken { oracle: Oracle::Scenario, message };
        if !early && step.once.is_some() {
            return Err(broken(format!("the system came to rest, and the state for the step {step:?} never came")));
        }
        (step.deed)(&self.cluster).await.map_err(|error| broken(format!("the step {step:?} failed: {error}")))?;
        self.steps_done += 1;
        self.quiet_since = self.elapsed;
        for member in &mut self.members {
            if let Some(frozen) = &mut member.frozen {
                frozen.over_step = false;
            }
        }
        self.note(|| format!("-- step: {step:?}"));
        self.check_invariants()?;
        Ok(true)
    }

    pub(super) fn note(&mut self, words: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(words());
        }
    }
}
