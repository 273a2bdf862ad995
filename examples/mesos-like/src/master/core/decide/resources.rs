//! Resources of an agent become others, because an operator wants it: reserved, unreserved, volumes.

use http::StatusCode;
use orch_core::allocator::{AllocatorChange, AllocatorError, Conversion};

use super::conflict;
use crate::http::Refusal;
use crate::master::core::plan::conversion;
use crate::master::core::{Master, node};
use crate::wire::scheduler::Operation;

impl Master {
    pub(super) fn convert(&mut self, agent: &str, operation: Operation) -> Result<(), Refusal> {
        let known = self.state.agents.get(agent).filter(|agent| agent.stream.is_some());
        if known.is_none() {
            return Err(Refusal::bad_request("No agent found with specified ID"));
        }
        let invalid = |reason: String| {
            Refusal::bad_request(format!("Invalid {} operation on agent {agent}: {reason}", operation.r#type().text()))
        };
        let (from, to) = conversion(&operation).map_err(invalid)?;
        if from.is_empty() && to.is_empty() {
            return Err(invalid("no resources are named".to_owned()));
        }
        let change = Conversion { from: from.clone(), to: to.clone() };
        self.try_observe(AllocatorChange::Converted(node(agent), change)).map_err(|error| match error {
            AllocatorError::Insufficient { .. } => conflict(error.to_string()),
            AllocatorError::UnknownNode(_) => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
            error => invalid(error.to_string()),
        })?;
        if let Some(agent) = self.state.agents.get_mut(agent) {
            agent.total = agent.total.saturating_minus(&from).plus(&to);
        }
        self.apply(agent, operation);
        self.allocate();
        Ok(())
    }
}
