//! [`Core`]: decides what an agent does. It reads no clock, no disk and no network: it is told what happened and when, and
//! says what is to be done.

mod executors;
mod master;
mod output;
mod state;
mod tasks;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use orch_core::clock::Timestamp;

pub use executors::CallRefused;
pub use output::Output;
pub use state::{Executor, Key, Phase, Settings, TaskLife};

use super::record::{AgentRecord, ExecutorRecord};
use crate::wire::{AgentCall, AgentCallType, AgentInfo, FrameworkInfo, Register, Resource};

/// The version of Mesos whose API this is.
pub const VERSION: &str = "1.11.0";

/// Decides what an agent does.
#[derive(Debug)]
pub struct Core {
    settings: Settings,
    info: AgentInfo,
    /// All that it has, with what was reserved and created since it came.
    resources: Vec<Resource>,
    frameworks: BTreeMap<String, FrameworkInfo>,
    executors: BTreeMap<Key, Executor>,
    now: Timestamp,
    is_registered: bool,
    is_ending: bool,
    output: Vec<Output>,
}

impl Core {
    /// An agent that has these resources, and that knows what was written down.
    #[must_use]
    pub fn new(settings: Settings, record: AgentRecord, executors: Vec<ExecutorRecord>, now: Timestamp) -> Self {
        let AgentRecord { agent: info, resources } = record;
        let mut core = Self {
            settings,
            info,
            resources,
            frameworks: BTreeMap::new(),
            executors: BTreeMap::new(),
            now,
            is_registered: false,
            is_ending: false,
            output: Vec::new(),
        };
        for record in executors {
            core.recover(record);
        }
        core
    }

    /// What is to be done since this was last asked.
    #[must_use]
    pub fn take_output(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.output)
    }

    /// It is so late now. All that is told next happens at this time.
    pub fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// Does what is due.
    pub fn tick(&mut self) {
        self.look_after_executors();
        self.repeat_updates();
    }

    /// Who it is.
    #[must_use]
    pub fn info(&self) -> &AgentInfo {
        &self.info
    }

    /// All that it has.
    #[must_use]
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// The frameworks that run something here.
    #[must_use]
    pub fn frameworks(&self) -> &BTreeMap<String, FrameworkInfo> {
        &self.frameworks
    }

    /// The executors here.
    #[must_use]
    pub fn executors(&self) -> &BTreeMap<Key, Executor> {
        &self.executors
    }

    /// Whether a master knows it.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.is_registered
    }

    /// What it registers with: all that it has and runs.
    #[must_use]
    pub fn register(&self) -> AgentCall {
        let executors = self.executors.values().filter(|executor| executor.is_told() && executor.is_alive());
        let tasks = self.executors.values().flat_map(|executor| executor.tasks.values());
        let register = Register {
            agent: self.info.clone(),
            version: VERSION.to_owned(),
            resources: self.resources.clone(),
            frameworks: self.frameworks.values().cloned().collect(),
            executors: executors.map(|executor| executor.info.clone()).collect(),
            tasks: tasks.map(TaskLife::told).collect(),
            ip: self.settings.ip.filter(|ip| !ip.is_unspecified()).map(|ip| ip.to_string()),
        };
        let mut call = self.call(AgentCallType::Register);
        call.register = Some(register);
        call
    }

    /// A call of this kind.
    fn call(&self, kind: AgentCallType) -> AgentCall {
        AgentCall { r#type: kind.into(), agent_id: self.info.id.clone(), ..AgentCall::default() }
    }

    fn tell_master(&mut self, call: AgentCall) {
        if self.is_registered {
            self.output.push(Output::ToMaster(Box::new(call)));
        }
    }

    /// Has an executor written down as it is now.
    fn save(&mut self, key: &Key) {
        let Some(executor) = self.executors.get(key) else { return };
        let Some(framework) = self.frameworks.get(&key.framework) else { return };
        // What does not checkpoint is not to be there again.
        if framework.checkpoint() {
            self.output.push(Output::Save(Box::new(executor.record(framework))));
        }
    }

    fn save_agent(&mut self) {
        let record = AgentRecord { agent: self.info.clone(), resources: self.resources.clone() };
        self.output.push(Output::SaveAgent(Box::new(record)));
    }

    /// Forgets frameworks of which nothing is here.
    fn forget_frameworks(&mut self) {
        let executors = &self.executors;
        self.frameworks.retain(|id, _| executors.keys().any(|key| key.framework == *id));
    }
}
