//! [`Actor`]: the one task that has the jobs, while this process leads. It asks the core what to do, records first, and acts then.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use orch_core::clock::{Clock as _, SystemClock};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::core::{Chronos, Kill, News, Output};
use super::desk::Asked;
use super::flags::ChronosFlags;
use super::placing::placed;
use crate::fenced::WriteError;
use crate::framework::{Changes, ConnectionError, Link, Records, acknowledge};
use crate::wire::scheduler::{self, Call, CallType, Event, EventType, Reconcile, ReconcileTask};
use crate::wire::{Filters, Offer, TaskStatus};

/// Before the master is asked again about tasks of which it has not said anything.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// The longest time for which the clock is not looked at: it may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// The record of the framework's id.
pub(super) const FRAMEWORK: &str = "framework";

/// The one task that has the jobs.
#[derive(Debug)]
pub(super) struct Actor {
    chronos: Chronos,
    records: Records,
    link: Link,
    flags: ChronosFlags,
    id: Option<String>,
    /// The runs for which offers were asked last.
    wanted: BTreeSet<String>,
    is_suppressed: bool,
    /// When the master was asked about those of which it has not said anything, and about all.
    asked: (Instant, Instant),
    /// What was last said of a run that found no place.
    refused: String,
}

/// Why a term ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("{0}")]
    Write(#[from] WriteError),
    #[error("{0}")]
    Master(#[from] ConnectionError),
}

impl Actor {
    /// One that begins with these jobs, for a framework that has this id.
    ///
    /// # Errors
    /// [`ConnectionError::NoMaster`]
    pub(super) fn new(
        chronos: Chronos,
        records: Records,
        flags: &ChronosFlags,
        id: Option<String>,
        address: &str,
    ) -> Result<Self, ConnectionError> {
        let link = Link::open(flags.master.clone(), flags.framework(id.as_deref(), address))?;
        let (now, flags) = (Instant::now(), flags.clone());
        let (wanted, refused) = (BTreeSet::new(), String::new());
        Ok(Self { chronos, records, link, flags, id, wanted, is_suppressed: false, asked: (now, now), refused })
    }

    /// Works until this process leads no longer, or the master does not want the framework any more.
    pub(super) async fn work(mut self, mut asking: mpsc::Receiver<Asked>) -> Ended {
        loop {
            if let Err(ended) = self.step(&mut asking).await {
                if let Ended::Master(ConnectionError::Ended(message)) = &ended
                    && message.contains("has been removed")
                {
                    // All its tasks are gone. The next term is another framework.
                    let forgotten = Changes::from([(FRAMEWORK.to_owned(), None)]);
                    if let Err(error) = self.records.write(forgotten).await {
                        return error.into();
                    }
                }
                return ended;
            }
        }
    }

    async fn step(&mut self, asking: &mut mpsc::Receiver<Asked>) -> Result<(), Ended> {
        let wake = sleep_until(self.wake());
        tokio::select! {
            biased;
            event = self.link.next() => self.take(event?).await,
            asked = asking.recv() => match asked {
                Some(Asked::Look(look)) => {
                    look(&self.chronos);
                    Ok(())
                }
                Some(Asked::Change(change, done)) => {
                    let changed = change(&mut self.chronos, SystemClock.now());
                    let result = match changed {
                        Ok(output) => Ok(self.perform(output).await?),
                        Err(refused) => Err(refused),
                    };
                    // Nobody waits for it any more, which is no fault.
                    drop(done.send(result));
                    Ok(())
                }
                // The API has ended: so will this.
                None => std::future::pending().await,
            },
            () = wake => {
                self.perform(Output::default()).await?;
                self.ask_again();
                Ok(())
            }
        }
    }

    fn wake(&self) -> Instant {
        let now = SystemClock.now();
        let due = self.chronos.wake(now).map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
        // A slot has come when its millisecond is over.
        let due = due.map_or(LONGEST_SLEEP, |due| due + Duration::from_millis(1));
        Instant::now() + due.min(LONGEST_SLEEP)
    }

    /// Does all that is due, besides what is given: first what is to be recorded, then the rest.
    async fn perform(&mut self, output: Output) -> Result<(), Ended> {
        let now = SystemClock.now();
        let output = output.and(self.chronos.advance(now));
        if !output.changed.is_empty() {
            self.records.write(self.chronos.records(&output.changed)).await?;
        }
        for kill in output.kills {
            self.kill(kill);
        }
        self.ask_for_offers(now);
        Ok(())
    }

    fn kill(&self, kill: Kill) {
        let kill = scheduler::Kill {
            task_id: kill.task.as_str().into(),
            agent_id: kill.agent.as_deref().map(Into::into),
            ..scheduler::Kill::default()
        };
        self.link.call(CallType::Kill, Call { kill: Some(kill), ..Call::default() });
    }

    /// Asks for offers as long as they are needed, and also for those that were refused if others are waiting now.
    fn ask_for_offers(&mut self, now: Timestamp) {
        let waiting = self.chronos.waiting(now);
        let wanted: BTreeSet<String> = waiting.iter().map(|(job, run)| job.task_id(run)).collect();
        if wanted.difference(&self.wanted).next().is_some() {
            self.link.call(CallType::Revive, Call::default());
            self.is_suppressed = false;
        } else if wanted.is_empty() && !self.is_suppressed {
            self.link.call(CallType::Suppress, Call::default());
            self.is_suppressed = true;
        }
        self.wanted = wanted;
    }

    async fn take(&mut self, event: Event) -> Result<(), Ended> {
        match event.r#type() {
            EventType::Subscribed => {
                let id = event.subscribed.map(|subscribed| subscribed.framework_id.value);
                self.subscribed(id).await
            }
            EventType::Offers => self.launch(event.offers.map(|offers| offers.offers).unwrap_or_default()).await,
            EventType::Update => match event.update {
                Some(update) => self.update(&update.status).await,
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    async fn subscribed(&mut self, id: Option<String>) -> Result<(), Ended> {
        if id.is_some() && id != self.id {
            tracing::info!(id, "subscribed as a new framework");
            let record = Some(json!({ "id": id }));
            self.records.write(Changes::from([(FRAMEWORK.to_owned(), record)])).await?;
            self.id = id;
        }
        self.chronos.subscribed();
        self.ask_about_all();
        // The master has forgotten what was refused, and what was not wanted.
        self.is_suppressed = false;
        self.wanted.clear();
        self.perform(Output::default()).await
    }

    /// Asks how the tasks are that may run; and which others do, to end them.
    fn ask_about_all(&mut self) {
        let now = Instant::now();
        self.asked = (now, now);
        self.ask_about(self.chronos.live());
        self.link.call(CallType::Reconcile, Call { reconcile: Some(Reconcile::default()), ..Call::default() });
    }

    fn ask_about(&self, tasks: Vec<(String, String)>) {
        // An empty list would ask for all tasks that the master knows of.
        if tasks.is_empty() {
            return;
        }
        let task = |(task, agent): (String, String)| ReconcileTask {
            task_id: task.as_str().into(),
            agent_id: Some(agent.as_str().into()),
        };
        let reconcile = Some(Reconcile { tasks: tasks.into_iter().map(task).collect() });
        self.link.call(CallType::Reconcile, Call { reconcile, ..Call::default() });
    }

    /// A master that leads anew does not know yet of tasks whose agents have not come back.
    fn ask_again(&mut self) {
        if self.asked.1.elapsed() >= self.flags.reconciliation_interval {
            self.ask_about_all();
        } else if self.asked.0.elapsed() >= ASK_AGAIN {
            self.asked.0 = Instant::now();
            self.ask_about(self.chronos.unconfirmed());
        }
    }

    async fn launch(&mut self, offers: Vec<Offer>) -> Result<(), Ended> {
        let now = SystemClock.now();
        let filters = Filters { refuse_seconds: Some(self.flags.decline_offer_duration.as_secs_f64()) };
        let placed = placed(&offers, &self.chronos.waiting(now), &filters);
        if let Some(refused) = placed.refused.filter(|refused| *refused != self.refused) {
            tracing::warn!(refused, "a run has no place yet");
            self.refused = refused;
        }
        let output = self.chronos.launch(&placed.launched, now);
        self.perform(output).await?;
        for call in placed.calls {
            self.link.call(CallType::Accept, call);
        }
        Ok(())
    }

    async fn update(&mut self, status: &TaskStatus) -> Result<(), Ended> {
        let news = News {
            task: status.task_id.value.clone(),
            agent: status.agent_id.as_ref().map(|agent| agent.value.clone()),
            state: status.state(),
            message: status.message.clone().unwrap_or_default(),
        };
        tracing::info!(task = news.task, state = news.state.text(), message = news.message, "a task");
        let output = self.chronos.update(&news, SystemClock.now());
        self.perform(output).await?;
        if let Some(call) = acknowledge(status) {
            self.link.call(CallType::Acknowledge, call);
        }
        Ok(())
    }
}
