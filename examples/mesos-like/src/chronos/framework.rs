//! [`Framework`]: the jobs and a master: what comes from it, and what it is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::core::{Chronos, Kill, News, Output, Refused};
use super::flags::ChronosFlags;
use super::placing::placed;
use crate::framework::acknowledge;
use crate::framework::driver::{Core, Turn};
use crate::wire::scheduler::{self, Call, CallType, Event, EventType, Reconcile, ReconcileTask};
use crate::wire::{Filters, Offer, TaskStatus};

/// Before the master is asked again about tasks of which it has not said anything.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// The longest time for which the clock is not looked at: it may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// The record of the framework's id.
const ID: &str = "framework";

/// The jobs and a master: what comes from it, and what it is asked.
#[derive(Debug)]
pub struct Framework {
    chronos: Chronos,
    flags: ChronosFlags,
    id: Option<String>,
    is_id_recorded: bool,
    /// What is to be recorded at the end of this turn, and what the master is told then.
    changed: BTreeSet<String>,
    calls: Vec<(CallType, Call)>,
    /// The runs for which offers were asked last.
    wanted: BTreeSet<String>,
    is_suppressed: bool,
    /// When the master was asked about tasks of which it has not said anything, and about all.
    asked: (Timestamp, Timestamp),
    /// What was last said of a run that found no place.
    refused: String,
}

impl Framework {
    /// Goes on with what is recorded.
    ///
    /// # Errors
    /// Which record is none, and why.
    pub fn resumed(flags: &ChronosFlags, recorded: &BTreeMap<String, Value>, now: Timestamp) -> Result<Self, String> {
        Ok(Self {
            chronos: Chronos::resumed(flags.settings(), recorded, now)?,
            flags: flags.clone(),
            id: recorded.get(ID).and_then(|record| record["id"].as_str()).map(str::to_owned),
            is_id_recorded: true,
            changed: BTreeSet::new(),
            calls: Vec::new(),
            wanted: BTreeSet::new(),
            is_suppressed: false,
            asked: (now, now),
            refused: String::new(),
        })
    }

    /// The id by which the master knows the framework.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The jobs.
    #[must_use]
    pub fn chronos(&self) -> &Chronos {
        &self.chronos
    }

    /// Changes something.
    ///
    /// # Errors
    /// Why it is not done.
    pub fn change(&mut self, change: impl FnOnce(&mut Chronos) -> Result<Output, Refused>) -> Result<(), Refused> {
        let output = change(&mut self.chronos)?;
        self.follow(output);
        Ok(())
    }

    /// What the core says is recorded and done at the end of the turn.
    fn follow(&mut self, output: Output) {
        self.changed.extend(output.changed);
        for Kill { task, agent } in output.kills {
            let agent_id = agent.as_deref().map(Into::into);
            let kill = scheduler::Kill { task_id: task.as_str().into(), agent_id, ..scheduler::Kill::default() };
            self.calls.push((CallType::Kill, Call { kill: Some(kill), ..Call::default() }));
        }
    }

    fn subscribed(&mut self, id: Option<String>, now: Timestamp) {
        if id.is_some() && id != self.id {
            self.id = id;
            self.is_id_recorded = false;
        }
        self.chronos.subscribed();
        self.ask_about_all(now);
        // The master has forgotten what was refused, and what was not wanted.
        self.is_suppressed = false;
        self.wanted.clear();
    }

    /// Asks how the tasks are that may run; and which others do, to end them.
    fn ask_about_all(&mut self, now: Timestamp) {
        self.asked = (now, now);
        self.ask_about(self.chronos.live());
        self.calls.push((CallType::Reconcile, Call { reconcile: Some(Reconcile::default()), ..Call::default() }));
    }

    fn ask_about(&mut self, tasks: Vec<(String, String)>) {
        // An empty list would ask for all tasks that the master knows of.
        if tasks.is_empty() {
            return;
        }
        let task = |(task, agent): (String, String)| ReconcileTask {
            task_id: task.as_str().into(),
            agent_id: Some(agent.as_str().into()),
        };
        let reconcile = Some(Reconcile { tasks: tasks.into_iter().map(task).collect() });
        self.calls.push((CallType::Reconcile, Call { reconcile, ..Call::default() }));
    }

    /// A master that leads anew does not know yet of tasks whose agents have not come back.
    fn ask_again(&mut self, now: Timestamp) {
        let is_over = |since: Timestamp, time: Duration| {
            SignedDuration::try_from(time).is_ok_and(|time| now.duration_since(since).abs() >= time)
        };
        if is_over(self.asked.1, self.flags.reconciliation_interval) {
            self.ask_about_all(now);
        } else if is_over(self.asked.0, ASK_AGAIN) {
            self.asked.0 = now;
            self.ask_about(self.chronos.unconfirmed());
        }
    }

    fn launch(&mut self, offers: &[Offer], now: Timestamp) {
        let filters = Filters { refuse_seconds: Some(self.flags.decline_offer_duration.as_secs_f64()) };
        let placed = placed(offers, &self.chronos.waiting(now), &filters);
        if let Some(refused) = placed.refused.filter(|refused| *refused != self.refused) {
            tracing::warn!(refused, "a run has no place yet");
            self.refused = refused;
        }
        let output = self.chronos.launch(&placed.launched, now);
        self.follow(output);
        self.calls.extend(placed.calls.into_iter().map(|call| (CallType::Accept, call)));
    }

    fn update(&mut self, status: &TaskStatus, now: Timestamp) {
        let news = News {
            task: status.task_id.value.clone(),
            agent: status.agent_id.as_ref().map(|agent| agent.value.clone()),
            state: status.state(),
            message: status.message.clone().unwrap_or_default(),
        };
        tracing::info!(task = news.task, state = news.state.text(), message = news.message, "a task");
        let output = self.chronos.update(&news, now);
        self.follow(output);
        self.calls.extend(acknowledge(status).map(|call| (CallType::Acknowledge, call)));
    }

    /// Asks for offers as long as they are needed, and also for those that were refused if others are waiting now.
    fn ask_for_offers(&mut self, now: Timestamp) {
        let waiting = self.chronos.waiting(now);
        let wanted: BTreeSet<String> = waiting.iter().map(|(job, run)| job.task_id(run)).collect();
        if wanted.difference(&self.wanted).next().is_some() {
            self.calls.push((CallType::Revive, Call::default()));
            self.is_suppressed = false;
        } else if wanted.is_empty() && !self.is_suppressed {
            self.calls.push((CallType::Suppress, Call::default()));
            self.is_suppressed = true;
        }
        self.wanted = wanted;
    }
}

impl Core for Framework {
    type Notice = ();

    fn event(&mut self, event: Event, now: Timestamp) {
        match event.r#type() {
            EventType::Subscribed => {
                self.subscribed(event.subscribed.map(|subscribed| subscribed.framework_id.value), now)
            }
            EventType::Offers => self.launch(&event.offers.map(|offers| offers.offers).unwrap_or_default(), now),
            EventType::Update => {
                if let Some(update) = event.update {
                    self.update(&update.status, now);
                }
            }
            _ => {}
        }
    }

    fn ended(&mut self, reason: &str) {
        // All its tasks are gone: the next term is another framework.
        if reason.contains("has been removed") {
            self.id = None;
            self.is_id_recorded = false;
        }
    }

    fn turn(&mut self, now: Timestamp) -> Turn<()> {
        let output = self.chronos.advance(now);
        self.follow(output);
        self.ask_again(now);
        self.ask_for_offers(now);
        let mut changes = self.chronos.records(&std::mem::take(&mut self.changed));
        if !self.is_id_recorded {
            changes.insert(ID.to_owned(), self.id.as_ref().map(|id| json!({ "id": id })));
            self.is_id_recorded = true;
        }
        let after = |time: Duration| SignedDuration::try_from(time).ok().and_then(|time| now.checked_add(time).ok());
        // A slot has come when its millisecond is over.
        let due = self.chronos.wake(now).and_then(|at| at.checked_add(SignedDuration::from_millis(1)).ok());
        let next = due.into_iter().chain(after(LONGEST_SLEEP)).min();
        Turn { changes, calls: std::mem::take(&mut self.calls), notices: Vec::new(), next }
    }
}
