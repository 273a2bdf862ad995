//! How agents come, come back and go.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use orch_core::allocator::{AllocatorChange, FrameworkId, NodeSupply, Resources, Role, Usage};
use orch_core::clock::Timestamp;

use super::{
    Agent, ExecutorEntry, Framework, Master, Notice, Output, Remaining, Remains, TaskEntry, event, node, order,
};
use crate::master::registry::{AgentRecord, AgentStanding, RegistryChange};
use crate::resources::{attribute_text, from_wire};
use crate::wire::scheduler::{EventType, Failure, Message};
use crate::wire::{
    self, AgentCall, AgentCallType, AgentEventType, AgentInfo, ExecutorInfo, KillTask, Reason, Register, Registered,
    Task, TaskState,
};

impl Master {
    /// An agent comes, or comes back, and reads this stream from now on; it is at this address. If it may not, the stream says
    /// why and is closed.
    pub fn register(&mut self, id: Option<&str>, register: Register, stream: &str, ip: &str) {
        if let Err(reason) = self.try_register(id, register, stream, ip) {
            let mut said = order(AgentEventType::Refused);
            said.reason = Some(reason);
            self.say(Output::ToAgent(stream.to_owned(), Box::new(said)));
            self.say(Output::Close(stream.to_owned()));
        }
    }

    fn try_register(&mut self, id: Option<&str>, register: Register, stream: &str, ip: &str) -> Result<(), String> {
        let total = from_wire(&register.resources)?;
        let id = match id {
            Some(id) => id.to_owned(),
            None => {
                self.next_agent += 1;
                self.id(&format!("S{}", self.next_agent - 1))
            }
        };
        if self.state.gone.contains_key(&id) {
            return Err("Agent has been marked gone: remove its work_dir to let it come as another one".to_owned());
        }
        let host = &register.agent.hostname;
        let is_down = |machine: &&super::Machine| machine.is_down && machine.is_of(host, ip);
        if self.state.machines.iter().any(|machine| is_down(&machine)) {
            return Err(format!("Machine {host} is down for maintenance: `machine/up` lets it come back"));
        }
        let Register { agent: mut info, version, frameworks, executors, tasks, .. } = register;
        info.id = Some(id.as_str().into());
        self.state.recovered.remove(&id);
        let was_away = self.state.unreachable.remove(&id).is_some();
        let is_new = self.put_agent(&id, info, version, total, stream, ip);
        for framework in frameworks {
            self.recover_framework(framework);
        }
        let mut said = order(AgentEventType::Registered);
        said.registered =
            Some(Registered { agent_id: id.as_str().into(), ping_seconds: self.settings.ping.as_secs_f64() });
        self.order(&id, said);
        self.take_in_executors(&id, executors);
        self.take_in_tasks(&id, tasks, was_away);
        self.pending_kills(&id);
        self.drain_goes_on(&id);
        self.record_agent(&id, AgentStanding::Admitted);
        if is_new {
            self.say(Output::Notice(Notice::AgentAdded(id)));
        }
        self.allocate();
        Ok(())
    }

    /// Whether the agent is not the one that was known before.
    fn put_agent(
        &mut self,
        id: &str,
        info: AgentInfo,
        version: String,
        total: Resources,
        stream: &str,
        ip: &str,
    ) -> bool {
        let next_ping = self.later(self.settings.ping);
        let attributes = info.attributes.iter().map(|one| (one.name.clone(), attribute_text(one)));
        let region = info.domain.as_ref().and_then(|domain| domain.fault_domain.as_ref());
        let supply = NodeSupply {
            name: node(id),
            total: total.clone(),
            attributes: attributes.collect(),
            region: region.map(|domain| domain.region.name.clone()),
        };
        let old_stream = match self.state.agents.get_mut(id) {
            Some(agent) => {
                (agent.info, agent.version, agent.total, agent.ip) = (info, version, total, ip.to_owned());
                (agent.reregistered, agent.expires) = (Some(self.now), None);
                (agent.missed_pings, agent.next_ping) = (0, next_ping);
                Some(agent.stream.replace(stream.to_owned()))
            }
            None => {
                let agent = Agent {
                    info,
                    version,
                    ip: ip.to_owned(),
                    total,
                    stream: Some(stream.to_owned()),
                    registered: self.now,
                    reregistered: None,
                    missed_pings: 0,
                    next_ping,
                    expires: None,
                    drain: None,
                    is_deactivated: false,
                    kills: BTreeSet::new(),
                    remains: Vec::new(),
                    tasks: BTreeSet::new(),
                    executors: BTreeSet::new(),
                };
                self.state.agents.insert(id.to_owned(), agent);
                None
            }
        };
        self.observe(AllocatorChange::NodePut(supply));
        self.recall_decisions(id);
        let is_active = self.state.agents.get(id).is_some_and(Agent::is_active);
        self.observe(AllocatorChange::NodeActive(node(id), is_active));
        let is_new = old_stream.is_none();
        if let Some(old) = old_stream.flatten() {
            self.say(Output::Close(old));
        }
        is_new
    }

    /// Executors that an agent runs, as it says.
    fn take_in_executors(&mut self, agent: &str, executors: Vec<ExecutorInfo>) {
        let mut running = BTreeSet::new();
        for info in executors {
            let framework = info.framework_id.as_ref().map(|id| id.value.clone()).unwrap_or_default();
            let key = (agent.to_owned(), info.executor_id.value.clone());
            running.insert((framework.clone(), key.1.clone()));
            let Some(known) = self.state.frameworks.get_mut(&framework) else { continue };
            if known.executors.contains_key(&key) {
                continue;
            }
            let (role, used) = allocated(known, &info.resources);
            let entry = ExecutorEntry { info, role: role.clone(), used: used.clone() };
            self.state.put_executor(&framework, agent, entry);
            self.adopt(&framework, agent, role, used);
        }
        let known = self.state.agents.get(agent).map(|agent| &agent.executors);
        let ended: Vec<_> = known.into_iter().flatten().filter(|one| !running.contains(one)).cloned().collect();
        for (framework, executor) in ended {
            self.executor_ended(agent, &framework, &executor, None);
        }
    }

    /// Tasks that an agent runs, as it says: those that it does not know are lost, those of frameworks that ended are ended.
    /// If it could not be reached, frameworks are told of all that they have there: they may have given it up, or have heard
    /// nothing of it, as a master that was elected meanwhile knew no tasks of the agent.
    fn take_in_tasks(&mut self, agent: &str, tasks: Vec<Task>, was_away: bool) {
        let mut theirs: BTreeMap<String, BTreeMap<String, Task>> = BTreeMap::new();
        for mut task in tasks {
            task.agent_id = agent.into();
            theirs.entry(task.framework_id.value.clone()).or_default().insert(task.task_id.value.clone(), task);
        }
        let known = self.state.agents.get(agent).map(|agent| &agent.tasks);
        let known = known.into_iter().flatten().map(|(framework, _)| framework);
        let ids: BTreeSet<String> = known.chain(theirs.keys()).cloned().collect();
        for id in ids {
            let reported = theirs.remove(&id).unwrap_or_default();
            if self.state.frameworks.contains_key(&id) {
                self.compare_tasks(agent, &id, reported, was_away);
            } else {
                self.end_tasks_of_ended(agent, &id, reported);
            }
        }
    }

    fn compare_tasks(&mut self, agent: &str, id: &str, reported: BTreeMap<String, Task>, was_away: bool) {
        let missing = self.tasks_on(agent, id);
        for task in missing.into_iter().filter(|task| !reported.contains_key(task)) {
            let known = self.state.frameworks.get(id).and_then(|framework| framework.tasks.get(&task));
            let has_ended = known.is_some_and(TaskEntry::has_ended);
            // The agent never heard of it, or has heard the framework's acknowledgement of its end.
            if has_ended {
                self.drop_task(id, &task);
            } else {
                self.lose_task(id, &task, TaskState::Dropped, Reason::Reconciliation, "Task is unknown to the agent");
            }
        }
        for (task_id, task) in reported {
            let Some(framework) = self.state.frameworks.get_mut(id) else { return };
            let was_away = framework.unreachable_tasks.remove(&task_id).is_some() || was_away;
            let (state, told) = (task.state(), task.clone());
            match framework.tasks.get_mut(&task_id) {
                Some(entry) => {
                    let has_ended = state.is_terminal() && !entry.has_ended();
                    entry.task.set_state(state);
                    if has_ended {
                        self.free_task(id, &task_id);
                    }
                }
                None => {
                    let (role, used) = match state.is_terminal() {
                        true => (Role::default(), Resources::new()),
                        false => allocated(framework, &task.resources),
                    };
                    let entry = TaskEntry { task, role: role.clone(), used: used.clone(), is_killed: false };
                    self.state.put_task(id, entry);
                    self.adopt(id, agent, role, used);
                }
            }
            if was_away {
                let status = self.status(&told, state, Reason::AgentReregistered, "Agent re-registered");
                self.tell_status(id, status);
            }
        }
    }

    fn end_tasks_of_ended(&mut self, agent: &str, id: &str, reported: BTreeMap<String, Task>) {
        for (task_id, task) in reported.into_iter().filter(|(_, task)| !task.state().is_terminal()) {
            let of = Remaining::Task(task_id);
            let known = self.state.agents.get(agent);
            if known.is_some_and(|agent| agent.remains.iter().any(|one| one.framework == id && one.of == of)) {
                continue;
            }
            let (role, used) = in_role(&task.resources, &Role::default());
            let remains = Remains { framework: id.to_owned(), of, role: role.clone(), used: used.clone() };
            if let Some(agent) = self.state.agents.get_mut(agent) {
                agent.remains.push(remains);
            }
            self.adopt(id, agent, role, used);
        }
        let mut said = order(AgentEventType::ShutdownFramework);
        said.shutdown_framework = Some(id.into());
        self.order(agent, said);
    }

    fn adopt(&mut self, framework: &str, agent: &str, role: Role, resources: Resources) {
        if !resources.is_empty() {
            let usage = Usage { framework: FrameworkId::new(framework), role, node: node(agent), resources };
            self.observe(AllocatorChange::Adopted(usage));
        }
    }

    fn pending_kills(&mut self, agent: &str) {
        let Some(known) = self.state.agents.get_mut(agent) else { return };
        for (framework, task) in std::mem::take(&mut known.kills) {
            let mut said = order(AgentEventType::Kill);
            let kill = wire::executor::Kill { task_id: task.as_str().into(), kill_policy: None };
            said.kill = Some(KillTask { framework_id: framework.as_str().into(), kill });
            self.order(agent, said);
        }
    }

    /// What an agent says, once it is registered; whether it is, with this stream.
    pub fn agent_call(&mut self, call: AgentCall, stream: &str) -> bool {
        let id = call.agent_id.as_ref().map(|id| id.value.clone()).unwrap_or_default();
        let Some(agent) = self.state.agents.get_mut(&id).filter(|agent| agent.stream.as_deref() == Some(stream)) else {
            return false;
        };
        agent.missed_pings = 0;
        match call.r#type() {
            AgentCallType::Update => self.agent_says(&id, call.update.unwrap_or_default()),
            AgentCallType::Message => {
                let message = call.message.unwrap_or_default();
                let mut said = event(EventType::Message);
                let (executor_id, data) = (message.executor_id, message.data);
                said.message = Some(Message { agent_id: id.as_str().into(), executor_id, data });
                self.tell(&message.framework_id.value, said);
            }
            AgentCallType::Exited => {
                let exited = call.exited.unwrap_or_default();
                let (framework, executor) = (exited.framework_id.value, exited.executor_id.value);
                self.executor_ended(&id, &framework, &executor, Some(exited.status));
            }
            AgentCallType::Unregister => self.remove_agent(&id, "Agent unregistered"),
            AgentCallType::Pong | AgentCallType::Register => {}
        }
        true
    }

    fn executor_ended(&mut self, agent: &str, framework: &str, executor: &str, status: Option<i32>) {
        self.end_remains(agent, framework, &Remaining::Executor(executor.to_owned()));
        let Some(entry) = self.state.take_executor(framework, agent, executor) else { return };
        self.recover_resources(framework, agent, &entry.role, entry.used);
        let mut said = event(EventType::Failure);
        said.failure = Some(Failure { agent_id: Some(agent.into()), executor_id: Some(executor.into()), status });
        self.tell(framework, said);
    }

    pub(in crate::master) fn record_agent(&mut self, id: &str, standing: AgentStanding) {
        if let Some(info) = self.state.agents.get(id).map(|agent| agent.info.clone()) {
            self.record(info, standing);
        }
    }

    pub(super) fn record(&mut self, agent: AgentInfo, standing: AgentStanding) {
        let known = agent.id.as_ref().and_then(|id| self.state.agents.get(&id.value));
        let (drain, is_deactivated) = known.map_or((None, false), |known| (known.drain.clone(), known.is_deactivated));
        let record = AgentRecord {
            agent,
            standing: standing.into(),
            since: self.time_info(),
            drain,
            deactivated: is_deactivated.then_some(true),
        };
        self.say(Output::Record(RegistryChange::Agent(Box::new(record))));
    }

    pub(super) fn later(&self, by: Duration) -> Timestamp {
        self.now.checked_add(by).unwrap_or(Timestamp::MAX)
    }
}

impl super::Machine {
    /// Whether an agent of this name, at this address, is on the machine.
    pub(in crate::master) fn is_of(&self, hostname: &str, ip: &str) -> bool {
        let fits =
            |named: &Option<String>, is: &str| named.as_deref().is_none_or(|named| named.is_empty() || named == is);
        let says_something = self.id.hostname.is_some() || self.id.ip.is_some();
        says_something && fits(&self.id.hostname, hostname) && fits(&self.id.ip, ip)
    }
}

/// What resources a framework's task or executor has, and in which role.
fn allocated(framework: &Framework, resources: &[wire::Resource]) -> (Role, Resources) {
    in_role(resources, framework.roles.first().unwrap_or(&Role::default()))
}

/// The role that resources say they are allocated to, or this one.
fn in_role(resources: &[wire::Resource], default: &Role) -> (Role, Resources) {
    let said = resources.iter().find_map(|resource| resource.allocation_info.as_ref()?.role.as_deref());
    let role = said.and_then(|role| role.parse().ok()).unwrap_or_else(|| default.clone());
    (role, from_wire(resources).unwrap_or_default())
}
