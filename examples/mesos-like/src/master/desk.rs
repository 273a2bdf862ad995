//! [`Desk`]: what the APIs for operators ask of the leading master.

use std::time::Duration;

use async_trait::async_trait;
use orch_core::allocator::WhyNoOffer;

use super::view::{Parts, View};
use crate::http::{Answer, Refusal};
use crate::wire::scheduler::Operation;
use crate::wire::{AgentId, FrameworkId, MachineId, MediaType, QuotaConfig, Schedule, WeightInfo};

/// What the APIs for operators ask of the leading master.
#[async_trait]
pub trait Desk: std::fmt::Debug + Send + Sync {
    /// What it knows now, in these parts.
    ///
    /// # Errors
    /// A [`Refusal`] if it leads no longer.
    async fn view(&self, parts: Parts) -> Result<View, Refusal>;

    /// Does what an operator decided, and returns when it is done and recorded.
    ///
    /// # Errors
    /// A [`Refusal`] says why it is not done.
    async fn decide(&self, decision: Decision) -> Result<(), Refusal>;

    /// Why a framework has no offer; nothing if there is no such framework.
    ///
    /// # Errors
    /// A [`Refusal`] if it leads no longer.
    async fn why_no_offer(&self, framework: &str) -> Result<Option<WhyNoOffer>, Refusal>;

    /// What is measured, by name.
    async fn metrics(&self) -> Vec<(String, f64)>;

    /// A stream of all that happens from now on, which begins with all that is known now.
    ///
    /// # Errors
    /// A [`Refusal`] if there are too many already.
    async fn subscribe(&self, media: MediaType) -> Result<Answer, Refusal>;
}

/// What an operator decided.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// How much more than others roles get.
    Weights(Vec<WeightInfo>),
    /// What roles are to have at least, and at most; forced, it is not asked whether they can.
    Quotas {
        /// A quota of nothing is none.
        quotas: Vec<QuotaConfig>,
        /// Whether it is not asked.
        force: bool,
    },
    /// When machines are out of use: all of it.
    Schedule(Schedule),
    /// Machines that are out of use from now on.
    MachinesDown(Vec<MachineId>),
    /// Machines that are in use again.
    MachinesUp(Vec<MachineId>),
    /// What is done with resources of an agent.
    Resources(AgentId, Box<Operation>),
    /// A framework is to end.
    Teardown(FrameworkId),
    /// An agent never comes back.
    Gone(AgentId),
    /// An agent is emptied.
    Drain {
        /// Which.
        agent: AgentId,
        /// The longest that a task may take to end.
        grace: Option<Duration>,
        /// Whether it never comes back.
        mark_gone: bool,
    },
    /// An agent gets no tasks from now on.
    Deactivate(AgentId),
    /// An agent gets tasks again.
    Reactivate(AgentId),
}
