//! What is measured of a master, by the names that Mesos has for it.

use std::collections::BTreeMap;

use orch_core::allocator::{Resources, Role};
use orch_core::clock::{Clock as _, SystemClock};

use super::about::About;
use super::core::{Master, Notice, State};
use crate::wire::TaskState;

/// The states of tasks that have not ended, and what the counts are called.
const TASKS: [(TaskState, &str); 5] = [
    (TaskState::Staging, "staging"),
    (TaskState::Starting, "starting"),
    (TaskState::Running, "running"),
    (TaskState::Killing, "killing"),
    (TaskState::Unreachable, "unreachable"),
];

/// The states in which tasks end, which are counted as they end.
const ENDS: [&str; 8] = ["finished", "failed", "killed", "error", "lost", "dropped", "gone", "gone_by_operator"];

/// What is measured of every master, whether it leads or not.
#[must_use]
pub fn of_every_master(about: &About, leads: bool) -> Vec<(String, f64)> {
    let up = SystemClock.now().duration_since(about.started).as_secs_f64().max(0.0);
    let mut all =
        vec![("master/elected".to_owned(), f64::from(u8::from(leads))), ("master/uptime_secs".to_owned(), up)];
    all.extend(of_the_machine());
    all
}

/// What has happened since a master leads.
#[derive(Clone, Debug, Default)]
pub struct Happened(BTreeMap<String, u64>);

impl Happened {
    /// Counts something.
    pub fn count(&mut self, notice: &Notice) {
        match notice {
            Notice::AgentAdded(_) => self.add("slave_registrations"),
            Notice::AgentRemoved(_) => self.add("slave_removals"),
            Notice::FrameworkAdded(_) => self.add("framework_registrations"),
            Notice::FrameworkRemoved(_) => self.add("framework_removals"),
            Notice::TaskAdded(_) => self.add("tasks_launched"),
            Notice::TaskUpdated { status, .. } if status.state().is_terminal() => {
                // TASK_FAILED is counted as tasks_failed, and by who says so and why.
                let name = status.state().text().trim_start_matches("TASK_").to_ascii_lowercase();
                self.add(&format!("tasks_{name}"));
                let source = status.source().text().to_ascii_lowercase();
                let reason = status.reason.map(|_| format!("/{}", status.reason().text().to_ascii_lowercase()));
                self.add(&format!("task_{name}/{source}{}", reason.unwrap_or_default()));
            }
            Notice::TaskUpdated { .. } | Notice::FrameworkUpdated(_) => {}
        }
    }

    /// The counts, by name.
    pub fn shown(&self) -> impl Iterator<Item = (String, f64)> {
        // No count comes near to 2^53.
        self.0.iter().map(|(name, count)| (format!("master/{name}"), *count as f64))
    }

    fn add(&mut self, name: &str) {
        *self.0.entry(name.to_owned()).or_default() += 1;
    }
}

/// What is measured of the cluster that a master leads.
#[must_use]
pub fn of_the_cluster(master: &Master, happened: &Happened) -> Vec<(String, f64)> {
    let state = master.state();
    let mut all = Vec::new();
    let mut put = |name: &str, count: usize| all.push((format!("master/{name}"), number(count)));
    let agents = || state.agents.values();
    let connected = agents().filter(|agent| agent.stream.is_some()).count();
    let active = agents().filter(|agent| agent.is_active()).count();
    put("slaves_connected", connected);
    put("slaves_disconnected", state.agents.len() - connected);
    put("slaves_active", active);
    put("slaves_inactive", state.agents.len() - active);
    put("slaves_unreachable", state.unreachable.len());
    let frameworks = || state.frameworks.values();
    let connected = frameworks().filter(|framework| framework.is_connected()).count();
    for (name, count) in [("connected", connected), ("active", connected)] {
        put(&format!("frameworks_{name}"), count);
    }
    for name in ["disconnected", "inactive"] {
        put(&format!("frameworks_{name}"), state.frameworks.len() - connected);
    }
    put("outstanding_offers", state.offers.len());
    tasks(state, &mut all);
    // What has never happened is shown, too.
    let mut counts: BTreeMap<String, f64> = ENDS.iter().map(|name| (format!("master/tasks_{name}"), 0.0)).collect();
    counts.extend(["slave_registrations", "slave_removals"].map(|name| (format!("master/{name}"), 0.0)));
    counts.extend(happened.shown());
    all.extend(counts);
    resources(state, &mut all);
    allocator(master, &mut all);
    all
}

fn tasks(state: &State, all: &mut Vec<(String, f64)>) {
    let live = state.frameworks.values().flat_map(|framework| framework.tasks.values().map(|entry| &entry.task));
    let unreachable = state.frameworks.values().flat_map(|framework| framework.unreachable_tasks.values());
    let mut counts: BTreeMap<TaskState, usize> = BTreeMap::new();
    for task in live.chain(unreachable) {
        *counts.entry(task.state()).or_default() += 1;
    }
    for (kind, name) in TASKS {
        all.push((format!("master/tasks_{name}"), number(counts.get(&kind).copied().unwrap_or(0))));
    }
}

fn resources(state: &State, all: &mut Vec<(String, f64)>) {
    let agents = state.agents.values().filter(|agent| agent.stream.is_some());
    let total = agents.fold(Resources::new(), |sum, agent| sum.plus(&agent.total));
    let used = state.frameworks.values().fold(Resources::new(), |sum, framework| sum.plus(&framework.used()));
    for name in ["cpus", "mem", "disk", "gpus"] {
        let (total, used) = (total.scalar(name).as_f64(), used.scalar(name).as_f64());
        let percent = if total > 0.0 { used / total } else { 0.0 };
        for (kind, value) in [("total", total), ("used", used), ("percent", percent)] {
            all.push((format!("master/{name}_{kind}"), value));
        }
    }
}

fn allocator(master: &Master, all: &mut Vec<(String, f64)>) {
    let counts = master.allocator().counts();
    for (name, count) in [
        ("offered", counts.offered),
        ("accepted", counts.accepted),
        ("declined", counts.declined),
        ("rescinded", counts.rescinded),
        ("conflicts", counts.conflicts),
    ] {
        // More than 2^53 offers are never made.
        all.push((format!("allocator/mesos/offers/{name}"), count as f64));
    }
    let mut shares: BTreeMap<Role, f64> = BTreeMap::new();
    for standing in master.allocator().standings() {
        *shares.entry(standing.role).or_default() += standing.share;
    }
    let shares = shares.into_iter();
    all.extend(shares.map(|(role, share)| (format!("allocator/mesos/roles/{role}/shares/dominant"), share)));
    for (role, quota) in &master.state().quotas {
        for (kind, amounts) in [("guarantee", &quota.guarantees), ("limit", &quota.limits)] {
            let name = |resource: &str| format!("allocator/mesos/quota/roles/{role}/resources/{resource}/{kind}");
            all.extend(amounts.iter().map(|(resource, amount)| (name(resource), amount.as_f64())));
        }
    }
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

/// Load, processors and memory.
fn of_the_machine() -> Vec<(String, f64)> {
    let mut all = Vec::new();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    for (name, value) in ["1min", "5min", "15min"].into_iter().zip(load.split(' ')) {
        all.extend(value.parse().ok().map(|value| (format!("system/load_{name}"), value)));
    }
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    all.push(("system/cpus_total".to_owned(), u32::try_from(processors).map_or(f64::MAX, f64::from)));
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    for (name, shown) in [("MemTotal:", "mem_total_bytes"), ("MemFree:", "mem_free_bytes")] {
        let line = memory.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        all.extend(kilobytes.map(|kilobytes| (format!("system/{shown}"), kilobytes * 1024.0)));
    }
    all
}
