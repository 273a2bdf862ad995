//! [`Handle`]: a framework that runs: one task owns what decides, records what was decided, and then does it.

use std::future::pending;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use orch_core::clock::{Clock as _, SystemClock, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::{Changes, ConnectionError, Link, Records};
use crate::wire::scheduler::{Call, CallType, Event};

/// How many requests may wait to be heard.
const WAITING: usize = 1_024;

/// How much is heard before what follows from it is decided, recorded and done.
const MOST_AT_A_TURN: usize = 256;

/// What decides: pure, but for the time that it is told.
pub trait Core: Send + 'static {
    /// What those who listen are told.
    type Notice: Send + 'static;

    /// Something has come from the master.
    fn event(&mut self, event: Event, now: Timestamp);

    /// The master does not want the framework any more, and says why. The turn that follows is the last one.
    fn ended(&mut self, reason: &str);

    /// What follows from all that has happened since the last turn, and from the time.
    fn turn(&mut self, now: Timestamp) -> Turn<Self::Notice>;
}

/// What is to be done, in this order.
#[derive(Debug)]
pub struct Turn<N> {
    /// What is recorded first: if that fails, nothing else is done.
    pub changes: Changes,
    /// What the master is told then.
    pub calls: Vec<(CallType, Call)>,
    /// What those who listen are told then.
    pub notices: Vec<N>,
    /// When there may be something to do although nothing happens.
    pub next: Option<Timestamp>,
}

/// A framework that runs, as others see it.
#[derive(Debug)]
pub struct Handle<C> {
    jobs: mpsc::Sender<Job<C>>,
}

/// What is asked: it is done with what decides, and answered when what follows is recorded.
type Job<C> = Box<dyn FnOnce(&mut C, Timestamp) -> Reply + Send>;

type Reply = Box<dyn FnOnce() + Send>;

/// The framework runs no longer in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this process leads no longer: try again")]
pub struct Ended;

impl<C> Clone for Handle<C> {
    fn clone(&self) -> Self {
        Self { jobs: self.jobs.clone() }
    }
}

impl<C: Core> Handle<C> {
    /// A framework, and what runs it until it can record no more, or the master does not want it any more. `listen` is told
    /// what happens, and must not wait.
    pub fn start(
        core: C,
        link: Link,
        records: Records,
        listen: impl FnMut(C::Notice) + Send + 'static,
    ) -> (Self, BoxFuture<'static, ()>) {
        let (jobs, asked) = mpsc::channel(WAITING);
        (Self { jobs }, run(core, link, records, asked, listen).boxed())
    }

    /// Does something with what decides, and returns what it gives when what follows from it is recorded.
    ///
    /// # Errors
    /// [`Ended`]: it may have been done or not.
    pub async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut C, Timestamp) -> T + Send + 'static,
    ) -> Result<T, Ended> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move |core: &mut C, now: Timestamp| {
            let given = job(core, now);
            // Whoever asked may have left.
            Box::new(move || drop(answer.send(given))) as Reply
        });
        self.jobs.send(job).await.map_err(|_| Ended)?;
        answered.await.map_err(|_| Ended)
    }
}

async fn run<C: Core>(
    mut core: C,
    mut link: Link,
    mut records: Records,
    mut asked: mpsc::Receiver<Job<C>>,
    mut listen: impl FnMut(C::Notice) + Send,
) {
    let mut next = Some(SystemClock.now());
    loop {
        let mut heard = Heard { core: &mut core, replies: Vec::new(), is_over: false };
        tokio::select! {
            biased;
            event = link.next() => heard.event(event),
            job = asked.recv() => match job {
                Some(job) => heard.job(job),
                None => return,
            },
            () = due(next) => {}
        }
        for _ in 0..MOST_AT_A_TURN {
            let (job, event) = (asked.try_recv().ok(), if heard.is_over { None } else { link.next().now_or_never() });
            if job.is_none() && event.is_none() {
                break;
            }
            job.into_iter().for_each(|job| heard.job(job));
            event.into_iter().for_each(|event| heard.event(event));
        }
        let Heard { replies, is_over, .. } = heard;
        let turn = core.turn(SystemClock.now());
        if !turn.changes.is_empty()
            && let Err(error) = records.write(turn.changes).await
        {
            tracing::warn!(%error, "what was decided cannot be recorded, and is not done");
            return;
        }
        for (kind, call) in turn.calls {
            link.call(kind, call);
        }
        replies.into_iter().for_each(|reply| reply());
        turn.notices.into_iter().for_each(&mut listen);
        next = turn.next;
        if is_over {
            return;
        }
    }
}

/// What was heard at one turn.
struct Heard<'a, C> {
    core: &'a mut C,
    replies: Vec<Reply>,
    is_over: bool,
}

impl<C: Core> Heard<'_, C> {
    fn event(&mut self, event: Result<Event, ConnectionError>) {
        match event {
            Ok(event) => self.core.event(event, SystemClock.now()),
            Err(error) => {
                tracing::error!(%error, "the master ends this framework");
                self.core.ended(&error.to_string());
                self.is_over = true;
            }
        }
    }

    fn job(&mut self, job: Job<C>) {
        self.replies.push(job(self.core, SystemClock.now()));
    }
}

async fn due(next: Option<Timestamp>) {
    match next {
        Some(next) => {
            let left = next.duration_since(SystemClock.now());
            sleep(Duration::try_from(left).unwrap_or_default()).await;
        }
        None => pending().await,
    }
}
