//! How tasks are, and who has been told: of each task the oldest update is told until it is acknowledged, then the next.

use super::executors::{container, event};
use super::{CallRefused, Core, Key};
use crate::wire::executor::{Acknowledged, EventType};
use crate::wire::scheduler::Acknowledge;
use crate::wire::{
    AgentCallType, AgentUpdate, ContainerStatus, IpAddress, NetworkInfo, Reason, Source, TaskState, TaskStatus,
};

impl Core {
    /// An executor says how a task is.
    pub(super) fn executor_updates(&mut self, key: &Key, mut status: TaskStatus) -> Result<(), CallRefused> {
        let invalid = |reason: &str| Err(CallRefused::Invalid(reason.to_owned()));
        let Some(uuid) = status.uuid.clone().filter(|uuid| uuid.len() == 16) else {
            return invalid("Expecting 'uuid' to be set to 16 bytes");
        };
        if status.source() != Source::Executor {
            return invalid("Received Call from executor without 'source' set to SOURCE_EXECUTOR");
        }
        if status.state() == TaskState::Staging {
            return invalid("Received TASK_STAGING from executor which is not allowed");
        }
        let acknowledged = Acknowledged { task_id: status.task_id.clone(), uuid: uuid.clone() };
        let now = self.now.as_nanosecond() as f64 / 1e9;
        let (agent_id, ip) = (self.info.id.clone(), self.settings.ip.map(|ip| ip.to_string()));
        if let Some(executor) = self.executors.get_mut(key)
            && let Some(life) = executor.tasks.get_mut(&status.task_id.value)
        {
            let is_known = life.pending.iter().any(|pending| pending.uuid.as_ref() == Some(&uuid))
                || life.task.status_update_uuid.as_ref() == Some(&uuid);
            // What comes after the end is of no use to anybody.
            if !is_known && !life.has_ended() {
                status.agent_id = agent_id;
                status.executor_id.get_or_insert_with(|| key.executor.as_str().into());
                status.timestamp.get_or_insert(now);
                let about = status.container_status.get_or_insert_with(ContainerStatus::default);
                about.container_id.get_or_insert_with(|| container(&executor.container_id));
                about.executor_pid = about.executor_pid.or(executor.pid);
                if about.network_infos.is_empty() {
                    about.network_infos.push(network(ip));
                }
                life.task.set_state(status.state());
                self.put_update(key, status);
            }
        }
        let mut said = event(EventType::Acknowledged);
        said.acknowledged = Some(acknowledged);
        self.tell_executor(key, said);
        Ok(())
    }

    /// A task ends otherwise than by what its executor says.
    pub(super) fn end_task(&mut self, key: &Key, task: &str, state: TaskState, reason: Reason, message: &str) {
        let halves = [self.settings.entropy.next_u64(), self.settings.entropy.next_u64()];
        let uuid = halves.map(u64::to_be_bytes).concat();
        let mut status = TaskStatus {
            task_id: task.into(),
            agent_id: self.info.id.clone(),
            executor_id: Some(key.executor.as_str().into()),
            message: Some(message.to_owned()),
            timestamp: Some(self.now.as_nanosecond() as f64 / 1e9),
            uuid: Some(uuid),
            ..TaskStatus::default()
        };
        status.set_state(state);
        status.set_source(Source::Agent);
        status.set_reason(reason);
        let life = self.executors.get_mut(key).and_then(|executor| executor.tasks.get_mut(task));
        if let Some(life) = life.filter(|life| !life.has_ended()) {
            life.task.set_state(state);
            self.put_update(key, status);
        }
    }

    fn put_update(&mut self, key: &Key, status: TaskStatus) {
        let task = status.task_id.value.clone();
        let life = self.executors.get_mut(key).and_then(|executor| executor.tasks.get_mut(&task));
        let Some(life) = life else { return };
        life.pending.push_back(status);
        let is_first = life.pending.len() == 1;
        self.save(key);
        if is_first {
            self.tell_update(key, &task);
        }
    }

    /// Tells the oldest update of a task.
    fn tell_update(&mut self, key: &Key, task: &str) {
        let retry = self.settings.retry;
        let due = self.later(retry);
        let life = self.executors.get_mut(key).and_then(|executor| executor.tasks.get_mut(task));
        let Some(life) = life else { return };
        let Some(status) = life.pending.front().cloned() else { return };
        life.repeat = Some((due, retry));
        let latest_state = life.task.state;
        let mut told = self.call(AgentCallType::Update);
        told.update = Some(AgentUpdate { framework_id: key.framework.as_str().into(), status, latest_state });
        self.tell_master(told);
    }

    /// Tells the oldest update of each task of an executor: a master may have lost it.
    pub(super) fn tell_all(&mut self, key: &Key) {
        let tasks = self.executors.get(key).map(|executor| executor.tasks.keys().cloned().collect());
        let tasks: Vec<String> = tasks.unwrap_or_default();
        tasks.iter().for_each(|task| self.tell_update(key, task));
    }

    /// A framework has taken in an update.
    pub(super) fn acknowledged(&mut self, framework: &str, acknowledge: &Acknowledge) {
        let task = acknowledge.task_id.value.clone();
        let is_it = |life: &super::TaskLife| {
            life.pending.front().is_some_and(|head| head.uuid.as_ref() == Some(&acknowledge.uuid))
        };
        let found = self
            .executors
            .iter()
            .find(|(key, executor)| key.framework == framework && executor.tasks.get(&task).is_some_and(is_it));
        let Some(key) = found.map(|(key, _)| key.clone()) else { return };
        let Some(executor) = self.executors.get_mut(&key) else { return };
        let Some(life) = executor.tasks.get_mut(&task) else { return };
        if let Some(done) = life.pending.pop_front() {
            life.task.status_update_uuid.clone_from(&done.uuid);
            life.task.status_update_state = Some(done.state);
        }
        life.repeat = None;
        let is_over = life.pending.is_empty() && life.has_ended();
        if is_over {
            executor.tasks.remove(&task);
        }
        self.save(&key);
        match is_over {
            true => self.forget_if_over(&key),
            false => self.tell_update(&key, &task),
        }
    }

    /// Tells again what was not acknowledged in time.
    pub(super) fn repeat_updates(&mut self) {
        if !self.is_registered {
            return;
        }
        let mut due = Vec::new();
        for (key, executor) in &self.executors {
            let late = executor.tasks.iter().filter(|(_, life)| life.repeat.is_some_and(|(at, _)| at <= self.now));
            due.extend(late.map(|(task, life)| (key.clone(), task.clone(), life.repeat)));
        }
        for (key, task, repeat) in due {
            self.tell_update(&key, &task);
            let wait = repeat.map_or(self.settings.retry, |(_, wait)| (wait * 2).min(self.settings.longest_retry));
            let at = self.later(wait);
            let life = self.executors.get_mut(&key).and_then(|executor| executor.tasks.get_mut(&task));
            if let Some(life) = life {
                life.repeat = Some((at, wait));
            }
        }
    }
}

fn network(ip: Option<String>) -> NetworkInfo {
    let address = IpAddress { ip_address: ip, ..IpAddress::default() };
    NetworkInfo { ip_addresses: vec![address], ..NetworkInfo::default() }
}
