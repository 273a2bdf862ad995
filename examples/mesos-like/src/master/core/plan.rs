//! [`Plan`]: what becomes of an acceptance, before anybody is asked or told.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::allocator::{Conversion, Resource, Resources};

use super::validate::Offered;
use crate::resources::from_wire;
use crate::wire::scheduler::{LaunchGroup, Operation, OperationType};
use crate::wire::{ExecutorInfo, Reason, Resource as Said, TaskInfo};

/// What becomes of an acceptance, if the allocator agrees.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// What becomes of the resources first.
    pub(super) conversions: Vec<Conversion>,
    /// What is used from now on.
    pub(super) used: Resources,
    /// What is run, in this order.
    pub(super) runs: Vec<Run>,
    /// Tasks that are not, with the reason.
    pub(super) refused: Vec<(TaskInfo, Reason, String)>,
    /// Operations other than launches, and why one is not done.
    pub(super) operations: Vec<(Operation, Result<(), String>)>,
}

/// A task alone, or a group of tasks, that is run.
#[derive(Debug)]
pub(super) struct Run {
    /// Its executor, and what that takes if it does not run yet.
    pub(super) executor: Option<(ExecutorInfo, Resources)>,
    /// The tasks, and what each takes.
    pub(super) tasks: Vec<(TaskInfo, Resources)>,
    pub(super) group: bool,
}

/// Decides what becomes of these operations on what was offered.
pub(super) fn plan(offered: &Offered<'_>, pool: Resources, operations: Vec<Operation>) -> Plan {
    let mut planning =
        Planning { offered, pool, plan: Plan::default(), launched: BTreeSet::new(), executors: BTreeMap::new() };
    for operation in operations {
        planning.operation(operation);
    }
    planning.plan
}

struct Planning<'a> {
    offered: &'a Offered<'a>,
    /// What is left of what was offered.
    pool: Resources,
    plan: Plan,
    launched: BTreeSet<String>,
    /// Executors that begin with this acceptance.
    executors: BTreeMap<String, ExecutorInfo>,
}

impl Planning<'_> {
    fn operation(&mut self, operation: Operation) {
        match operation.r#type() {
            OperationType::Launch => {
                for task in operation.launch.unwrap_or_default().task_infos {
                    self.launch(task);
                }
            }
            OperationType::LaunchGroup => self.launch_group(operation.launch_group.unwrap_or_default()),
            _ => {
                let done = self.convert(&operation);
                self.plan.operations.push((operation, done));
            }
        }
    }

    fn launch(&mut self, task: TaskInfo) {
        let run = self.offered.task(&task, &self.launched).and_then(|used| {
            let executor = self.offered.executor_of_task(&task)?;
            let executor = executor.map(|executor| self.begun(executor)).transpose()?;
            let mut task = self.offered.allocated_task(&task);
            task.executor = executor.as_ref().map(|(info, _)| info.clone());
            self.take(Run { executor, tasks: vec![(task, used)], group: false })
        });
        if let Err(message) = run {
            self.plan.refused.push((task, Reason::TaskInvalid, message));
        }
    }

    fn launch_group(&mut self, group: LaunchGroup) {
        let LaunchGroup { executor, task_group } = group;
        let run = self.group(&executor, &task_group.tasks).and_then(|run| self.take(run));
        if let Err(message) = run {
            let refuse = |task| (task, Reason::TaskGroupInvalid, message.clone());
            self.plan.refused.extend(task_group.tasks.into_iter().map(refuse));
        }
    }

    fn group(&mut self, executor: &ExecutorInfo, tasks: &[TaskInfo]) -> Result<Run, String> {
        if tasks.is_empty() {
            return Err("Task group cannot be empty".to_owned());
        }
        let executor = self.begun(self.offered.executor_of_group(executor)?)?;
        let (mut ids, mut all) = (self.launched.clone(), Vec::new());
        for task in tasks {
            let used = self
                .offered
                .task(task, &ids)
                .map_err(|error| format!("Task '{}' is invalid: {error}", task.task_id))?;
            if task.executor.as_ref().is_some_and(|own| own.executor_id != executor.0.executor_id) {
                return Err(format!("The executor of task '{}' is not that of its group", task.task_id));
            }
            ids.insert(task.task_id.value.clone());
            let mut task = self.offered.allocated_task(task);
            task.executor = None;
            all.push((task, used));
        }
        Ok(Run { executor: Some(executor), tasks: all, group: true })
    }

    /// An executor, which takes nothing more if it began with a task before.
    fn begun(&self, executor: (ExecutorInfo, Resources)) -> Result<(ExecutorInfo, Resources), String> {
        let (info, used) = executor;
        match self.executors.get(&info.executor_id.value) {
            Some(begun) if *begun != info => Err(format!(
                "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID '{}'",
                info.executor_id
            )),
            Some(_) => Ok((info, Resources::new())),
            None => Ok((info, used)),
        }
    }

    /// Takes what is run out of what is left.
    fn take(&mut self, run: Run) -> Result<(), String> {
        let of_executor = run.executor.iter().map(|(_, used)| used);
        let wanted = run.tasks.iter().map(|(_, used)| used).chain(of_executor);
        let wanted = wanted.fold(Resources::new(), |sum, one| sum.plus(one));
        let Some(rest) = self.pool.minus(&wanted) else {
            return Err(format!(
                "Total resources {wanted} required by task and its executor is more than available {} on {}",
                self.pool,
                self.offered.hostname()
            ));
        };
        self.pool = rest;
        self.plan.used = self.plan.used.plus(&wanted);
        self.launched.extend(run.tasks.iter().map(|(task, _)| task.task_id.value.clone()));
        if let Some((info, _)) = &run.executor {
            self.executors.insert(info.executor_id.value.clone(), info.clone());
        }
        self.plan.runs.push(run);
        Ok(())
    }

    /// Makes resources others, for an operation that does that.
    fn convert(&mut self, operation: &Operation) -> Result<(), String> {
        let (from, to) = conversion(operation)?;
        for resource in to.iter().chain(from.iter()) {
            if !resource.may_go_to(self.offered.role) {
                return Err(format!("{} is not reserved for the role {}", resource.name, self.offered.role));
            }
        }
        let rest = self.pool.minus(&from).ok_or_else(|| format!("{from} is not in what was offered: {}", self.pool))?;
        self.pool = rest.plus(&to);
        self.plan.conversions.push(Conversion { from, to });
        Ok(())
    }
}

/// What an operation makes of what.
///
/// # Errors
/// What is wrong with it.
pub(in crate::master) fn conversion(operation: &Operation) -> Result<(Resources, Resources), String> {
    let missing = || format!("Expecting '{}' to be present", operation.r#type().text().to_lowercase());
    match operation.r#type() {
        OperationType::Reserve => {
            let reserve = operation.reserve.as_ref().ok_or_else(missing)?;
            let to = from_wire(&reserve.resources)?;
            let from = if reserve.source.is_empty() { map(&to, unreserved)? } else { from_wire(&reserve.source)? };
            Ok((from, to))
        }
        OperationType::Unreserve => {
            let from = from_wire(&operation.unreserve.as_ref().ok_or_else(missing)?.resources)?;
            Ok((from.clone(), map(&from, unreserved)?))
        }
        OperationType::Create => {
            let to = from_wire(&operation.create.as_ref().ok_or_else(missing)?.volumes)?;
            Ok((map(&to, without_volume)?, to))
        }
        OperationType::Destroy => {
            let from = from_wire(&operation.destroy.as_ref().ok_or_else(missing)?.volumes)?;
            Ok((from.clone(), map(&from, without_volume)?))
        }
        OperationType::GrowVolume => {
            let grow = operation.grow_volume.as_ref().ok_or_else(missing)?;
            let mut from = vec![grow.volume.clone()];
            let grown = resized(&grow.volume, amount(&grow.addition))?;
            from.push(grow.addition.clone());
            Ok((from_wire(&from)?, from_wire(&[grown])?))
        }
        OperationType::ShrinkVolume => {
            let shrink = operation.shrink_volume.as_ref().ok_or_else(missing)?;
            let shrunk = resized(&shrink.volume, -shrink.subtract.value)?;
            let mut rest = shrink.volume.clone();
            rest.scalar = Some(shrink.subtract.clone());
            let rest = map(&from_wire(&[rest])?, without_volume)?;
            Ok((from_wire(std::slice::from_ref(&shrink.volume))?, from_wire(&[shrunk])?.plus(&rest)))
        }
        other => Err(format!("operations of type {} are not supported", other.text())),
    }
}

fn amount(resource: &Said) -> f64 {
    resource.scalar.as_ref().map_or(0.0, |scalar| scalar.value)
}

fn resized(volume: &Said, by: f64) -> Result<Said, String> {
    let size = amount(volume) + by;
    if size <= 0.0 {
        return Err(format!("a volume of {size} is none"));
    }
    let mut resized = volume.clone();
    resized.scalar = Some(crate::wire::Scalar { value: size });
    Ok(resized)
}

fn map(resources: &Resources, one: impl Fn(Resource) -> Result<Resource, String>) -> Result<Resources, String> {
    let mut all = Resources::new();
    for resource in resources.iter() {
        all.add(one(resource.clone())?);
    }
    Ok(all)
}

fn unreserved(mut resource: Resource) -> Result<Resource, String> {
    match resource.reservations.pop() {
        Some(last) if last.dynamic => Ok(resource),
        _ => Err(format!("{} is not dynamically reserved", resource.name)),
    }
}

fn without_volume(mut resource: Resource) -> Result<Resource, String> {
    if resource.reservations.is_empty() {
        return Err("a persistent volume is made of reserved disk".to_owned());
    }
    let volume = resource.disk.as_mut().and_then(|disk| disk.volume.take());
    if volume.is_none() {
        return Err(format!("{} is no persistent volume", resource.name));
    }
    resource.disk = resource.disk.filter(|disk| disk.source.is_some());
    Ok(resource)
}
