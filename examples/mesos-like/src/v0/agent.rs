//! Agents.

use std::collections::BTreeMap;

use serde_json::Value;

use super::resources::reserved_for;
use super::{Fields, attributes, message, resources, seconds};
use crate::wire::operator::Agent;
use crate::wire::{AgentInfo, ReservationInfo, ReservationType, Resource};

/// What an agent says of itself.
#[must_use]
pub fn agent_info(agent: &AgentInfo) -> Value {
    info(agent).into()
}

/// An agent.
#[must_use]
pub fn agent(agent: &Agent) -> Value {
    fields(agent).into()
}

/// An agent, with each of its resources by itself: so they can be named to give them back.
#[must_use]
pub fn agent_with_all_resources(agent: &Agent) -> Value {
    let mut shown = fields(agent);
    let all = |resources: &mut dyn Iterator<Item = &Resource>| Value::Array(resources.map(in_both_forms).collect());
    let mut by_role: BTreeMap<&str, Vec<&Resource>> = BTreeMap::new();
    for resource in &agent.total_resources {
        if let Some(role) = reserved_for(resource) {
            by_role.entry(role).or_default().push(resource);
        }
    }
    let by_role = by_role.into_iter().map(|(role, kept)| (role.to_owned(), all(&mut kept.into_iter())));
    shown.put("reserved_resources_full", Value::Object(by_role.collect()));
    let free = |resource: &&Resource| reserved_for(resource).is_none();
    shown.put("unreserved_resources_full", all(&mut agent.total_resources.iter().filter(free)));
    shown.put("used_resources_full", all(&mut agent.allocated_resources.iter()));
    shown.put("offered_resources_full", all(&mut agent.offered_resources.iter()));
    shown.into()
}

/// A resource as those see it who know reservations as a stack, and those who know one role and what else there is of it.
fn in_both_forms(resource: &Resource) -> Value {
    let mut both = resource.clone();
    both.role = Some(reserved_for(resource).unwrap_or("*").to_owned());
    let dynamic = resource.reservations.last().filter(|last| last.r#type() == ReservationType::Dynamic);
    both.reservation = dynamic.map(|last| ReservationInfo { r#type: None, role: None, ..last.clone() });
    message(&both)
}

fn info(agent: &AgentInfo) -> Fields {
    let mut fields = Fields::default();
    fields.put("id", agent.id.as_ref().map_or_else(String::new, |id| id.value.clone()));
    fields.put("hostname", agent.hostname.clone());
    fields.put("port", agent.port());
    fields.put("attributes", attributes(&agent.attributes));
    fields.put_some("domain", agent.domain.as_ref().map(message));
    fields
}

fn fields(agent: &Agent) -> Fields {
    let mut fields = info(&agent.agent_info);
    fields.put("pid", agent.pid.clone().unwrap_or_default());
    fields.put_some("registered_time", agent.registered_time.as_ref().map(seconds));
    fields.put_some("reregistered_time", agent.reregistered_time.as_ref().map(seconds));
    let total = &agent.total_resources;
    fields.put("resources", resources(total));
    fields.put("used_resources", resources(&agent.allocated_resources));
    fields.put("offered_resources", resources(&agent.offered_resources));
    let mut roles: Vec<&str> = total.iter().filter_map(reserved_for).collect();
    roles.sort_unstable();
    roles.dedup();
    let kept = |role: &str| resources(total.iter().filter(|resource| reserved_for(resource) == Some(role)));
    let reserved = roles.into_iter().map(|role| (role.to_owned(), kept(role)));
    fields.put("reserved_resources", Value::Object(reserved.collect()));
    fields.put("unreserved_resources", resources(total.iter().filter(|resource| reserved_for(resource).is_none())));
    fields.put("active", agent.active);
    fields.put("deactivated", agent.deactivated.unwrap_or(false));
    fields.put("version", agent.version.clone());
    let capability = |capability: &crate::wire::operator::AgentCapability| capability.r#type().text();
    fields.put("capabilities", agent.capabilities.iter().map(capability).collect::<Vec<_>>());
    fields.put_some("drain_info", agent.drain_info.as_ref().map(message));
    let drained_since = agent.estimated_drain_start_time.as_ref();
    fields.put_some("estimated_drain_start_time_seconds", drained_since.map(seconds));
    fields
}
