//! [`place`]: a framework's second level, any [`Scheduler`] over what it was offered.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::object::{Container, Node, NodeStatus, ObjectMeta, Pod, PodSpec, Quantity, ResourceRequirements};
use orch_core::scheduler::{Outcome, Refusal, Scheduler, SupplyChange};

use crate::wire::scheduler::{Accept, Call, Launch, Operation, OperationType};
use crate::wire::{Filters, Offer, Resource, TaskInfo, ValueType};

/// The most tasks that are put on one offer.
const MOST_TASKS: &str = "1000000";

/// What becomes of some offers.
#[derive(Clone, Debug, Default)]
pub struct Placement {
    /// For each offer, what is launched on it; on some, nothing is. As calls: an offer is accepted in one, and an acceptance
    /// without tasks declines.
    pub calls: Vec<Call>,
    /// The ids of the tasks that are launched.
    pub launched: Vec<String>,
    /// The tasks that found no place among these offers, and why.
    pub refused: Vec<(String, Refusal)>,
}

/// Decides on which offer each task is launched. A scheduler sees each offer as a node, with the agent's attributes as
/// labels and `hostname`, and each task as a pod that asks for its amounts. What is offered and not used is refused for
/// `filters`.
pub fn place(
    scheduler: &mut dyn Scheduler,
    offers: &[Offer],
    tasks: impl IntoIterator<Item = TaskInfo>,
    filters: &Filters,
) -> Placement {
    // Under names of our own: an id of a task may be what no pod can be called.
    let mut tasks: BTreeMap<String, TaskInfo> =
        tasks.into_iter().enumerate().map(|(number, task)| (format!("task-{number:06}"), task)).collect();
    for offer in offers {
        scheduler.observe(SupplyChange::NodePut(Arc::new(node(offer))));
    }
    let pods: Vec<_> = tasks.iter().map(|(name, task)| Arc::new(pod(name, task))).collect();
    let (mut placement, mut on_offer) = (Placement::default(), BTreeMap::<String, Vec<TaskInfo>>::new());
    for decision in scheduler.schedule(&pods) {
        let Some(task) = tasks.remove(decision.pod.name()) else { continue };
        let id = task.task_id.value.clone();
        match decision.outcome {
            Outcome::Place { node, .. } => {
                placement.launched.push(id);
                on_offer.entry(node).or_default().push(task);
            }
            Outcome::Refuse(refusal) => placement.refused.push((id, refusal)),
            _ => {}
        }
    }
    placement.calls = offers
        .iter()
        .map(|offer| {
            let mut task_infos = on_offer.remove(&offer.id.value).unwrap_or_default();
            task_infos.iter_mut().for_each(|task| task.agent_id = offer.agent_id.clone());
            let mut launch = Operation { launch: Some(Launch { task_infos }), ..Operation::default() };
            launch.set_type(OperationType::Launch);
            let operations = if launch.launch.as_ref().is_some_and(|launch| launch.task_infos.is_empty()) {
                Vec::new()
            } else {
                vec![launch]
            };
            let accept = Accept { offer_ids: vec![offer.id.clone()], operations, filters: Some(filters.clone()) };
            Call { accept: Some(accept), ..Call::default() }
        })
        .collect();
    placement
}

fn node(offer: &Offer) -> Node {
    let mut labels = BTreeMap::from([("hostname".to_owned(), offer.hostname.clone())]);
    for attribute in &offer.attributes {
        let text = attribute.text.as_ref().map(|text| text.value.clone());
        let value = text.or_else(|| attribute.scalar.as_ref().map(|scalar| scalar.value.to_string()));
        labels.extend(value.map(|value| (attribute.name.clone(), value)));
    }
    let mut allocatable = quantities(&offer.resources);
    allocatable.extend(Quantity::parse(MOST_TASKS).ok().map(|most| ("pods".to_owned(), most)));
    Node {
        metadata: ObjectMeta { name: offer.id.value.clone(), labels, ..ObjectMeta::default() },
        status: NodeStatus { allocatable, ..NodeStatus::default() },
        ..Node::default()
    }
}

fn pod(name: &str, task: &TaskInfo) -> Pod {
    let resources = ResourceRequirements { requests: quantities(&task.resources), ..ResourceRequirements::default() };
    let container = Container { name: "task".to_owned(), resources, ..Container::default() };
    Pod {
        metadata: ObjectMeta { name: name.to_owned(), namespace: Some("default".to_owned()), ..ObjectMeta::default() },
        spec: PodSpec { containers: vec![container], ..PodSpec::default() },
        ..Pod::default()
    }
}

/// Amounts under the names that a [`Scheduler`] knows, summed up over reservations: cpus in thousandths, memory and disk in
/// mebibytes.
fn quantities(resources: &[Resource]) -> BTreeMap<String, Quantity> {
    let mut sums = BTreeMap::<String, Quantity>::new();
    for resource in resources.iter().filter(|resource| resource.r#type() == ValueType::Scalar) {
        let value = resource.scalar.as_ref().map_or(0.0, |scalar| scalar.value);
        let (name, text) = match resource.name.as_str() {
            "cpus" => ("cpu", format!("{}m", (value * 1000.0).round())),
            "mem" => ("memory", format!("{}Mi", value.round())),
            "disk" => ("ephemeral-storage", format!("{}Mi", value.round())),
            other => (other, format!("{}", value.trunc())),
        };
        if let Ok(quantity) = Quantity::parse(&text) {
            let sum = sums.get(name).map_or(quantity, |sum| sum.saturating_add(quantity));
            sums.insert(name.to_owned(), sum);
        }
    }
    sums
}
