//! Which slices to create, change and delete so that a service's endpoints are in them. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use orch_core::client::ClientError;
use orch_core::controller::{Action, Plan};
use orch_core::object::{Endpoint, EndpointSlice, ObjectMeta, OwnerReference, Pod, Service, Uid};

use super::MANAGER;
use super::desired::{Group, Shape, groups, order, pod_of};
use crate::name_hash;

/// Brings the slices that `service` owns in line with its pods.
///
/// An endpoint stays in the slice where it is, so that a change of one pod changes one slice. New endpoints go to
/// slices that change anyway, then to others with room, then to new ones. A slice whose ports nobody has any more is
/// used again for other ports, so that a change of the service's ports never takes all endpoints away for a moment.
/// Slices that became small are not merged: that would cost writes and save none. Endpoints are added before others
/// are taken away.
pub(super) fn plan(
    service: &Service,
    pods: &[Arc<Pod>],
    owned: &[Arc<EndpointSlice>],
    max_endpoints: usize,
) -> Result<Plan, ClientError> {
    let mut free: Vec<_> = owned.iter().filter(|slice| is_managed(slice) && !slice.metadata.is_deleting()).collect();
    free.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    let groups = groups(service, pods);
    let mut drafts = drafts(&groups, &mut free);
    let mut added = Vec::new();
    for (group, drafts) in groups.iter().zip(&mut drafts) {
        let rest = place(group, drafts, max_endpoints);
        added.extend(rest.chunks(max_endpoints.max(1)).map(|endpoints| (&group.shape, endpoints.to_vec())));
    }

    let mut plan = Plan::nothing();
    // Whoever deletes a service may wait for its slices to go, so it gets no new ones.
    if !service.metadata.is_deleting() {
        for ((shape, endpoints), name) in added.into_iter().zip(free_names(service, owned)) {
            plan.then(Action::create(written(service, new_slice(service, name), shape, endpoints)));
        }
    }
    for (group, drafts) in groups.iter().zip(drafts) {
        for draft in drafts {
            if draft.endpoints.is_empty() {
                free.push(draft.old);
                continue;
            }
            let new = written(service, (**draft.old).clone(), &group.shape, draft.endpoints);
            if new != **draft.old {
                plan.then(Action::update(&**draft.old, new)?);
            }
        }
    }
    for slice in free {
        plan.then(Action::delete(Arc::clone(slice)));
    }
    Ok(plan)
}

/// A slice that there is, and what is to be in it.
struct Draft<'a> {
    old: &'a Arc<EndpointSlice>,
    endpoints: Vec<Endpoint>,
}

impl Draft<'_> {
    fn changes(&self) -> bool {
        self.endpoints != self.old.endpoints
    }
}

/// The slices for each group: those of its shape, or else one that no group has a use for. They are taken out of `free`.
fn drafts<'a>(groups: &[Group], free: &mut Vec<&'a Arc<EndpointSlice>>) -> Vec<Vec<Draft<'a>>> {
    let draft = |old| Draft { old, endpoints: Vec::new() };
    let mut drafts: Vec<Vec<Draft<'a>>> = Vec::new();
    for group in groups {
        let fits = |slice: &mut &Arc<EndpointSlice>| {
            slice.address_type == group.shape.address_type && slice.ports == group.shape.ports
        };
        drafts.push(free.extract_if(.., fits).map(draft).collect());
    }
    for (group, drafts) in groups.iter().zip(&mut drafts) {
        let same_type = |slice: &&Arc<EndpointSlice>| slice.address_type == group.shape.address_type;
        if drafts.is_empty()
            && let Some(index) = free.iter().position(same_type)
        {
            drafts.push(draft(free.remove(index)));
        }
    }
    drafts
}

/// Puts the endpoints of a group into its slices, and returns those that need a new one.
fn place(group: &Group, drafts: &mut [Draft<'_>], max_endpoints: usize) -> Vec<Endpoint> {
    let mut waiting: BTreeMap<&Uid, &Endpoint> = group.endpoints.iter().collect();
    for draft in &mut *drafts {
        let kept = draft.old.endpoints.iter().filter_map(|endpoint| waiting.remove(pod_of(endpoint)?));
        draft.endpoints = kept.take(max_endpoints).cloned().collect();
    }
    let mut waiting: Vec<Endpoint> = waiting.into_values().cloned().collect();
    waiting.sort_by(|a, b| order(a).cmp(&order(b)));
    let mut filled: Vec<&mut Draft<'_>> = drafts.iter_mut().collect();
    filled.sort_by_key(|draft| !draft.changes());
    for draft in filled {
        let room = max_endpoints.saturating_sub(draft.endpoints.len()).min(waiting.len());
        draft.endpoints.extend(waiting.drain(..room));
    }
    waiting
}

/// Whether the slice, which the service owns, is kept up to date here and not by somebody else.
fn is_managed(slice: &EndpointSlice) -> bool {
    slice.metadata.labels.get(EndpointSlice::MANAGED_BY_LABEL).is_none_or(|manager| manager == MANAGER)
}

/// Names for new slices, which follow from the service and from the slices that it has: the same decision made twice
/// gives the same name.
fn free_names<'a>(service: &'a Service, owned: &[Arc<EndpointSlice>]) -> impl Iterator<Item = String> + 'a {
    let taken: BTreeSet<String> = owned.iter().map(|slice| slice.metadata.name.clone()).collect();
    let uid = service.metadata.uid.clone().unwrap_or_default();
    let name = move |number: u64| {
        let hash = name_hash::hash(&[uid.as_str().as_bytes(), number.to_string().as_bytes()]);
        name_hash::join(&service.metadata.name, &name_hash::letters(hash, 5))
    };
    (0..).map(name).filter(move |name| !taken.contains(name))
}

fn new_slice(service: &Service, name: String) -> EndpointSlice {
    let metadata = ObjectMeta {
        name,
        namespace: service.metadata.namespace.clone(),
        owner_references: vec![OwnerReference::controller_of(service)],
        ..ObjectMeta::default()
    };
    EndpointSlice { metadata, ..EndpointSlice::default() }
}

/// The slice with these endpoints, in an order that follows from them, and with the labels by which it is found.
fn written(service: &Service, mut slice: EndpointSlice, shape: &Shape, mut endpoints: Vec<Endpoint>) -> EndpointSlice {
    endpoints.sort_by(|a, b| order(a).cmp(&order(b)));
    slice.endpoints = endpoints;
    slice.address_type = shape.address_type;
    slice.ports.clone_from(&shape.ports);
    let labels = &mut slice.metadata.labels;
    labels.insert(EndpointSlice::SERVICE_LABEL.to_owned(), service.metadata.name.clone());
    labels.insert(EndpointSlice::MANAGED_BY_LABEL.to_owned(), MANAGER.to_owned());
    slice
}

#[cfg(test)]
mod tests;
