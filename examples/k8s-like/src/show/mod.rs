//! Shows a person what goes on: a line for each thing that happened, and on a terminal a table of what is.

mod answers;
mod describe;
mod screen;
mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use orch_core::clock::{Clock as _, SystemClock};
use orch_core::controller::{Change, Context, Controller, ControllerError, Plan, Trigger};
use orch_core::key::Key;
use orch_core::object::{Deployment, EndpointSlice, Event, Namespace, Node, Pod, Service, Time};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use answers::Answers;
use describe::describe;
use screen::{Screen, printable};
use table::table;

/// How long lines are gathered before the screen is drawn anew.
const FRAME: Duration = Duration::from_millis(100);

/// A controller that only looks: it passes on every change of what people care about.
#[derive(Debug)]
pub(crate) struct ShowController {
    sight: Sight,
    notices: UnboundedSender<Notice>,
}

/// What of a cluster is seen from where this program is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// All, and services are reached from here.
    Everything,
    /// All, and no service is reached from here.
    FromAfar,
    /// What is on the node of this name, and services, which are reached from here.
    Node(String),
}

impl Sight {
    fn takes_in(&self, change: &Change) -> bool {
        let Some(object) = change.current().or(change.previous()) else { return false };
        let is_about_service =
            object.downcast_ref::<Service>().is_some() || object.downcast_ref::<EndpointSlice>().is_some();
        match self {
            Self::Everything => true,
            Self::FromAfar => !is_about_service,
            Self::Node(name) => {
                let pod = object.downcast_ref::<Pod>().and_then(|pod| pod.spec.node_name.as_ref());
                let node = object.downcast_ref::<Node>().map(|node| &node.metadata.name);
                is_about_service || pod == Some(name) || node == Some(name)
            }
        }
    }
}

/// By which the rest of the program says something.
#[derive(Clone, Debug)]
pub(crate) struct Voice(UnboundedSender<Notice>);

#[derive(Debug)]
enum Notice {
    Change(Change),
    Line(String),
}

impl Voice {
    /// Shows each line of `text`.
    pub(crate) fn say(&self, text: &str) {
        for line in text.lines() {
            // Nobody listens any more once the program ends.
            let _ = self.0.send(Notice::Line(line.to_owned()));
        }
    }
}

/// What shows, what is shown, and the task that must be run for it. The task ends when the others are gone.
pub(crate) fn show(sight: Sight) -> (ShowController, Voice, impl Future<Output = ()> + Send) {
    let (notices, incoming) = unbounded_channel();
    let voice = Voice(notices.clone());
    let weak = notices.downgrade();
    let answers = Answers::new(move |line| {
        if let Some(notices) = weak.upgrade() {
            let _ = notices.send(Notice::Line(line));
        }
    });
    let since = Time::from(SystemClock.now());
    (ShowController { sight, notices }, voice, run(incoming, answers, since))
}

#[async_trait]
impl Controller for ShowController {
    fn name(&self) -> &'static str {
        "show"
    }

    fn triggers(&self) -> Vec<Trigger> {
        vec![
            Trigger::see::<Namespace>(),
            Trigger::see::<Node>(),
            Trigger::see::<Deployment>(),
            Trigger::see::<Pod>(),
            Trigger::see::<Service>(),
            Trigger::see::<EndpointSlice>(),
            Trigger::see::<Event>(),
        ]
    }

    fn observe(&self, change: &Change) {
        if self.sight.takes_in(change) {
            let _ = self.notices.send(Notice::Change(change.clone()));
        }
    }

    async fn reconcile(&self, _: &Key, _: Context<'_>) -> Result<Plan, ControllerError> {
        Ok(Plan::nothing())
    }
}

async fn run(mut incoming: UnboundedReceiver<Notice>, mut answers: Answers, since: Time) {
    let mut screen = Screen::new();
    let mut objects = BTreeMap::new();
    let mut notices = Vec::new();
    while incoming.recv_many(&mut notices, usize::MAX).await > 0 {
        let mut lines = Vec::new();
        for notice in notices.drain(..) {
            match notice {
                Notice::Line(line) => lines.push(printable(&line)),
                Notice::Change(change) => {
                    lines.extend(describe(&change, since).iter().map(|line| printable(line)));
                    answers.observe(&change);
                    match change.current() {
                        Some(object) => objects.insert(change.key().clone(), object.clone()),
                        None => objects.remove(change.key()),
                    };
                }
            }
        }
        screen.show(&lines, &table(&objects));
        tokio::time::sleep(FRAME).await;
    }
    // What the table shows is no more.
    screen.show(&[], &[]);
}
