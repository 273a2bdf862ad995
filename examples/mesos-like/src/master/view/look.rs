//! A look at a master: the view of all that it knows.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::allocator::{Resources, Role};
use orch_core::clock::Timestamp;

use super::{Parts, View};
use crate::master::core::{Agent, ExecutorEntry, Framework, Machine, Master, State, quota_said};
use crate::resources::{Form, to_wire};
use crate::wire::operator::{self, AgentCapability, AgentCapabilityType, ClusterStatus, DrainingMachine, Executor};
use crate::wire::{FrameworkInfo, Resource, Schedule, TimeInfo, Window};

/// What is used or offered, by role.
type ByRole = BTreeMap<Role, Resources>;

impl View {
    /// What a master knows now, in these parts.
    #[must_use]
    pub fn of(master: &Master, parts: Parts) -> Self {
        let state = master.state();
        let sums = if parts.agents || parts.frameworks { Sums::of(state) } else { Sums::default() };
        let agents = state.agents.values().filter(|_| parts.agents);
        let recovered = state.recovered.values().filter(|_| parts.agents);
        let frameworks = state.frameworks.values().filter(|_| parts.frameworks);
        let completed = state.completed.iter().filter(|_| parts.frameworks);
        let executors = frameworks.clone().flat_map(|framework| &framework.executors);
        let executor = |((agent, _), entry): (&(String, String), &ExecutorEntry)| Executor {
            executor_info: entry.info.clone(),
            agent_id: agent.as_str().into(),
        };
        let with_tasks = state.frameworks.values().filter(|_| parts.tasks);
        let ended = with_tasks.clone().chain(state.completed.iter().filter(|_| parts.tasks));
        Self {
            agents: agents.map(|one| agent(one, &sums)).collect(),
            recovered_agents: recovered.cloned().collect(),
            unreachable_agents: state.unreachable.len(),
            frameworks: frameworks.clone().map(|one| framework(master, one, &sums)).collect(),
            completed_frameworks: completed.map(|one| framework(master, one, &sums)).collect(),
            tasks: with_tasks.clone().flat_map(|one| one.tasks.values()).map(|entry| entry.task.clone()).collect(),
            unreachable_tasks: with_tasks.flat_map(|one| one.unreachable_tasks.values().cloned()).collect(),
            completed_tasks: ended.flat_map(|one| one.completed_tasks.iter().cloned()).collect(),
            executors: executors.map(executor).collect(),
            weights: state.weights.iter().map(|(role, weight)| (role.to_string(), *weight)).collect(),
            quotas: state.quotas.iter().map(|(role, quota)| (role.to_string(), quota_said(role, quota))).collect(),
            schedule: schedule(state),
            maintenance: maintenance(state),
        }
    }
}

/// How an agent is shown.
#[must_use]
pub fn agent_of(master: &Master, id: &str) -> Option<operator::Agent> {
    let state = master.state();
    let found = state.agents.get(id)?;
    Some(agent(found, &Sums::on(state, Some(id), None)))
}

/// How a framework is shown.
#[must_use]
pub fn framework_of(master: &Master, id: &str) -> Option<operator::Framework> {
    let found = master.state().frameworks.get(id)?;
    Some(framework(master, found, &Sums::on(master.state(), None, Some(id))))
}

/// What is used and offered, on each agent and by each framework.
#[derive(Default)]
struct Sums<'a> {
    used_on: BTreeMap<&'a str, ByRole>,
    used_by: BTreeMap<&'a str, ByRole>,
    offered_on: BTreeMap<&'a str, ByRole>,
    offered_by: BTreeMap<&'a str, ByRole>,
    offers: BTreeMap<&'a str, Vec<orch_core::allocator::OfferId>>,
}

impl<'a> Sums<'a> {
    fn of(state: &'a State) -> Self {
        Self::on(state, None, None)
    }

    /// Those of one agent, or of one framework, if it is named.
    fn on(state: &'a State, agent: Option<&str>, framework: Option<&str>) -> Self {
        let mut sums = Self::default();
        let fits = |on: &str| agent.is_none_or(|agent| agent == on);
        for (id, one) in state.frameworks.iter().filter(|(id, _)| framework.is_none_or(|framework| framework == *id)) {
            let tasks = one.tasks.values().map(|entry| (entry.task.agent_id.value.as_str(), &entry.role, &entry.used));
            let executors = one.executors.iter().map(|((on, _), entry)| (on.as_str(), &entry.role, &entry.used));
            for (on, role, used) in tasks.chain(executors).filter(|(on, ..)| fits(on)) {
                add(&mut sums.used_on, on, role, used);
                add(&mut sums.used_by, id, role, used);
            }
        }
        for (on, one) in state.agents.iter().filter(|(on, _)| fits(on)) {
            for remains in &one.remains {
                add(&mut sums.used_on, on, &remains.role, &remains.used);
            }
        }
        for (id, offer) in &state.offers {
            if fits(&offer.agent) && framework.is_none_or(|framework| framework == offer.framework) {
                add(&mut sums.offered_on, &offer.agent, &offer.role, &offer.resources);
                add(&mut sums.offered_by, &offer.framework, &offer.role, &offer.resources);
                sums.offers.entry(&offer.framework).or_default().push(*id);
            }
        }
        sums
    }
}

fn add<'a>(sums: &mut BTreeMap<&'a str, ByRole>, of: &'a str, role: &Role, resources: &Resources) {
    if resources.is_empty() {
        return;
    }
    let sum = sums.entry(of).or_default().entry(role.clone()).or_default();
    for resource in resources.iter() {
        sum.add(resource.clone());
    }
}

fn shown(sums: &BTreeMap<&str, ByRole>, of: &str) -> Vec<Resource> {
    let by_role = sums.get(of).into_iter().flatten();
    by_role.flat_map(|(role, resources)| to_wire(resources, &form(Some(role.clone())))).collect()
}

fn form(allocated_to: Option<Role>) -> Form {
    Form { allocated_to, stacked: true }
}

fn agent(agent: &Agent, sums: &Sums<'_>) -> operator::Agent {
    let capability = |capability: AgentCapabilityType| AgentCapability { r#type: Some(capability.into()) };
    let capabilities = [
        AgentCapabilityType::MultiRole,
        AgentCapabilityType::HierarchicalRole,
        AgentCapabilityType::ReservationRefinement,
        AgentCapabilityType::ResizeVolume,
        AgentCapabilityType::AgentDraining,
    ];
    operator::Agent {
        agent_info: agent.info.clone(),
        active: agent.stream.is_some() && !agent.is_deactivated,
        deactivated: Some(agent.is_deactivated),
        version: agent.version.clone(),
        pid: Some(format!("slave(1)@{}:{}", agent.ip, agent.info.port())),
        registered_time: Some(time(agent.registered)),
        reregistered_time: agent.reregistered.map(time),
        total_resources: to_wire(&agent.total, &form(None)),
        allocated_resources: shown(&sums.used_on, agent.id()),
        offered_resources: shown(&sums.offered_on, agent.id()),
        capabilities: capabilities.map(capability).into(),
        drain_info: agent.drain.clone(),
        estimated_drain_start_time: None,
    }
}

fn framework(master: &Master, framework: &Framework, sums: &Sums<'_>) -> operator::Framework {
    let id = id_of(&framework.info);
    let numbers = sums.offers.get(id).into_iter().flatten();
    let offers = numbers.filter_map(|number| master.offer(*number, master.state().offers.get(number)?));
    let inverse = master.state().inverse_offers.values().filter(|offer| offer.framework_id.value == id);
    let is_recovered = framework.registered.is_none();
    operator::Framework {
        framework_info: framework.info.clone(),
        active: framework.is_connected(),
        connected: framework.is_connected(),
        recovered: is_recovered,
        registered_time: framework.registered.map(time),
        reregistered_time: framework.reregistered.map(time),
        unregistered_time: framework.unregistered.map(time),
        offers: offers.collect(),
        inverse_offers: inverse.cloned().collect(),
        allocated_resources: shown(&sums.used_by, id),
        offered_resources: shown(&sums.offered_by, id),
    }
}

fn id_of(info: &FrameworkInfo) -> &str {
    info.id.as_ref().map_or("", |id| &id.value)
}

fn time(time: Timestamp) -> TimeInfo {
    TimeInfo { nanoseconds: i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX) }
}

fn schedule(state: &State) -> Schedule {
    let numbers: BTreeSet<u32> = state.machines.iter().map(|machine| machine.window).collect();
    let window = |number: u32| {
        let machines = || state.machines.iter().filter(|machine| machine.window == number);
        Window {
            machine_ids: machines().map(|machine| machine.id.clone()).collect(),
            unavailability: machines().next().map(|machine| machine.unavailability.clone()).unwrap_or_default(),
        }
    };
    Schedule { windows: numbers.into_iter().map(window).collect() }
}

fn maintenance(state: &State) -> ClusterStatus {
    let (down, draining): (Vec<_>, Vec<_>) = state.machines.iter().partition(|machine| machine.is_down);
    let answers = |machine: &Machine| {
        let is_on = |agent: &String| {
            state.agents.get(agent).is_some_and(|agent| machine.is_of(&agent.info.hostname, &agent.ip))
        };
        let all = state.inverse_answers.iter().filter(|((agent, _), _)| is_on(agent));
        all.map(|(_, status)| status.clone()).collect()
    };
    ClusterStatus {
        draining_machines: draining
            .into_iter()
            .map(|machine| DrainingMachine { id: machine.id.clone(), statuses: answers(machine) })
            .collect(),
        down_machines: down.into_iter().map(|machine| machine.id.clone()).collect(),
    }
}
