//! [`World`]: a core with a store and a master that do to it what stores and masters may do: it is killed between any two
//! steps, calls are lost, updates come late and again. Everything that may never be is looked for at each step.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::super::run::parts_of;
use super::super::{Chronos, News, Output, Refused, Settings};
use crate::chronos::job::{Defaults, Definition};
use crate::wire::TaskState;

/// How long a task on an agent that is away is waited for.
const PATIENCE: Duration = Duration::from_secs(100);

/// A core, its store, and a master.
#[derive(Debug)]
pub(super) struct World {
    pub(super) core: Chronos,
    store: BTreeMap<String, Value>,
    pub(super) tasks: BTreeMap<String, Task>,
    pub(super) now: Timestamp,
    is_connected: bool,
    bug: Option<Bug>,
}

/// A task as it really is.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) state: TaskState,
    /// What the core has not acknowledged.
    updates: VecDeque<TaskState>,
    /// Since when its agent is away.
    away: Option<Timestamp>,
    /// Since when the core may have waited for that.
    was_away: Option<Timestamp>,
    /// Whether it was away for so long that the core has given it up: another one may do its work.
    is_given_up: bool,
}

/// What is wrong with the one that works with the core, on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    /// It acts, and records then.
    ActsFirst,
    /// It acknowledges, and records then.
    AcknowledgesFirst,
    /// It does not ask the master about tasks when it is subscribed anew.
    DoesNotAsk,
    /// It takes a task whose agent is away for lost.
    GivesUpAtOnce,
    /// It lets tasks be that it does not know.
    LetsBe,
}

/// When the process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crash {
    Never,
    BeforeWriting,
    BeforeActing,
    BeforeAcknowledging,
}

/// What becomes of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Launch {
    Arrives,
    /// The connection breaks before it does.
    IsLost,
    /// The offer was taken back meanwhile.
    IsInvalid,
}

impl World {
    pub(super) fn new(bug: Option<Bug>) -> Self {
        let settings = Settings {
            defaults: Defaults { epsilon: Duration::from_secs(1_000_000_000), ..Defaults::default() },
            failure_retry: Duration::from_secs(2),
            unreachable_timeout: PATIENCE,
            history_limit: 3,
            ..Settings::default()
        };
        let now = "2026-11-28T12:00:00Z".parse().expect("a time");
        let (store, tasks) = (BTreeMap::new(), BTreeMap::new());
        Self { core: Chronos::new(settings), store, tasks, now, is_connected: true, bug }
    }

    /// Changes something as the API does.
    pub(super) fn ask(
        &mut self,
        crash: Crash,
        ask: impl FnOnce(&mut Chronos, Timestamp) -> Result<Output, Refused>,
    ) -> Result<(), Refused> {
        let output = ask(&mut self.core, self.now)?;
        self.perform(output, crash, Vec::new(), Launch::Arrives);
        Ok(())
    }

    pub(super) fn put(&mut self, job: &Value, crash: Crash) -> Result<(), Refused> {
        let definition = Definition::read(job, &self.core.settings().defaults, self.now).map_err(Refused)?;
        self.ask(crash, |core, now| core.put(definition, now))
    }

    /// Time passes unnoticed.
    pub(super) fn pass(&mut self, milliseconds: u32) {
        self.now = self.now.checked_add(SignedDuration::from_millis(i64::from(milliseconds))).expect("a time");
    }

    pub(super) fn tick(&mut self, seconds: u32, crash: Crash) {
        self.pass(seconds * 1_000);
        self.perform(Output::default(), crash, Vec::new(), Launch::Arrives);
    }

    /// Does what is to be done as the actor does; false if it was killed meanwhile.
    fn perform(&mut self, output: Output, crash: Crash, launches: Vec<String>, fate: Launch) -> bool {
        let output = output.and(self.core.advance(self.now));
        let records = self.core.records(&output.changed);
        if self.bug == Some(Bug::ActsFirst) {
            self.act(&output, &launches, fate);
        }
        if crash == Crash::BeforeWriting {
            return self.restart();
        }
        for (name, record) in records {
            match record {
                Some(record) => drop(self.store.insert(name, record)),
                None => drop(self.store.remove(&name)),
            }
        }
        // That is so once it is recorded.
        let known: BTreeSet<String> = self.core.live().into_iter().map(|(task, _)| task).collect();
        let patience = SignedDuration::try_from(PATIENCE).expect("short");
        for (id, task) in &mut self.tasks {
            let is_told = task.state.is_terminal() && task.updates.is_empty();
            let may_be = task.was_away.is_some_and(|since| self.now.duration_since(since) >= patience);
            task.is_given_up |= may_be && !is_told && !known.contains(id);
        }
        if crash == Crash::BeforeActing {
            return self.restart();
        }
        if self.bug != Some(Bug::ActsFirst) {
            self.act(&output, &launches, fate);
        }
        true
    }

    fn act(&mut self, output: &Output, launches: &[String], fate: Launch) {
        for kill in &output.kills {
            self.kill(&kill.task);
        }
        for task in launches {
            match fate {
                Launch::Arrives if self.is_connected => self.launch(task),
                Launch::IsInvalid if self.is_connected => {
                    self.news(task, TaskState::Lost, Crash::Never);
                }
                _ => self.is_connected = false,
            }
        }
    }

    /// A task begins. It must be the first of its id, and the only one of its run, and of its job unless that is concurrent.
    fn launch(&mut self, id: &str) {
        assert!(!self.tasks.contains_key(id), "the id {id} is used twice");
        let (name, due, _) = parts_of(id).expect("an id");
        let is_concurrent = self.core.job(name).is_ok_and(|job| job.definition.concurrent);
        for (other, task) in &self.tasks {
            let (other_name, other_due, _) = parts_of(other).expect("an id");
            if other_name != name || task.is_given_up {
                continue;
            }
            assert!(other_due != due || task.state != TaskState::Finished, "{id} runs again what {other} has done");
            let lives = !task.state.is_terminal();
            assert!(!lives || (is_concurrent && other_due != due), "{id} begins while {other} runs");
        }
        let updates = VecDeque::from([TaskState::Starting]);
        self.tasks.insert(
            id.to_owned(),
            Task { state: TaskState::Starting, updates, away: None, was_away: None, is_given_up: false },
        );
    }

    fn kill(&mut self, id: &str) {
        if let Some(task) = self.tasks.get_mut(id).filter(|task| self.is_connected && !task.state.is_terminal()) {
            // An agent that is away hears nothing.
            if task.away.is_none() {
                task.become_(TaskState::Killed);
            }
        }
    }

    /// Launches what waits, up to so many.
    pub(super) fn offer(&mut self, most: usize, fate: Launch, crash: Crash) {
        if !self.is_connected {
            return;
        }
        let waiting = self.core.waiting(self.now);
        let ids: Vec<String> = waiting.iter().take(most).map(|(job, run)| job.task_id(run)).collect();
        let launched: Vec<_> = ids.iter().map(|id| (id.clone(), "agent".to_owned())).collect();
        let output = self.core.launch(&launched, self.now);
        self.perform(output, crash, ids, fate);
    }

    /// The tasks that have not ended, and whose agents are there.
    pub(super) fn running(&self) -> Vec<String> {
        let runs = |task: &&Task| !task.state.is_terminal() && task.away.is_none();
        self.tasks.iter().filter(|(_, task)| runs(task)).map(|(id, _)| id.clone()).collect()
    }

    /// One of the tasks that run goes on.
    pub(super) fn progress(&mut self, which: usize, to: TaskState) {
        let running = self.running();
        if let Some(id) = running.get(which % running.len().max(1)) {
            self.tasks.get_mut(id).expect("it is there").become_(to);
        }
    }

    /// The agent of a task goes away, or comes back.
    pub(super) fn away(&mut self, which: usize) {
        let ids: Vec<String> =
            self.tasks.iter().filter(|(_, task)| !task.state.is_terminal()).map(|(id, _)| id.clone()).collect();
        let Some(id) = ids.get(which % ids.len().max(1)).cloned() else { return };
        let task = self.tasks.get_mut(&id).expect("it is there");
        let (away, state) = match task.away {
            None => (Some(self.now), TaskState::Unreachable),
            Some(_) => (None, TaskState::Running),
        };
        task.away = away;
        task.was_away = task.was_away.or(away);
        if self.is_connected {
            self.news(&id, state, Crash::Never);
        }
    }

    /// Tells the next update of a task whose agent is there. One that is not acknowledged is told again.
    pub(super) fn deliver(&mut self, which: usize, crash: Crash) -> bool {
        let waiting: Vec<String> = self
            .tasks
            .iter()
            .filter(|(_, task)| !task.updates.is_empty() && task.away.is_none())
            .map(|(id, _)| id.clone())
            .collect();
        let Some(id) = waiting.get(which % waiting.len().max(1)).filter(|_| self.is_connected).cloned() else {
            return false;
        };
        let state = *self.tasks[&id].updates.front().expect("there is one");
        if self.bug == Some(Bug::AcknowledgesFirst) {
            self.tasks.get_mut(&id).expect("it is there").updates.pop_front();
            self.news(&id, state, crash);
        } else if self.news(&id, state, crash) && crash != Crash::BeforeAcknowledging {
            self.tasks.get_mut(&id).expect("it is there").updates.pop_front();
        }
        true
    }

    /// Tells once more what was told before.
    pub(super) fn repeat(&mut self, which: usize) {
        let ids: Vec<String> = self.tasks.keys().cloned().collect();
        let Some(id) = ids.get(which % ids.len().max(1)).filter(|_| self.is_connected) else { return };
        // What is not acknowledged is not told out of turn.
        let task = &self.tasks[id];
        if task.updates.is_empty() && task.away.is_none() {
            let state = task.state;
            self.news(id, state, Crash::Never);
        }
    }

    fn news(&mut self, id: &str, state: TaskState, crash: Crash) -> bool {
        let state = match (self.bug, state) {
            (Some(Bug::GivesUpAtOnce), TaskState::Unreachable) => TaskState::Lost,
            _ => state,
        };
        let news = News { task: id.to_owned(), agent: Some("agent".to_owned()), state, message: String::new() };
        let mut output = self.core.update(&news, self.now);
        if self.bug == Some(Bug::LetsBe) {
            output.kills.clear();
        }
        self.perform(output, crash, Vec::new(), Launch::Arrives)
    }

    /// The process is killed, and started again.
    pub(super) fn restart(&mut self) -> bool {
        let settings = self.core.settings().clone();
        self.core = Chronos::resumed(settings, &self.store, self.now).expect("what was recorded is read");
        self.subscribe();
        false
    }

    /// It subscribes anew, and asks about its tasks, and which others there are.
    pub(super) fn subscribe(&mut self) {
        self.is_connected = true;
        self.core.subscribed();
        if self.bug == Some(Bug::DoesNotAsk) {
            return;
        }
        let asked: BTreeSet<String> = self.core.live().into_iter().map(|(task, _)| task).collect();
        let there = self.tasks.iter().filter(|(_, task)| !task.state.is_terminal()).map(|(id, _)| id.clone());
        for id in asked.iter().cloned().chain(there.collect::<Vec<_>>()) {
            let state = match self.tasks.get(&id) {
                Some(task) if task.away.is_some() => TaskState::Unreachable,
                // A master forgets what has ended and was acknowledged.
                Some(task) if task.state.is_terminal() && task.updates.is_empty() => TaskState::Gone,
                Some(task) => task.updates.front().copied().unwrap_or(task.state),
                None => TaskState::Gone,
            };
            self.news(&id, state, Crash::Never);
        }
    }

    /// What may never be: a task that runs and that the core does not know.
    pub(super) fn expect_no_stray(&self) {
        let known: BTreeSet<String> = self.core.live().into_iter().map(|(task, _)| task).collect();
        for (id, task) in &self.tasks {
            assert!(task.state.is_terminal() || known.contains(id), "nobody knows of {id}, which is {:?}", task.state);
        }
    }

    /// All agents come back.
    pub(super) fn come_back(&mut self) {
        let is_away = |task: &Task| !task.state.is_terminal() && task.away.is_some();
        while let Some(which) = {
            let mut live = self.tasks.values().filter(|task| !task.state.is_terminal());
            live.position(is_away)
        } {
            self.away(which);
        }
    }

    /// All is told, all tasks end well, until nothing is left to do.
    pub(super) fn settle(&mut self) {
        for _ in 0..300 {
            if !self.is_connected {
                self.subscribe();
            }
            while self.deliver(0, Crash::Never) {}
            self.offer(usize::MAX, Launch::Arrives, Crash::Never);
            for id in self.running() {
                self.tasks.get_mut(&id).expect("it is there").become_(TaskState::Finished);
            }
            while self.deliver(0, Crash::Never) {}
            self.tick(10, Crash::Never);
            let is_idle = self.core.jobs().all(|job| job.runs.is_empty()) && self.core.wake(self.now).is_none();
            if is_idle && self.core.live().is_empty() {
                return;
            }
        }
        panic!("it does not come to an end: {:?}", self.core.jobs().map(|job| &job.runs).collect::<Vec<_>>());
    }

    /// The slots of a job for which tasks were launched.
    pub(super) fn slots(&self, job: &str) -> BTreeSet<i64> {
        let parts = self.tasks.keys().filter_map(|id| parts_of(id));
        parts.filter(|(name, ..)| *name == job).map(|(_, due, _)| due).collect()
    }

    /// How many tasks of a job have ended well.
    pub(super) fn successes(&self, job: &str) -> usize {
        let of_job = self.tasks.iter().filter(|(id, _)| parts_of(id).is_some_and(|(name, ..)| name == job));
        of_job.filter(|(_, task)| task.state == TaskState::Finished).count()
    }
}

impl Task {
    fn become_(&mut self, state: TaskState) {
        if !self.state.is_terminal() && self.state != state {
            self.state = state;
            self.updates.push_back(state);
        }
    }
}
