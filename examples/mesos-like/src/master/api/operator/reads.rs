//! Calls that ask to be told something.

use orch_core::clock::Timestamp;

use crate::master::about::About;
use crate::master::api::roles;
use crate::master::view::{Parts, View};
use crate::wire::operator::*;
use crate::wire::{Resource, ValueType, WeightInfo};

/// What a master knows of itself.
pub(super) fn of_itself(call: CallType, about: &About, elected: Timestamp) -> Option<Response> {
    let mut response = Response::default();
    let is = match call {
        CallType::GetHealth => {
            response.get_health = Some(GetHealth { healthy: true });
            ResponseType::GetHealth
        }
        CallType::GetVersion => {
            response.get_version = Some(GetVersion { version_info: About::version() });
            ResponseType::GetVersion
        }
        CallType::GetFlags => {
            let flag = |(name, value): (&&str, &String)| Flag { name: (*name).to_owned(), value: Some(value.clone()) };
            response.get_flags = Some(GetFlags { flags: about.shown_flags.iter().map(flag).collect() });
            ResponseType::GetFlags
        }
        CallType::GetLoggingLevel => {
            response.get_logging_level = Some(GetLoggingLevel { level: 0 });
            ResponseType::GetLoggingLevel
        }
        CallType::GetMaster => {
            response.get_master = Some(GetMaster {
                master_info: Some(about.info.clone()),
                start_time: Some(about.started.as_duration().as_secs_f64()),
                elected_time: Some(elected.as_duration().as_secs_f64()),
            });
            ResponseType::GetMaster
        }
        _ => return None,
    };
    response.r#type = Some(is.into());
    Some(response)
}

/// What is measured.
pub(super) fn metrics(all: impl Iterator<Item = (String, f64)>) -> Response {
    let metrics = all.map(|(name, value)| Metric { name, value: Some(value) }).collect();
    let get_metrics = Some(GetMetrics { metrics });
    Response { r#type: Some(ResponseType::GetMetrics.into()), get_metrics, ..Response::default() }
}

/// What is looked at for a call, if it asks for something that is in a view.
pub(super) fn parts(call: CallType) -> Option<Parts> {
    Some(match call {
        CallType::GetState => Parts::ALL,
        CallType::GetAgents => Parts::AGENTS,
        CallType::GetFrameworks | CallType::GetExecutors => Parts { tasks: false, ..Parts::FRAMEWORKS },
        CallType::GetTasks => Parts::TASKS,
        CallType::GetRoles => Parts::ROLES,
        CallType::GetOperations
        | CallType::GetWeights
        | CallType::GetQuota
        | CallType::GetMaintenanceStatus
        | CallType::GetMaintenanceSchedule => Parts::NONE,
        _ => return None,
    })
}

/// What a master knows of others.
pub(super) fn of_view(call: CallType, view: View) -> Option<Response> {
    let mut response = Response::default();
    let is = match call {
        CallType::GetState => {
            response.get_state = Some(view.into_state());
            ResponseType::GetState
        }
        CallType::GetAgents => {
            response.get_agents = view.into_state().get_agents;
            ResponseType::GetAgents
        }
        CallType::GetFrameworks => {
            response.get_frameworks = view.into_state().get_frameworks;
            ResponseType::GetFrameworks
        }
        CallType::GetExecutors => {
            response.get_executors = view.into_state().get_executors;
            ResponseType::GetExecutors
        }
        CallType::GetTasks => {
            response.get_tasks = view.into_state().get_tasks;
            ResponseType::GetTasks
        }
        CallType::GetOperations => {
            response.get_operations = Some(GetOperations::default());
            ResponseType::GetOperations
        }
        CallType::GetRoles => {
            response.get_roles = Some(GetRoles { roles: roles::roles(&view).iter().map(role).collect() });
            ResponseType::GetRoles
        }
        CallType::GetWeights => {
            let weight = |(role, weight): (String, f64)| WeightInfo { role: Some(role), weight };
            response.get_weights = Some(GetWeights { weight_infos: view.weights.into_iter().map(weight).collect() });
            ResponseType::GetWeights
        }
        CallType::GetQuota => {
            response.get_quota = Some(GetQuota { status: quotas(view) });
            ResponseType::GetQuota
        }
        CallType::GetMaintenanceStatus => {
            response.get_maintenance_status = Some(GetMaintenanceStatus { status: view.maintenance });
            ResponseType::GetMaintenanceStatus
        }
        CallType::GetMaintenanceSchedule => {
            response.get_maintenance_schedule = Some(GetMaintenanceSchedule { schedule: view.schedule });
            ResponseType::GetMaintenanceSchedule
        }
        _ => return None,
    };
    response.r#type = Some(is.into());
    Some(response)
}

fn role(shown: &roles::RoleShown<'_>) -> Role {
    let mut sum = shown.allocated.clone();
    for (name, amount) in &shown.offered {
        sum.entry(name.clone()).or_default().value += amount.value;
    }
    Role {
        name: shown.name.clone(),
        weight: shown.weight,
        frameworks: shown.frameworks.iter().map(|id| (*id).into()).collect(),
        resources: scalars(&sum),
    }
}

fn quotas(view: View) -> QuotaStatus {
    let configs: Vec<_> = view.quotas.into_values().collect();
    let info = |config: &crate::wire::QuotaConfig| QuotaInfo {
        role: Some(config.role.clone()),
        principal: None,
        guarantee: scalars(&config.guarantees),
    };
    QuotaStatus { infos: configs.iter().map(info).collect(), configs }
}

fn scalars(amounts: &roles::Amounts) -> Vec<Resource> {
    let resource = |(name, amount): (&String, &crate::wire::Scalar)| Resource {
        name: name.clone(),
        r#type: ValueType::Scalar.into(),
        scalar: Some(amount.clone()),
        ..Resource::default()
    };
    amounts.iter().map(resource).collect()
}
