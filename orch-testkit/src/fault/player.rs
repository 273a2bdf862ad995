//! [`Player`]: plays a scenario once, with the faults of one plan.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use orch_core::client::{ClientError, Grace};
use orch_core::clock::Timestamp;
use orch_core::controller::{Action, Context, ControllerError, Plan, View as _};
use orch_core::entropy::{Entropy as _, SeededEntropy};
use orch_core::key::Key;
use orch_core::kind::AnyObject;
use orch_core::object::Uid;
use orch_core::store::{Expect, Store as _, StoreError, Value};

use super::member::{Frozen, Member};
use super::plan::Fault;
use super::report::Oracle;
use super::scenario::{Scenario, System};
use super::{Cluster, TOUCHED};
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
    scenario: &'a Scenario,
    faults: &'a [Fault],
    limit: Count,
    members: Vec<Member>,
    late: Vec<Action>,
    touched: BTreeMap<Uid, Key>,
    /// Time since the start; the wall clock may jump, this does not.
    elapsed: Duration,
    quiet_since: Duration,
    steps_done: usize,
    order: Option<SeededEntropy>,
}

enum Performed {
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
    fn invalid(&self) -> Option<&'a Arc<dyn AnyObject>> {
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
            Ok(plan) => self.carry_out(index, &key, plan).await?,
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

    async fn decide(&mut self, index: usize, key: &Key) -> Result<Result<Plan, ControllerError>, Broken> {
        let member = &self.members[index];
        let context = Context { view: &member.seen, now: self.cluster.now() };
        let decision = AssertUnwindSafe(member.controller.reconcile(key, context)).catch_unwind().await;
        let name = member.controller.name();
        self.note(|| format!("{name} looks at {key}"));
        decision.map_err(|_| Broken { oracle: Oracle::Panic, message: format!("{name} panicked on {key}") })
    }

    async fn carry_out(&mut self, index: usize, key: &Key, plan: Plan) -> Result<(), Broken> {
        for action in plan.actions {
            match self.perform(index, key, action).await? {
                Performed::Done => {}
                Performed::Failed => {
                    self.failed(index, key);
                    return Ok(());
                }
                Performed::Crashed => return Ok(()),
            }
        }
        let member = &mut self.members[index];
        member.failures.remove(key);
        if let Some(time) = plan.revisit_after {
            member.timers.insert(key.clone(), self.elapsed + time);
        }
        if !self.faults.contains(&Fault::AskedAgain) {
            return Ok(());
        }
        member.catch_up(&self.cluster.history);
        let again = self.decide(index, key).await?.unwrap_or_default();
        match again.actions.iter().find(|action| !matches!(action, Action::Report(_))) {
            None => Ok(()),
            Some(action) => {
                let message = format!("the plan for {key} was performed and is seen, and then: {}", words(action));
                Err(Broken { oracle: Oracle::Idempotent, message })
            }
        }
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

    async fn perform(&mut self, index: usize, key: &Key, action: Action) -> Result<Performed, Broken> {
        if let Action::Report(report) = &action {
            self.note(|| format!("  says {}: {}", report.reason, report.message));
            return Ok(Performed::Done);
        }
        let number = self.count.actions;
        self.count.actions += 1;
        let here: Vec<Fault> = self.faults.iter().copied().filter(|fault| fault.is_at(number)).collect();
        self.note(|| format!("  #{number} {}", words(&action)));
        for fault in &here {
            self.note(|| format!("    ! {fault}"));
            match fault {
                Fault::ClockJump { seconds, .. } => self.jump(*seconds),
                Fault::Conflict { .. } => self.touch(index, key, &action, number).await?,
                Fault::Refused { .. } => return Ok(Performed::Failed),
                Fault::Late { .. } => {
                    self.late.push(action);
                    self.restart(index, 0);
                    return Ok(Performed::Crashed);
                }
                _ => {}
            }
        }
        let from = self.cluster.history.len();
        let mut result = self.write(&action).await;
        if here.iter().any(|fault| matches!(fault, Fault::Twice { .. })) {
            let again = self.write(&action).await;
            self.note(|| format!("    a second time: {}", outcome(&again)));
        }
        if self.cluster.history.len() > from {
            self.quiet_since = self.elapsed;
        }
        if here.iter().any(|fault| matches!(fault, Fault::AnswerLost { .. })) {
            result = Err(lost());
        } else {
            self.members[index].wrote(key, from, &self.cluster.history);
        }
        self.check_written(from)?;
        for fault in &here {
            let lag = match fault {
                Fault::Crash { .. } => 0,
                Fault::CrashAndLag { lag, .. } => *lag,
                _ => continue,
            };
            self.restart(index, lag);
            return Ok(Performed::Crashed);
        }
        if let Err(error) = &result {
            self.note(|| format!("    failed: {error}"));
        }
        Ok(if result.is_ok() { Performed::Done } else { Performed::Failed })
    }

    async fn write(&self, action: &Action) -> Result<(), ControllerError> {
        match action {
            Action::Create(object) => self.cluster.create_any(object.clone()).await?,
            Action::Update { object, on } => {
                self.cluster.client().update_any(object.clone(), on).await?;
            }
            Action::Delete { object, grace } => {
                self.cluster.client().delete(&**object, *grace).await?;
            }
            Action::Effect(effect) => effect.perform().await?,
            Action::Report(_) => {}
        }
        Ok(())
    }

    fn restart(&mut self, index: usize, lag: usize) {
        let history = &self.cluster.history;
        let known = std::mem::take(&mut self.members[index].known);
        let mut member = Member::start((self.system.controllers[index])(), history, history.len().saturating_sub(lag));
        member.known.extend(known);
        if lag > 0 {
            member.frozen =
                Some(Frozen { kind: None, over_step: false, relist: false, looked: true, patience: Frozen::PATIENCE });
        }
        self.members[index] = member;
    }

    fn jump(&mut self, seconds: i64) {
        let now = self.cluster.now();
        let then = Timestamp::from_second(now.as_second().saturating_add(seconds)).unwrap_or(now);
        self.cluster.clock().set(then);
    }

    /// Somebody else writes to the object of the action, harmlessly.
    async fn touch(&mut self, index: usize, key: &Key, action: &Action, number: usize) -> Result<(), Broken> {
        let object = match action {
            Action::Update { object, .. } | Action::Delete { object, .. } => Some(object.clone()),
            Action::Create(_) | Action::Effect(_) | Action::Report(_) => self.members[index].seen.get_any(key),
        };
        let Some(object) = object else { return Ok(()) };
        let touched = self.cluster.touch(&*object, number).await;
        touched
            .map_err(|error| Broken { oracle: Oracle::Scenario, message: format!("cannot touch {key}: {error}") })?;
        if let Some(uid) = &object.metadata().uid {
            self.touched.insert(uid.clone(), object.key().unwrap_or_else(|_| key.clone()));
        }
        Ok(())
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

    async fn perform_late(&mut self) -> Result<bool, Broken> {
        if self.late.is_empty() {
            return Ok(false);
        }
        for action in std::mem::take(&mut self.late) {
            let from = self.cluster.history.len();
            let result = self.write(&action).await;
            self.note(|| format!("late: {}: {}", words(&action), outcome(&result)));
            self.check_written(from)?;
        }
        Ok(true)
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

    fn check_limits(&self) -> Result<(), Broken> {
        let writes = self.cluster.history.len();
        for (what, found, most) in [
            ("actions", self.count.actions, self.limit.actions),
            ("reconciles", self.count.reconciles, self.limit.reconciles),
            ("writes", writes, self.limit.writes),
        ] {
            if found > most {
                let message = format!("more than {most} {what}, and no end: the parts undo each other's work");
                return Err(Broken { oracle: Oracle::Bounded, message });
            }
        }
        Ok(())
    }

    /// What a controller wrote from position `from` on was its business, and left the scenario as it must be.
    fn check_written(&self, from: usize) -> Result<(), Broken> {
        for position in from..self.cluster.history.len() {
            let Some(write) = self.cluster.history.write(position) else { continue };
            let is_it = |object: &Arc<dyn AnyObject>| object.key().is_ok_and(|key| key == write.key);
            let not_it = self.invalid().is_some_and(|object| !is_it(object));
            if not_it || self.scenario.bystanders.iter().any(is_it) {
                let message = format!("{} is no business of the controllers and was written to", write.key);
                return Err(Broken { oracle: Oracle::Modest, message });
            }
        }
        self.check_invariants()
    }

    fn check_invariants(&self) -> Result<(), Broken> {
        for (words, check) in &self.scenario.invariants {
            check(&self.cluster)
                .map_err(|found| Broken { oracle: Oracle::Invariant, message: format!("{words}, but {found}") })?;
        }
        Ok(())
    }

    /// What others wrote to an object is still there.
    fn check_touched(&self) -> Result<(), Broken> {
        for (uid, key) in &self.touched {
            let Some(entry) = self.cluster.history.entry(key) else { continue };
            let metadata = super::oracle::metadata(&entry);
            let same = metadata["uid"].as_str() == Some(uid.as_str());
            if same && metadata["annotations"][TOUCHED].is_null() {
                let message = format!("an annotation that somebody else had put on {key} is gone");
                return Err(Broken { oracle: Oracle::Modest, message });
            }
        }
        Ok(())
    }

    /// At rest, another look at everything does nothing; neither does one by controllers just started.
    async fn check_settled(&mut self) -> Result<(), Broken> {
        for anew in [false, true] {
            for index in 0..self.members.len() {
                if anew {
                    self.restart(index, 0);
                }
                let member = &mut self.members[index];
                member.catch_up(&self.cluster.history);
                let mut keys = member.known.clone();
                keys.extend(member.nobody());
                for key in keys {
                    let writes = self.cluster.history.len();
                    let Ok(plan) = self.decide(index, &key).await? else { continue };
                    let idle = |action: &&Action| {
                        matches!(action, Action::Report(_)) || anew && matches!(action, Action::Effect(_))
                    };
                    if let Some(action) = plan.actions.iter().find(|action| !idle(action)) {
                        let message = format!("at rest, after {writes} writes, {key} still gives: {}", words(action));
                        return Err(Broken { oracle: Oracle::Settled, message });
                    }
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, words: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(words());
        }
    }
}

fn lost() -> ControllerError {
    ControllerError::Client(ClientError::Store(StoreError::Unavailable {
        message: "the answer was lost (a fault of the test)".to_owned(),
        outcome_is_unknown: true,
        source: None,
    }))
}

fn outcome(result: &Result<(), ControllerError>) -> String {
    result.as_ref().map_or_else(ToString::to_string, |()| "done".to_owned())
}

/// An action in a few words.
fn words(action: &Action) -> String {
    let of = |object: &Arc<dyn AnyObject>| object.key().map_or_else(|error| error.to_string(), |key| key.to_string());
    match action {
        Action::Create(object) => format!("create {}", of(object)),
        Action::Update { object, on } => format!("update {} as of revision {}", of(object), on.revision),
        Action::Delete { object, grace: Grace::Now } => format!("delete {} at once", of(object)),
        Action::Delete { object, .. } => format!("delete {}", of(object)),
        Action::Effect(effect) => format!("effect {effect:?}"),
        Action::Report(report) => format!("report {}", report.reason),
    }
}
