//! What frameworks say, once they are subscribed.

use orch_core::allocator::{AllocatorChange, Filters, FrameworkId};

use super::{Master, event, order};
use crate::wire::scheduler::{Call, CallType, EventType, Kill, Message, ReconcileTask, UpdateOperationStatus};
use crate::wire::scheduler::{OperationState, OperationStatus};
use crate::wire::{self, AgentEventType, ExecutorMessage, KillTask, ShutdownExecutor};

/// Why a call is not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no such framework.
    Unknown,
    /// It is not connected.
    NotSubscribed,
    /// The call is of another subscription than the current one.
    Stream,
    /// What is asked for cannot be; the reason.
    Invalid(String),
}

impl Master {
    /// A framework's call other than `SUBSCRIBE`, of this subscription.
    ///
    /// # Errors
    /// [`Refused`], and nothing has changed.
    pub fn call(&mut self, call: Call, stream: Option<&str>) -> Result<(), Refused> {
        let id = call.framework_id.as_ref().map(|id| id.value.clone()).unwrap_or_default();
        let framework = self.state.frameworks.get(&id).ok_or(Refused::Unknown)?;
        let current = framework.stream.as_deref().ok_or(Refused::NotSubscribed)?;
        if stream != Some(current) {
            return Err(Refused::Stream);
        }
        self.follow(&id, call)
    }

    fn follow(&mut self, id: &str, call: Call) -> Result<(), Refused> {
        match call.r#type() {
            CallType::Teardown => self.remove_framework(id),
            CallType::Accept => self.accept(id, call.accept.unwrap_or_default()),
            CallType::Decline => {
                let decline = call.decline.unwrap_or_default();
                self.decline(id, &decline.offer_ids, filters(decline.filters.as_ref()));
            }
            CallType::AcceptInverseOffers => {
                self.answer_inverse(id, &call.accept_inverse_offers.unwrap_or_default().inverse_offer_ids, true);
            }
            CallType::DeclineInverseOffers => {
                self.answer_inverse(id, &call.decline_inverse_offers.unwrap_or_default().inverse_offer_ids, false);
            }
            CallType::Revive => self.revive(id, &call.revive.unwrap_or_default().roles),
            CallType::Suppress => self.suppress(id, &call.suppress.unwrap_or_default().roles),
            CallType::Kill => self.kill(id, call.kill.unwrap_or_default()),
            CallType::Shutdown => {
                let shutdown = call.shutdown.unwrap_or_default();
                let mut said = order(AgentEventType::ShutdownExecutor);
                let executor_id = shutdown.executor_id;
                said.shutdown_executor = Some(ShutdownExecutor { framework_id: id.into(), executor_id });
                self.order(&shutdown.agent_id.value, said);
            }
            CallType::Acknowledge => self.acknowledge(id, call.acknowledge.unwrap_or_default()),
            CallType::Reconcile => self.reconcile(id, &call.reconcile.unwrap_or_default().tasks),
            CallType::Message => self.message(id, call.message.unwrap_or_default()),
            CallType::UpdateFramework => {
                self.update_framework(id, call.update_framework.unwrap_or_default()).map_err(Refused::Invalid)?;
            }
            CallType::ReconcileOperations => {
                for asked in call.reconcile_operations.unwrap_or_default().operations {
                    // Operations are done when they are accepted: none is known later.
                    let mut status = OperationStatus {
                        operation_id: Some(asked.operation_id),
                        agent_id: asked.agent_id,
                        ..OperationStatus::default()
                    };
                    status.set_state(OperationState::Unknown);
                    self.tell_operation(id, status);
                }
            }
            // What is requested is offered in its turn; what is acknowledged of operations is not kept.
            CallType::Request | CallType::AcknowledgeOperationStatus | CallType::Subscribe | CallType::Unknown => {}
        }
        Ok(())
    }

    pub(super) fn tell_operation(&mut self, framework: &str, status: OperationStatus) {
        let mut said = event(EventType::UpdateOperationStatus);
        said.update_operation_status = Some(UpdateOperationStatus { status });
        self.tell(framework, said);
    }

    fn revive(&mut self, id: &str, names: &[String]) {
        let roles = self.known_roles(id, names);
        if roles.is_empty() {
            return;
        }
        if let Some(framework) = self.state.frameworks.get_mut(id) {
            framework.suppressed.retain(|role| !roles.contains(role));
        }
        self.observe(AllocatorChange::Revived(FrameworkId::new(id), roles));
        self.allocate();
    }

    fn suppress(&mut self, id: &str, names: &[String]) {
        let roles = self.known_roles(id, names);
        if roles.is_empty() {
            return;
        }
        if let Some(framework) = self.state.frameworks.get_mut(id) {
            framework.suppressed.extend(roles.iter().cloned());
        }
        self.observe(AllocatorChange::Suppressed(FrameworkId::new(id), roles));
    }

    fn kill(&mut self, id: &str, kill: Kill) {
        let task_id = kill.task_id.value.clone();
        let known = self.state.frameworks.get_mut(id).and_then(|framework| framework.tasks.get_mut(&task_id));
        let Some(entry) = known else {
            let task = ReconcileTask { task_id: kill.task_id, agent_id: kill.agent_id };
            return self.reconcile(id, &[task]);
        };
        let agent = entry.task.agent_id.clone();
        if kill.agent_id.is_some_and(|named| named != agent) {
            return tracing::info!(
                framework = id,
                task = task_id,
                "a task is to be killed on an agent that it is not on"
            );
        }
        entry.is_killed = true;
        let mut said = order(AgentEventType::Kill);
        let kill = wire::executor::Kill { task_id: kill.task_id, kill_policy: kill.kill_policy };
        said.kill = Some(KillTask { framework_id: id.into(), kill });
        if !self.order(&agent.value, said) {
            // It is told when it is back.
            if let Some(agent) = self.state.agents.get_mut(&agent.value) {
                agent.kills.insert((id.to_owned(), task_id));
            }
        }
    }

    fn message(&mut self, id: &str, message: Message) {
        let mut said = order(AgentEventType::Message);
        let Message { agent_id, executor_id, data } = message;
        said.message = Some(ExecutorMessage { framework_id: id.into(), executor_id, data });
        self.order(&agent_id.value, said);
    }
}

/// For how long what is left is refused.
pub(super) fn filters(filters: Option<&wire::Filters>) -> Filters {
    Filters::from_seconds(filters.and_then(|filters| filters.refuse_seconds))
}
