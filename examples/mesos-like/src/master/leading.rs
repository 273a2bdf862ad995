//! [`Leading`]: a master that leads, as its front and its operators know it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use http::Request;
use hyper::body::Incoming;
use orch_core::allocator::{FrameworkId, WhyNoOffer};
use orch_core::clock::{Clock as _, SystemClock, Timestamp};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::about::About;
use super::actor::{Ended, Handle, Listener};
use super::api::route::Route;
use super::api::{Office, agents, operator, scheduler, v0, why};
use super::core::{Master, Notice};
use super::desk::{Decision, Desk};
use super::front::Leads;
use super::metrics::Happened;
use super::registry::{Registered, Registry};
use super::run::Term;
use super::subscribers::Subscribers;
use super::view::{Parts, View, agent_of, framework_of};
use super::{begin, metrics, pages};
use crate::http::{Answer, Refusal};
use crate::wire::MediaType;
use crate::wire::operator::{
    AgentAdded, AgentRemoved, Event, EventType, FrameworkChanged, FrameworkRemoved, TaskAdded, TaskUpdated,
};

/// A master that leads.
#[derive(Debug)]
pub struct Leading {
    about: Arc<About>,
    elected: Timestamp,
    master: Handle,
    subscribers: Arc<Mutex<Subscribers>>,
    happened: Arc<Mutex<Happened>>,
    _beating: JoinSet<()>,
}

/// Begins to lead.
pub(crate) fn lead(about: &Arc<About>, registry: Registry, registered: Registered) -> Term {
    let elected = SystemClock.now();
    let master = begin::master(about, registered, elected);
    let heartbeat = about.flags.heartbeat_interval;
    let most = about.flags.max_operator_event_stream_subscribers;
    let subscribers = Arc::new(Mutex::new(Subscribers::new(most, heartbeat.as_secs_f64())));
    let happened = Arc::new(Mutex::new(Happened::default()));
    let listeners = vec![listener(&subscribers, &happened)];
    let master = Handle::start(master, Some(registry), about.flags.allocation_interval, listeners);
    let mut beating = JoinSet::new();
    beating.spawn(beat(Arc::clone(&subscribers), heartbeat));
    let about = Arc::clone(about);
    let running = Running(master.clone());
    let leads = Arc::new(Leading { about, elected, master, subscribers, happened, _beating: beating });
    let ended = async move {
        let reason = running.0.ended().await;
        tracing::error!(reason, "this master cannot go on");
    };
    Term { leads, ended: Box::pin(ended) }
}

/// A master that is stopped when this is dropped, whoever still asks it something.
struct Running(Handle);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Who tells subscribers of what happens, and counts it.
fn listener(subscribers: &Arc<Mutex<Subscribers>>, happened: &Arc<Mutex<Happened>>) -> Listener {
    let (subscribers, happened) = (Arc::clone(subscribers), Arc::clone(happened));
    Box::new(move |master, notice| {
        locked(&happened).count(notice);
        let mut subscribers = locked(&subscribers);
        if subscribers.count() > 0
            && let Some(event) = event(master, notice)
        {
            subscribers.tell(&event);
        }
        true
    })
}

/// Tells subscribers that the master is there.
async fn beat(subscribers: Arc<Mutex<Subscribers>>, heartbeat: Duration) {
    let mut beats = interval(heartbeat);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        locked(&subscribers).heartbeat();
    }
}

#[async_trait]
impl Leads for Leading {
    async fn answer(&self, route: Route, rest: &str, request: Request<Incoming>, peer: SocketAddr) -> Answer {
        let office = Office { about: &self.about, elected: self.elected, desk: self };
        match route {
            Route::Scheduler => scheduler::answer(&self.master, request).await,
            Route::Agent => agents::answer(&self.master, request, peer).await,
            Route::Operator => operator::answer(office, request).await,
            Route::WhyNoOffer => why::answer(&self.master, request).await,
            Route::Page => pages::answer(office, rest, &request).await,
            route => v0::answer(office, route, rest, request).await,
        }
    }

    async fn metrics(&self) -> Vec<(String, f64)> {
        Desk::metrics(self).await
    }
}

#[async_trait]
impl Desk for Leading {
    async fn view(&self, parts: Parts) -> Result<View, Refusal> {
        self.master.ask(move |master| View::of(master, parts)).await.map_err(ended)
    }

    async fn decide(&self, decision: Decision) -> Result<(), Refusal> {
        self.master.ask(|master| master.decide(decision)).await.map_err(ended)??;
        self.master.recorded().await.map_err(ended)
    }

    async fn why_no_offer(&self, framework: &str) -> Result<Option<WhyNoOffer>, Refusal> {
        let id = FrameworkId::new(framework);
        self.master.ask(move |master| master.allocator().why_no_offer(&id).ok()).await.map_err(ended)
    }

    async fn metrics(&self) -> Vec<(String, f64)> {
        let happened = Arc::clone(&self.happened);
        let measured = move |master: &mut Master| metrics::of_the_cluster(master, &locked(&happened));
        self.master.ask(measured).await.unwrap_or_default()
    }

    async fn subscribe(&self, media: MediaType) -> Result<Answer, Refusal> {
        let subscribers = Arc::clone(&self.subscribers);
        let subscribe = move |master: &mut Master| {
            let state = View::of(master, Parts::ALL).into_state();
            locked(&subscribers).subscribe(media, state)
        };
        self.master.ask(subscribe).await.map_err(ended)?
    }
}

/// What a lock guards, also if whoever had it before panicked: it is counts and streams, which are as good as before.
fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ended(error: Ended) -> Refusal {
    scheduler::ended(error)
}

/// What subscribers are told, if what it is about is still there.
fn event(master: &Master, notice: &Notice) -> Option<Event> {
    let mut event = Event::default();
    let kind = match notice {
        Notice::TaskAdded(task) => {
            event.task_added = Some(TaskAdded { task: (**task).clone() });
            EventType::TaskAdded
        }
        Notice::TaskUpdated { framework, status, latest } => {
            let (framework_id, status) = (framework.as_str().into(), (**status).clone());
            event.task_updated = Some(TaskUpdated { framework_id, status, state: *latest });
            EventType::TaskUpdated
        }
        Notice::FrameworkAdded(id) => {
            event.framework_added = Some(FrameworkChanged { framework: framework_of(master, id)? });
            EventType::FrameworkAdded
        }
        Notice::FrameworkUpdated(id) => {
            event.framework_updated = Some(FrameworkChanged { framework: framework_of(master, id)? });
            EventType::FrameworkUpdated
        }
        Notice::FrameworkRemoved(info) => {
            event.framework_removed = Some(FrameworkRemoved { framework_info: (**info).clone() });
            EventType::FrameworkRemoved
        }
        Notice::AgentAdded(id) => {
            event.agent_added = Some(AgentAdded { agent: agent_of(master, id)? });
            EventType::AgentAdded
        }
        Notice::AgentRemoved(id) => {
            event.agent_removed = Some(AgentRemoved { agent_id: id.as_str().into() });
            EventType::AgentRemoved
        }
    };
    event.r#type = Some(kind.into());
    Some(event)
}
