//! Offers are accepted: tasks are launched, resources become others.

use orch_core::allocator::{Acceptance, Filters, OfferId, Resources, Role};

use super::calls::filters;
use super::plan::{Plan, Run, plan};
use super::validate::Offered;
use super::{ExecutorEntry, Master, Notice, Output, TaskEntry, order};
use crate::resources::{Form, to_wire};
use crate::wire::scheduler::{Accept, Operation, OperationState, OperationStatus, OperationType};
use crate::wire::{AgentEventType, Apply, ExecutorInfo, Reason, RunTasks, Task, TaskInfo, TaskState};

/// What is accepted together: offers of one agent in one role.
struct Accepted {
    numbers: Vec<OfferId>,
    agent: String,
    role: Role,
    pool: Resources,
}

impl Master {
    /// A framework uses some of what it was offered. Whatever happens, the offers are no more.
    pub(super) fn accept(&mut self, id: &str, accept: Accept) {
        let left = filters(accept.filters.as_ref());
        let accepted = match self.accepted(id, &accept) {
            Ok(accepted) => accepted,
            Err(message) => {
                self.decline(id, &accept.offer_ids, Filters::NONE);
                return self.drop_all(id, accept.operations, &message);
            }
        };
        let Some(framework) = self.state.frameworks.get(id) else { return };
        let Accepted { numbers, agent, role, pool } = accepted;
        let offered = Offered { state: &self.state, id, framework, agent: &agent, role: &role };
        let plan = plan(&offered, pool, accept.operations);
        let Plan { conversions, used, runs, refused, operations } = plan;
        if conversions.is_empty() && used.is_empty() {
            numbers.iter().for_each(|number| self.decline_one(*number, left));
        } else {
            numbers.iter().for_each(|number| drop(self.state.offers.remove(number)));
            let acceptance = Acceptance { conversions: conversions.clone(), used, filters: left };
            if let Err(error) = self.allocator.accept(&numbers, acceptance) {
                let tasks = runs.into_iter().flat_map(|run| run.tasks).map(|(task, _)| task);
                self.drop_tasks(id, tasks.collect(), Reason::InvalidOffers, &error.to_string());
                self.refuse_tasks(id, refused);
                return self.operations_failed(id, operations, &error.to_string());
            }
        }
        for conversion in conversions {
            if let Some(agent) = self.state.agents.get_mut(&agent) {
                agent.total = agent.total.saturating_minus(&conversion.from).plus(&conversion.to);
            }
        }
        for (operation, done) in operations {
            self.operated(id, &agent, operation, done);
        }
        self.refuse_tasks(id, refused);
        for run in runs {
            self.run(id, &agent, &role, run);
        }
    }

    fn accepted(&self, id: &str, accept: &Accept) -> Result<Accepted, String> {
        let mut accepted: Option<Accepted> = None;
        for offer_id in &accept.offer_ids {
            let number = self.offer_number(offer_id);
            let found = number.and_then(|number| Some((number, self.state.offers.get(&number)?)));
            let Some((number, offer)) = found else { return Err(format!("Offer {offer_id} is no longer valid")) };
            if offer.framework != id {
                return Err(format!("Offer {offer_id} has invalid framework {}", offer.framework));
            }
            match &mut accepted {
                None => {
                    accepted = Some(Accepted {
                        numbers: vec![number],
                        agent: offer.agent.clone(),
                        role: offer.role.clone(),
                        pool: offer.resources.clone(),
                    });
                }
                Some(before) if before.numbers.contains(&number) => {
                    return Err(format!("Duplicate offer {offer_id} in offer list"));
                }
                Some(before) if before.agent != offer.agent => {
                    return Err("Aggregated offers must belong to one single agent".to_owned());
                }
                Some(before) if before.role != offer.role => {
                    return Err("Aggregated offers must be allocated to the same role".to_owned());
                }
                Some(before) => {
                    before.numbers.push(number);
                    before.pool = before.pool.plus(&offer.resources);
                }
            }
        }
        accepted.ok_or_else(|| "No offers specified".to_owned())
    }

    fn drop_all(&mut self, id: &str, operations: Vec<Operation>, message: &str) {
        let (mut tasks, mut others) = (Vec::new(), Vec::new());
        for mut operation in operations {
            tasks.extend(operation.launch.take().unwrap_or_default().task_infos);
            tasks.extend(operation.launch_group.take().unwrap_or_default().task_group.tasks);
            others.push((operation, Ok(())));
        }
        self.drop_tasks(id, tasks, Reason::InvalidOffers, message);
        self.operations_failed(id, others, message);
    }

    fn drop_tasks(&mut self, id: &str, tasks: Vec<TaskInfo>, reason: Reason, message: &str) {
        for task in tasks {
            let message = format!("Task launched with invalid offers: {message}");
            let status = self.status(&self.task(id, &task, None), TaskState::Dropped, reason, &message);
            self.tell_status(id, status);
        }
    }

    fn refuse_tasks(&mut self, id: &str, refused: Vec<(TaskInfo, Reason, String)>) {
        for (task, reason, message) in refused {
            let status = self.status(&self.task(id, &task, None), TaskState::Error, reason, &message);
            self.tell_status(id, status);
        }
    }

    fn operations_failed(&mut self, id: &str, operations: Vec<(Operation, Result<(), String>)>, message: &str) {
        for (operation, _) in operations {
            self.operation_told(id, None, &operation, OperationState::Error, message);
        }
    }

    fn operated(&mut self, id: &str, agent: &str, operation: Operation, done: Result<(), String>) {
        match done {
            Ok(()) => {
                self.operation_told(id, Some(agent), &operation, OperationState::Finished, "");
                self.apply(agent, operation);
            }
            Err(message) => {
                tracing::info!(framework = id, message, "an operation is refused");
                self.operation_told(id, Some(agent), &operation, OperationState::Error, &message);
            }
        }
    }

    /// Tells an agent what its resources are now.
    pub(super) fn apply(&mut self, agent: &str, operation: Operation) {
        let Some(known) = self.state.agents.get(agent) else { return };
        let resources = to_wire(&known.total, &Form { allocated_to: None, stacked: true });
        let mut said = order(AgentEventType::Apply);
        said.apply = Some(Apply { operation, resources });
        self.order(agent, said);
    }

    /// Tells a framework how far an operation is, if it named it.
    fn operation_told(
        &mut self,
        id: &str,
        agent: Option<&str>,
        operation: &Operation,
        state: OperationState,
        message: &str,
    ) {
        let Some(operation_id) = operation.id.clone() else { return };
        let mut status = OperationStatus {
            operation_id: Some(operation_id),
            agent_id: agent.map(Into::into),
            message: (!message.is_empty()).then(|| message.to_owned()),
            ..OperationStatus::default()
        };
        status.set_state(state);
        if !matches!(operation.r#type(), OperationType::Launch | OperationType::LaunchGroup) {
            self.tell_operation(id, status);
        }
    }

    fn run(&mut self, id: &str, agent: &str, role: &Role, run: Run) {
        let Run { executor, tasks, group } = run;
        let info = executor.as_ref().map(|(info, _)| info.clone());
        for (task, used) in &tasks {
            let told = self.task(id, task, info.as_ref());
            let entry = TaskEntry { task: told.clone(), role: role.clone(), used: used.clone(), is_killed: false };
            self.state.put_task(id, entry);
            self.say(Output::Notice(Notice::TaskAdded(Box::new(told))));
        }
        if let Some((info, used)) = executor {
            self.state.put_executor(id, agent, ExecutorEntry { info, role: role.clone(), used });
        }
        let Some(framework) = self.state.frameworks.get(id) else { return };
        let mut said = order(AgentEventType::Run);
        let tasks = tasks.into_iter().map(|(task, _)| task).collect();
        said.run = Some(RunTasks { framework: framework.info.clone(), executor: info, tasks, group });
        self.order(agent, said);
    }

    /// A task that was just launched.
    fn task(&self, id: &str, task: &TaskInfo, executor: Option<&ExecutorInfo>) -> Task {
        let framework = self.state.frameworks.get(id);
        let user = task.command.as_ref().and_then(|command| command.user.clone());
        let mut told = Task {
            name: task.name.clone(),
            task_id: task.task_id.clone(),
            framework_id: id.into(),
            executor_id: executor.map(|executor| executor.executor_id.clone()),
            agent_id: task.agent_id.clone(),
            resources: task.resources.clone(),
            labels: task.labels.clone(),
            discovery: task.discovery.clone(),
            container: task.container.clone(),
            health_check: task.health_check.clone(),
            kill_policy: task.kill_policy.clone(),
            user: user.or_else(|| framework.map(|framework| framework.info.user.clone())),
            limits: task.limits.clone(),
            ..Task::default()
        };
        told.set_state(TaskState::Staging);
        told
    }
}
