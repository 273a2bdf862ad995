//! `/state` and `/state-summary`: everything at once.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::clock::Timestamp;
use serde_json::Value;

use super::Leading;
use super::lists::Found;
use crate::master::about::{About, VERSION};
use crate::v0::{self, Fields, TaskCounts};
use crate::wire::operator::Framework;

/// `/state`
pub(super) fn state(leading: Leading<'_>) -> Value {
    let Leading { about, elected, view } = leading;
    let mut fields = head(about, elected);
    let active = view.agents.iter().filter(|agent| agent.active).count();
    fields.put("activated_slaves", active);
    fields.put("deactivated_slaves", view.agents.len() - active);
    fields.put("unreachable_slaves", view.unreachable_agents);
    fields.put("slaves", view.agents.iter().map(v0::agent).collect::<Vec<_>>());
    fields.put("recovered_slaves", view.recovered_agents.iter().map(v0::agent_info).collect::<Vec<_>>());
    let found = Found::of(view);
    let shown = |frameworks: &[Framework]| -> Vec<Value> {
        frameworks.iter().map(|framework| found.framework(framework)).collect()
    };
    fields.put("frameworks", shown(&view.frameworks));
    fields.put("completed_frameworks", shown(&view.completed_frameworks));
    fields.put("orphan_tasks", Vec::<Value>::new());
    fields.put("unregistered_frameworks", Vec::<Value>::new());
    fields.into()
}

/// `/state-summary`
pub(super) fn state_summary(leading: Leading<'_>) -> Value {
    let Leading { about, view, .. } = leading;
    let mut fields = Fields::default();
    fields.put("hostname", about.info.hostname.clone().unwrap_or_default());
    fields.put_some("cluster", about.flags.cluster.clone());
    let (mut of_agents, mut of_frameworks) = (Places::default(), Places::default());
    let running: BTreeSet<&str> = view.frameworks.iter().filter_map(id_of).collect();
    for task in view.tasks.iter().chain(&view.unreachable_tasks).chain(&view.completed_tasks) {
        let (agent, framework) = (task.agent_id.value.as_str(), task.framework_id.value.as_str());
        if running.contains(framework) {
            of_agents.add(agent, framework, task);
            of_frameworks.add(framework, agent, task);
        }
    }
    let agents = view.agents.iter().map(|agent| {
        let mut shown = v0::agent(agent);
        let id = agent.agent_info.id.as_ref().map_or("", |id| &id.value);
        of_agents.show(id, "framework_ids", &mut shown);
        shown
    });
    fields.put("slaves", agents.collect::<Vec<_>>());
    let frameworks = view.frameworks.iter().map(|framework| {
        let mut shown = v0::framework_summary(framework).into();
        of_frameworks.show(id_of(framework).unwrap_or_default(), "slave_ids", &mut shown);
        shown
    });
    fields.put("frameworks", frameworks.collect::<Vec<Value>>());
    fields.into()
}

fn head(about: &About, elected: Timestamp) -> Fields {
    let (info, flags) = (&about.info, &about.flags);
    let mut fields = Fields::default();
    fields.put("version", VERSION);
    fields.put("start_time", about.started.as_duration().as_secs_f64());
    fields.put("elected_time", elected.as_duration().as_secs_f64());
    fields.put("id", info.id.clone());
    fields.put("pid", info.pid.clone().unwrap_or_default());
    fields.put("hostname", info.hostname.clone().unwrap_or_default());
    let capability = |capability: &crate::wire::MasterCapability| capability.r#type().text();
    fields.put("capabilities", info.capabilities.iter().map(capability).collect::<Vec<_>>());
    fields.put_some("domain", info.domain.as_ref().map(v0::message));
    fields.put("leader", info.pid.clone().unwrap_or_default());
    fields.put("leader_info", v0::master_info(info));
    fields.put_some("cluster", flags.cluster.clone());
    fields.put_some("log_dir", flags.log_dir.as_ref().map(|path| path.display().to_string()));
    let shown = about.shown_flags.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())));
    fields.put("flags", Value::Object(shown.collect()));
    fields
}

fn id_of(framework: &Framework) -> Option<&str> {
    framework.framework_info.id.as_ref().map(|id| id.value.as_str())
}

/// Of each agent, how its tasks are and of which frameworks they are; or the other way round.
#[derive(Default)]
struct Places<'a>(BTreeMap<&'a str, (TaskCounts, BTreeSet<&'a str>)>);

impl<'a> Places<'a> {
    fn add(&mut self, here: &'a str, of: &'a str, task: &crate::wire::Task) {
        let (counts, all) = self.0.entry(here).or_default();
        counts.count(task);
        all.insert(of);
    }

    fn show(&self, here: &str, name: &str, shown: &mut Value) {
        let nothing = Default::default();
        let (counts, all) = self.0.get(here).unwrap_or(&nothing);
        let mut fields = Fields::default();
        counts.show(&mut fields);
        fields.put(name, all.iter().copied().collect::<Vec<_>>());
        if let (Some(shown), Value::Object(more)) = (shown.as_object_mut(), fields.into()) {
            shown.extend(more);
        }
    }
}
