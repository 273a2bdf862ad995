//! [`Master`]: decides what a master does. It reads no clock and waits for nobody: it is told what happened and when, and
//! says what is to be done.

mod accept;
mod agents;
mod calls;
mod decide;
mod frameworks;
mod losses;
mod offers;
mod output;
mod plan;
mod reconcile;
mod records;
mod state;
mod statuses;
mod subscribe;
mod validate;

use orch_core::allocator::{Allocator, AllocatorChange, AllocatorError, NodeName};
use orch_core::clock::Timestamp;

pub use calls::Refused;
pub(in crate::master) use decide::quota_said;
pub use output::{Notice, Output};
pub use state::{
    Agent, ExecutorEntry, Framework, Machine, Offer, Records, Remaining, Remains, Settings, State, TaskEntry,
};

use crate::master::registry::{AgentStanding, Registered};
use crate::wire::scheduler::{Event, EventType};
use crate::wire::{AgentEvent, AgentEventType, MasterInfo, TimeInfo};

/// Decides what a master does: the frameworks, agents, tasks and offers, over an [`Allocator`] that divides.
#[derive(Debug)]
pub struct Master {
    settings: Settings,
    allocator: Box<dyn Allocator>,
    state: State,
    now: Timestamp,
    next_framework: u64,
    next_agent: u64,
    next_inverse_offer: u64,
    /// When it is looked next at who is remembered.
    next_look: Timestamp,
    output: Vec<Output>,
}

impl Master {
    /// A master that leads from now on, and knows what was recorded.
    #[must_use]
    pub fn new(
        info: MasterInfo,
        settings: Settings,
        allocator: Box<dyn Allocator>,
        registered: Registered,
        now: Timestamp,
    ) -> Self {
        let state = State::new(info, now);
        let mut master = Self {
            settings,
            allocator,
            state,
            now,
            next_framework: 0,
            next_agent: 0,
            next_inverse_offer: 0,
            next_look: now,
            output: Vec::new(),
        };
        // Nothing can be rescinded yet.
        master.allocator.advance(now);
        master.recover(registered);
        master
    }

    fn recover(&mut self, registered: Registered) {
        self.recover_roles(registered.roles);
        for (id, record) in registered.agents {
            let since = record.since.clone();
            if record.drain.is_some() || record.deactivated() {
                self.state.decided.insert(id.clone(), (record.drain.clone(), record.deactivated()));
            }
            match record.standing() {
                AgentStanding::Admitted => drop(self.state.recovered.insert(id, record.agent)),
                AgentStanding::Unreachable => drop(self.state.unreachable.insert(id, (record.agent, since))),
                AgentStanding::Gone => drop(self.state.gone.insert(id, since)),
            }
        }
        self.state.completed_ids.extend(registered.completed.into_iter().map(|(id, record)| (id, record.since)));
        self.state.machines = registered
            .machines
            .into_values()
            .map(|record| Machine {
                id: record.machine,
                unavailability: record.unavailability,
                is_down: record.down,
                window: record.window,
            })
            .collect();
        for record in registered.frameworks.into_values() {
            self.recover_framework(record.framework);
        }
    }

    /// What this master knows.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What it goes by.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Who divides the cluster, to ask.
    #[must_use]
    pub fn allocator(&self) -> &dyn Allocator {
        &*self.allocator
    }

    /// What is to be done since this was last asked.
    #[must_use]
    pub fn take_output(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.output)
    }

    /// It is so late now. All that is told next happens at this time.
    pub fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        let rescinded = self.allocator.advance(self.now);
        self.rescind(rescinded);
    }

    /// Does what is due: pings, what was waited for too long, and a round of offers.
    pub fn tick(&mut self) {
        self.look_after_agents();
        self.look_after_drains();
        self.make_inverse_offers();
        self.look_after_records();
        self.look_after_frameworks();
        self.allocate();
    }

    /// Tells the allocator of a change that it takes in, and passes on what it rescinds.
    fn observe(&mut self, change: AllocatorChange) {
        if let Err(error) = self.try_observe(change) {
            tracing::error!(%error, "the allocator refuses what has happened");
        }
    }

    /// Tells the allocator of a change that it may refuse.
    pub(super) fn try_observe(&mut self, change: AllocatorChange) -> Result<(), AllocatorError> {
        let rescinded = self.allocator.observe(change)?;
        self.rescind(rescinded);
        Ok(())
    }

    pub(super) fn say(&mut self, output: Output) {
        self.output.push(output);
    }

    /// Says something to a framework, if it is connected.
    pub(super) fn tell(&mut self, framework: &str, event: Event) {
        let stream = self.state.frameworks.get(framework).and_then(|framework| framework.stream.clone());
        self.output.extend(stream.map(|stream| Output::ToFramework(stream, Box::new(event))));
    }

    /// Says something to an agent; whether it is connected.
    pub(super) fn order(&mut self, agent: &str, event: AgentEvent) -> bool {
        let stream = self.state.agents.get(agent).and_then(|agent| agent.stream.clone());
        let is_connected = stream.is_some();
        self.output.extend(stream.map(|stream| Output::ToAgent(stream, Box::new(event))));
        is_connected
    }

    /// Now, as messages say it.
    pub(super) fn time_info(&self) -> TimeInfo {
        TimeInfo { nanoseconds: i64::try_from(self.now.as_nanosecond()).unwrap_or(i64::MAX) }
    }

    /// An id of this master: its own, and a part that no other one of this kind has.
    fn id(&self, part: &str) -> String {
        format!("{}-{part}", self.state.master.id)
    }
}

/// An event of this kind.
fn event(kind: EventType) -> Event {
    Event { r#type: Some(kind.into()), ..Event::default() }
}

/// An order of this kind.
fn order(kind: AgentEventType) -> AgentEvent {
    AgentEvent { r#type: kind.into(), ..AgentEvent::default() }
}

fn node(agent: &str) -> NodeName {
    NodeName::new(agent)
}

#[cfg(test)]
mod tests;
