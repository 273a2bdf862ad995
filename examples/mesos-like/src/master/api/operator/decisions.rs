//! Calls that ask for something to be done.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;

use super::{Decision, invalid};
use crate::http::Refusal;
use crate::wire::operator::{Call, CallType, DrainAgent, OneAgent, QuotaRequest};
use crate::wire::scheduler::{GrowVolume, Operation, OperationType, Reserve, ShrinkVolume, Unreserve, Volumes};
use crate::wire::{AgentId, QuotaConfig, Scalar};

/// What a call asks for.
pub(super) fn decision(call: Call) -> Result<Decision, Refusal> {
    let missing = |name: &str| invalid(&format!("Expecting '{name}' to be present"));
    macro_rules! expect {
        ($field:ident) => {
            call.$field.ok_or_else(|| missing(stringify!($field)))?
        };
    }
    Ok(match call.r#type() {
        CallType::UpdateWeights => Decision::Weights(expect!(update_weights).weight_infos),
        CallType::UpdateQuota => {
            let update = expect!(update_quota);
            Decision::Quotas { force: update.force(), quotas: update.quota_configs }
        }
        CallType::SetQuota => set_quota(expect!(set_quota).quota_request)?,
        CallType::RemoveQuota => no_quota(expect!(remove_quota).role),
        CallType::UpdateMaintenanceSchedule => Decision::Schedule(expect!(update_maintenance_schedule).schedule),
        CallType::StartMaintenance => Decision::MachinesDown(expect!(start_maintenance).machines),
        CallType::StopMaintenance => Decision::MachinesUp(expect!(stop_maintenance).machines),
        CallType::ReserveResources => {
            let call = expect!(reserve_resources);
            let reserve = Reserve { source: call.source, resources: call.resources };
            on(call.agent_id, OperationType::Reserve, |operation| operation.reserve = Some(reserve))
        }
        CallType::UnreserveResources => {
            let call = expect!(unreserve_resources);
            let unreserve = Unreserve { resources: call.resources };
            on(call.agent_id, OperationType::Unreserve, |operation| operation.unreserve = Some(unreserve))
        }
        CallType::CreateVolumes => {
            let call = expect!(create_volumes);
            let create = Volumes { volumes: call.volumes };
            on(call.agent_id, OperationType::Create, |operation| operation.create = Some(create))
        }
        CallType::DestroyVolumes => {
            let call = expect!(destroy_volumes);
            let destroy = Volumes { volumes: call.volumes };
            on(call.agent_id, OperationType::Destroy, |operation| operation.destroy = Some(destroy))
        }
        CallType::GrowVolume => {
            let call = expect!(grow_volume);
            let grow = GrowVolume { volume: call.volume, addition: call.addition };
            on(named(call.agent_id)?, OperationType::GrowVolume, |operation| operation.grow_volume = Some(grow))
        }
        CallType::ShrinkVolume => {
            let call = expect!(shrink_volume);
            let shrink = ShrinkVolume { volume: call.volume, subtract: call.subtract };
            on(named(call.agent_id)?, OperationType::ShrinkVolume, |operation| operation.shrink_volume = Some(shrink))
        }
        CallType::Teardown => Decision::Teardown(expect!(teardown).framework_id),
        CallType::MarkAgentGone => Decision::Gone(one(expect!(mark_agent_gone))),
        CallType::DrainAgent => drain(expect!(drain_agent))?,
        CallType::DeactivateAgent => Decision::Deactivate(one(expect!(deactivate_agent))),
        CallType::ReactivateAgent => Decision::Reactivate(one(expect!(reactivate_agent))),
        other => {
            let reason = format!("'{}' is not implemented", other.text());
            return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, reason));
        }
    })
}

/// What is done with resources of an agent.
pub(in crate::master::api) fn on(agent: AgentId, kind: OperationType, say: impl FnOnce(&mut Operation)) -> Decision {
    let mut operation = Operation { r#type: Some(kind.into()), ..Operation::default() };
    say(&mut operation);
    Decision::Resources(agent, Box::new(operation))
}

/// What the older way to set a quota asks for: it is a guarantee and a limit at once.
pub(in crate::master::api) fn set_quota(request: QuotaRequest) -> Result<Decision, Refusal> {
    let role = request.role.clone().filter(|role| !role.is_empty());
    let role = role.ok_or_else(|| Refusal::bad_request("Failed to validate quota request: it must name a role"))?;
    let mut amounts: BTreeMap<String, Scalar> = BTreeMap::new();
    for resource in &request.guarantee {
        let Some(scalar) = &resource.scalar else {
            let reason = format!("Failed to validate quota request: {} is no scalar", resource.name);
            return Err(Refusal::bad_request(reason));
        };
        if amounts.insert(resource.name.clone(), scalar.clone()).is_some() {
            let reason = format!("Failed to validate quota request: {} is there twice", resource.name);
            return Err(Refusal::bad_request(reason));
        }
    }
    let quota = QuotaConfig { role, guarantees: amounts.clone(), limits: amounts };
    Ok(Decision::Quotas { quotas: vec![quota], force: request.force() })
}

/// No quota for a role.
pub(in crate::master::api) fn no_quota(role: String) -> Decision {
    Decision::Quotas { quotas: vec![QuotaConfig { role, ..QuotaConfig::default() }], force: true }
}

fn one(agent: OneAgent) -> AgentId {
    agent.agent_id
}

fn named(agent: Option<AgentId>) -> Result<AgentId, Refusal> {
    agent.ok_or_else(|| invalid("Expecting 'agent_id' to be present"))
}

fn drain(drain: DrainAgent) -> Result<Decision, Refusal> {
    let mark_gone = drain.mark_gone();
    let duration = |duration: crate::wire::operator::ProtobufDuration| {
        let (seconds, nanos) = (u64::try_from(duration.seconds()), u32::try_from(duration.nanos()));
        match (seconds, nanos) {
            (Ok(seconds), Ok(nanos)) if nanos < 1_000_000_000 => Ok(Duration::new(seconds, nanos)),
            _ => Err(invalid("Expecting 'max_grace_period' to be non-negative")),
        }
    };
    let grace = drain.max_grace_period.map(duration).transpose()?;
    Ok(Decision::Drain { agent: drain.agent_id, grace, mark_gone })
}
