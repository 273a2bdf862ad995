//! What operators decide.

mod agents;
mod maintenance;
mod resources;
mod roles;

use http::StatusCode;

pub(in crate::master) use self::roles::said as quota_said;

use super::Master;
use crate::http::Refusal;
use crate::master::desk::Decision;

impl Master {
    /// Does what an operator decided.
    ///
    /// # Errors
    /// A [`Refusal`] says why not; nothing has changed.
    pub fn decide(&mut self, decision: Decision) -> Result<(), Refusal> {
        match decision {
            Decision::Weights(weights) => self.set_weights(&weights),
            Decision::Quotas { quotas, force } => self.set_quotas(&quotas, force),
            Decision::Schedule(schedule) => self.set_schedule(&schedule),
            Decision::MachinesDown(machines) => self.machines_down(&machines),
            Decision::MachinesUp(machines) => self.machines_up(&machines),
            Decision::Resources(agent, operation) => self.convert(&agent.value, *operation),
            Decision::Teardown(framework) if self.state.frameworks.contains_key(&framework.value) => {
                self.remove_framework(&framework.value);
                Ok(())
            }
            Decision::Teardown(_) => Err(Refusal::bad_request("No framework found with specified ID")),
            Decision::Gone(agent) => self.agent_gone(&agent.value),
            Decision::Drain { agent, grace, mark_gone } => self.drain(&agent.value, grace, mark_gone),
            Decision::Deactivate(agent) => self.set_deactivated(&agent.value, true),
            Decision::Reactivate(agent) => self.set_deactivated(&agent.value, false),
        }
    }
}

fn conflict(reason: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::CONFLICT, reason)
}

#[cfg(test)]
mod tests;
