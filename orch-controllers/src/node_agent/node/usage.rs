//! [`action`]: tells what the node really uses, in its [`NodeMetrics`].

use std::collections::BTreeMap;

use orch_core::client::ClientError;
use orch_core::controller::Action;
use orch_core::object::{GoDuration, NodeMetrics, ObjectMeta, Quantity};

use super::super::crash_loop::span;
use super::super::gauge::Measured;
use super::{Look, signed};

/// Writes what was measured last, unless it is written already. Before there are two measurements, there is no use of
/// processors to tell.
pub(super) fn action(look: Look<'_>, measured: &Measured) -> Option<Result<Action, ClientError>> {
    let (before, machine) = (measured.before.as_ref()?, &measured.machine);
    let known = look.metrics.map(|metrics| metrics.timestamp.timestamp());
    // Times in the store are cut to seconds.
    if known.is_some_and(|known| known.as_second() >= machine.at.as_second()) {
        return None;
    }
    let window = span(before.at, machine.at);
    let nanos = u128::from(machine.cpu_used_nanos.saturating_sub(before.cpu_used_nanos));
    let millis = (nanos * 1_000).checked_div(window.as_nanos()).unwrap_or(0);
    let usage = BTreeMap::from([
        ("cpu".to_owned(), Quantity::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))),
        ("memory".to_owned(), Quantity::from_binary(signed(machine.memory.used()))),
    ]);
    let new = |metadata: ObjectMeta| NodeMetrics {
        metadata: ObjectMeta { name: look.config.node_name.clone(), ..metadata },
        timestamp: machine.at.into(),
        window: GoDuration(window),
        usage,
    };
    Some(match look.metrics {
        None => Ok(Action::create(new(ObjectMeta::default()))),
        Some(old) => Action::update(&**old, new(old.metadata.clone())),
    })
}
