//! What a framework says most: a command with its amounts, and that an update was taken in.

use orch_core::allocator::{Resources, Value};

use crate::wire::scheduler::{Acknowledge, Call};
use crate::wire::{CommandInfo, Range, Ranges, Resource, Scalar, TaskInfo, TaskStatus, ValueType};

/// A task that runs a command with so much of each resource; on which agent is decided later.
#[must_use]
pub fn command(id: &str, line: &str, resources: &Resources) -> TaskInfo {
    TaskInfo {
        name: id.to_owned(),
        task_id: id.into(),
        resources: amounts(resources),
        command: Some(CommandInfo { value: Some(line.to_owned()), ..CommandInfo::default() }),
        ..TaskInfo::default()
    }
}

/// Amounts as messages have them. Reservations and disks are left out: they are named in the offer.
#[must_use]
pub fn amounts(resources: &Resources) -> Vec<Resource> {
    let one = |resource: &orch_core::allocator::Resource| {
        let mut wire = Resource { name: resource.name.to_string(), ..Resource::default() };
        match &resource.value {
            Value::Scalar(amount) => {
                wire.set_type(ValueType::Scalar);
                wire.scalar = Some(Scalar { value: amount.as_f64() });
            }
            Value::Ranges(ranges) => {
                wire.set_type(ValueType::Ranges);
                wire.ranges = Some(Ranges { range: ranges.spans().map(|(begin, end)| Range { begin, end }).collect() });
            }
            _ => return None,
        }
        Some(wire)
    };
    resources.iter().filter_map(one).collect()
}

/// The call that an update was taken in, if it wants one.
#[must_use]
pub fn acknowledge(status: &TaskStatus) -> Option<Call> {
    let (agent_id, uuid) = (status.agent_id.clone()?, status.uuid.clone()?);
    let acknowledge = Acknowledge { agent_id, task_id: status.task_id.clone(), uuid };
    Some(Call { acknowledge: Some(acknowledge), ..Call::default() })
}
