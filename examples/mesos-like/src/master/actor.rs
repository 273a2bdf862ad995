//! [`Handle`]: a master that runs: one task owns it, does what it says, and never waits for whoever reads.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use orch_core::clock::{Clock as _, SystemClock};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::core::{Master, Notice, Output};
use super::registry::{Registry, RegistryChange, RegistryError};
use crate::http::Outbox;
use crate::wire::scheduler::{Event, EventType};

/// How many requests may wait to be heard.
const WAITING: usize = 1024;

/// A master that runs. It ends when all its handles are dropped, or when it cannot record any more.
#[derive(Clone, Debug)]
pub struct Handle {
    jobs: mpsc::Sender<Job>,
    ended: watch::Receiver<Option<String>>,
    stop: watch::Sender<bool>,
    _running: Arc<JoinSet<()>>,
}

type Job = Box<dyn FnOnce(&mut Actor) + Send>;

/// Hears of what operators are told, and sees the master as it is then. It is heard no more when it returns false.
pub type Listener = Box<dyn FnMut(&Master, &Notice) -> bool + Send>;

/// The master has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the master has ended")]
pub struct Ended;

struct Actor {
    master: Master,
    outboxes: HashMap<String, Outbox>,
    listeners: Vec<Listener>,
    registry: Option<Registry>,
    writes: JoinSet<Result<(), RegistryError>>,
}

impl Handle {
    /// Runs a master: a round of offers and a look at what is due come every `interval`. Without a registry it records nothing.
    /// The listeners hear of all that operators are told.
    #[must_use]
    pub fn start(master: Master, registry: Option<Registry>, interval: Duration, listeners: Vec<Listener>) -> Self {
        let (jobs, asked) = mpsc::channel(WAITING);
        let (end, ended) = watch::channel(None);
        let (stop, stopped) = watch::channel(false);
        let actor = Actor { master, outboxes: HashMap::new(), listeners, registry, writes: JoinSet::new() };
        let mut running = JoinSet::new();
        running.spawn(async move {
            let reason = actor.run(asked, stopped, interval).await;
            // Nobody may want to know.
            let _ = end.send(reason);
        });
        Self { jobs, ended, stop, _running: Arc::new(running) }
    }

    /// Does something with the master, after all that was asked for before, and returns what it gives.
    ///
    /// # Errors
    /// [`Ended`], and it was not done.
    pub async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Master) -> T + Send + 'static,
    ) -> Result<T, Ended> {
        self.job(|actor| job(&mut actor.master)).await
    }

    /// The same, after a stream was given its outbox; when its reader leaves, the master is told.
    ///
    /// # Errors
    /// [`Ended`], and it was not done.
    pub async fn attach(
        &self,
        stream: &str,
        outbox: Outbox,
        job: impl FnOnce(&mut Master) + Send + 'static,
    ) -> Result<(), Ended> {
        let (handle, name, left) = (self.jobs.downgrade(), stream.to_owned(), outbox.left());
        let stream = stream.to_owned();
        self.job(move |actor| {
            actor.outboxes.insert(stream, outbox);
            job(&mut actor.master);
        })
        .await?;
        tokio::spawn(async move {
            left.await;
            if let Some(jobs) = handle.upgrade() {
                // If it has ended, there is nobody to tell.
                let _ = jobs.send(Box::new(move |actor: &mut Actor| actor.ended(&name))).await;
            }
        });
        Ok(())
    }

    /// Returns when all that was asked for before is recorded.
    ///
    /// # Errors
    /// [`Ended`], and it may not be.
    pub async fn recorded(&self) -> Result<(), Ended> {
        // What is recorded is recorded in turn: nothing at all is, when all before it is.
        let written = self.job(|actor| actor.registry.as_ref().map(|registry| registry.record(Vec::new()))).await?;
        match written {
            Some(written) => written.await.map_err(|_| Ended),
            None => Ok(()),
        }
    }

    /// Ends the master, whoever still holds it: it decides nothing more, and all its streams end.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Returns when the master has ended by itself, and why.
    pub async fn ended(&self) -> String {
        let mut ended = self.ended.clone();
        let reason = ended.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        reason.unwrap_or_else(|| Ended.to_string())
    }

    async fn job<T: Send + 'static>(&self, job: impl FnOnce(&mut Actor) -> T + Send + 'static) -> Result<T, Ended> {
        let (done, answer) = oneshot::channel();
        let job: Job = Box::new(|actor| drop(done.send(job(actor))));
        self.jobs.send(job).await.map_err(|_| Ended)?;
        answer.await.map_err(|_| Ended)
    }
}

impl Actor {
    /// Why it ends, if not because nobody is left who could ask.
    async fn run(
        mut self,
        mut asked: mpsc::Receiver<Job>,
        mut stopped: watch::Receiver<bool>,
        period: Duration,
    ) -> Option<String> {
        let mut rounds = interval(period);
        let mut beats = interval(self.master.settings().heartbeat);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => return Some("it was stopped".to_owned()),
                Some(written) = self.writes.join_next() => {
                    if let Ok(Err(error)) = written {
                        return Some(error.to_string());
                    }
                }
                _ = rounds.tick() => {
                    self.master.advance(SystemClock.now());
                    self.master.tick();
                }
                _ = beats.tick() => self.beat(),
                job = asked.recv() => {
                    let job = job?;
                    self.master.advance(SystemClock.now());
                    job(&mut self);
                }
            }
            self.perform();
        }
    }

    /// Does what the master says, until there is nothing more.
    fn perform(&mut self) {
        loop {
            let output = self.master.take_output();
            if output.is_empty() {
                return;
            }
            let (mut changes, mut broken) = (Vec::new(), Vec::new());
            for one in output {
                match one {
                    Output::ToFramework(stream, event) => {
                        let outbox = self.outboxes.get(&stream);
                        broken.extend(outbox.is_some_and(|outbox| outbox.send(&*event).is_err()).then_some(stream));
                    }
                    Output::ToAgent(stream, event) => {
                        let outbox = self.outboxes.get(&stream);
                        broken.extend(outbox.is_some_and(|outbox| outbox.send(&*event).is_err()).then_some(stream));
                    }
                    Output::Close(stream) => drop(self.outboxes.remove(&stream)),
                    Output::Record(change) => changes.push(change),
                    Output::Notice(notice) => {
                        let master = &self.master;
                        self.listeners.retain_mut(|listener| listener(master, &notice));
                    }
                }
            }
            self.record(changes);
            broken.iter().for_each(|stream| self.ended(stream));
        }
    }

    fn record(&mut self, changes: Vec<RegistryChange>) {
        if let Some(registry) = self.registry.as_ref().filter(|_| !changes.is_empty()) {
            self.writes.spawn(registry.record(changes));
        }
    }

    /// Nobody reads a stream any more, or not fast enough.
    fn ended(&mut self, stream: &str) {
        if self.outboxes.remove(stream).is_some() {
            tracing::info!(stream, "a stream is not read any more");
            self.master.stream_ended(stream);
        }
    }

    fn beat(&mut self) {
        let beat = Event { r#type: Some(EventType::Heartbeat.into()), ..Event::default() };
        let streams = self.master.state().frameworks.values().filter_map(|framework| framework.stream.clone());
        for stream in streams.collect::<Vec<_>>() {
            if self.outboxes.get(&stream).is_some_and(|outbox| outbox.send(&beat).is_err()) {
                self.ended(&stream);
            }
        }
    }
}
