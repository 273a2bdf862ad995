//! Frameworks, and masters.

use serde_json::{Value, json};

use super::{Fields, labels, message, resources, seconds};
use crate::wire::operator::Framework;
use crate::wire::{Capability, CapabilityType, MasterInfo, Offer};

/// A framework, with what was found of its tasks and executors: each is shown under its own name.
#[must_use]
pub fn framework(framework: &Framework, found: Vec<(&str, Vec<Value>)>) -> Value {
    let info = &framework.framework_info;
    let mut fields = framework_summary(framework);
    fields.put("user", info.user.clone());
    fields.put("failover_timeout", info.failover_timeout());
    fields.put("checkpoint", info.checkpoint());
    fields.put("registered_time", framework.registered_time.as_ref().map_or(0.0, seconds));
    fields.put("unregistered_time", framework.unregistered_time.as_ref().map_or(0.0, seconds));
    fields.put_some("principal", info.principal.clone());
    let both = framework.allocated_resources.iter().chain(&framework.offered_resources);
    fields.put("resources", resources(both));
    fields.put_some("reregistered_time", framework.reregistered_time.as_ref().map(seconds));
    if info.can(CapabilityType::MultiRole) {
        fields.put("roles", info.roles.clone());
    } else {
        fields.put("role", info.role.clone().unwrap_or_else(|| "*".to_owned()));
    }
    fields.put("offers", framework.offers.iter().map(offer).collect::<Vec<_>>());
    fields.put_some("labels", info.labels.as_ref().map(labels));
    for (name, all) in found {
        fields.put(name, all);
    }
    fields.into()
}

/// What a summary shows of a framework.
#[must_use]
pub fn framework_summary(framework: &Framework) -> Fields {
    let info = &framework.framework_info;
    let mut fields = Fields::default();
    fields.put("id", info.id.as_ref().map_or_else(String::new, |id| id.value.clone()));
    fields.put("name", info.name.clone());
    fields.put("used_resources", resources(&framework.allocated_resources));
    fields.put("offered_resources", resources(&framework.offered_resources));
    let capability = |capability: &Capability| capability.r#type().text();
    fields.put("capabilities", info.capabilities.iter().map(capability).collect::<Vec<_>>());
    fields.put("hostname", info.hostname.clone().unwrap_or_default());
    fields.put("webui_url", info.webui_url.clone().unwrap_or_default());
    fields.put("active", framework.active);
    fields.put("connected", framework.connected);
    fields.put("recovered", framework.recovered);
    fields
}

/// A master.
#[must_use]
pub fn master_info(master: &MasterInfo) -> Value {
    let mut fields = Fields::default();
    fields.put("id", master.id.clone());
    fields.put("pid", master.pid.clone().unwrap_or_default());
    fields.put("port", master.port);
    fields.put("hostname", master.hostname.clone().unwrap_or_default());
    fields.put_some("domain", master.domain.as_ref().map(message));
    fields.into()
}

fn offer(offer: &Offer) -> Value {
    json!({
        "id": offer.id.value,
        "framework_id": offer.framework_id.value,
        "allocation_info": offer.allocation_info.as_ref().map_or_else(|| json!({}), message),
        "slave_id": offer.agent_id.value,
        "resources": resources(&offer.resources),
    })
}
