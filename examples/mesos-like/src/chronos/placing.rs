//! What is launched where: a [`Scheduler`](orch_core::scheduler::Scheduler) of the project's over the offers that a job's
//! constraints leave.

use std::collections::BTreeMap;

use orch_sched::FilterScoreScheduler;

use super::core::{Job, Run};
use super::launch::{task, variable};
use crate::framework::{place, scalar, take};
use crate::wire::scheduler::{Accept, Call, Launch, Operation, OperationType};
use crate::wire::{Filters, Offer, Resource, TaskInfo};

/// What becomes of some offers.
#[derive(Clone, Debug, Default)]
pub(super) struct Placed {
    /// An acceptance for each offer; one without tasks declines.
    pub(super) calls: Vec<Call>,
    /// The tasks that are launched, each with its agent.
    pub(super) launched: Vec<(String, String)>,
    /// Why a task found no place, the last one.
    pub(super) refused: Option<String>,
}

/// Places runs on offers, those that are most wanted first.
pub(super) fn placed(offers: &[Offer], waiting: &[(&Job, &Run)], filters: &Filters) -> Placed {
    let mut left = offers.to_vec();
    let mut on_offer = BTreeMap::<String, Vec<TaskInfo>>::new();
    let mut placed = Placed::default();
    for group in groups(waiting) {
        let constraints = &group[0].0.definition.constraints;
        let suitable = |offer: &&Offer| constraints.iter().all(|constraint| constraint.allows(offer));
        let suitable: Vec<Offer> = left.iter().filter(suitable).cloned().collect();
        let name = &group[0].0.definition.name;
        if suitable.is_empty() {
            placed.refused = Some(format!("{name}: its constraints refuse all {} offers", offers.len()));
            continue;
        }
        let tasks = group.iter().map(|(job, run)| task(job, run));
        let placement = place(&mut FilterScoreScheduler::default(), &suitable, tasks, filters);
        if let Some((task, refusal)) = placement.refused.first() {
            placed.refused =
                Some(format!("{task}: {}", refusal.to_string().replace("nodes are available", "offers will do")));
        }
        for accept in placement.calls.into_iter().filter_map(|call| call.accept) {
            let Some(offer) = accept.offer_ids.first().and_then(|id| left.iter_mut().find(|offer| offer.id == *id))
            else {
                continue;
            };
            for mut task in
                accept.operations.into_iter().filter_map(|operation| operation.launch).flat_map(|l| l.task_infos)
            {
                settle(&mut task, offer);
                placed.launched.push((task.task_id.value.clone(), offer.agent_id.value.clone()));
                on_offer.entry(offer.id.value.clone()).or_default().push(task);
            }
        }
    }
    placed.calls = offers.iter().map(|offer| accept(offer, on_offer.remove(&offer.id.value), filters)).collect();
    placed
}

/// Runs of the same constraints together, in the order of what is most wanted of each.
fn groups<'a>(waiting: &[(&'a Job, &'a Run)]) -> Vec<Vec<(&'a Job, &'a Run)>> {
    let mut groups: Vec<Vec<(&Job, &Run)>> = Vec::new();
    for (job, run) in waiting {
        let same = |group: &&mut Vec<(&Job, &Run)>| group[0].0.definition.constraints == job.definition.constraints;
        match groups.iter_mut().find(same) {
            Some(group) => group.push((job, run)),
            None => groups.push(vec![(job, run)]),
        }
    }
    groups
}

/// A task takes what it needs out of an offer, what is reserved first, and is told where it runs.
fn settle(task: &mut TaskInfo, offer: &mut Offer) {
    let wanted = std::mem::take(&mut task.resources);
    // Disks that were made for somebody are not for others. What a task needs was seen to be there.
    let part = |wanted: &Resource| {
        take(&mut offer.resources, &wanted.name, scalar(wanted), |resource| resource.disk.is_none()).unwrap_or_default()
    };
    task.resources = wanted.iter().flat_map(part).collect();
    let command =
        task.command.as_mut().or_else(|| task.executor.as_mut().and_then(|executor| executor.command.as_mut()));
    if let Some(environment) = command.and_then(|command| command.environment.as_mut()) {
        environment.variables.push(variable("HOST", &offer.hostname));
    }
}

fn accept(offer: &Offer, tasks: Option<Vec<TaskInfo>>, filters: &Filters) -> Call {
    let launch = |mut task_infos: Vec<TaskInfo>| {
        task_infos.iter_mut().for_each(|task| task.agent_id = offer.agent_id.clone());
        let mut operation = Operation { launch: Some(Launch { task_infos }), ..Operation::default() };
        operation.set_type(OperationType::Launch);
        operation
    };
    let operations = tasks.map(launch).into_iter().collect();
    let accept = Accept { offer_ids: vec![offer.id.clone()], operations, filters: Some(filters.clone()) };
    Call { accept: Some(accept), ..Call::default() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chronos::core::{Chronos, Settings};
    use crate::chronos::job::Definition;
    use crate::framework::amounts;
    use crate::resources::attributes;
    use crate::wire::{ReservationInfo, Scalar};

    fn offer(number: u32, resources: &str) -> Offer {
        Offer {
            id: format!("o{number}").as_str().into(),
            agent_id: format!("a{number}").as_str().into(),
            hostname: format!("host-{number}"),
            attributes: attributes(&format!("rack:r{number}")).expect("attributes"),
            resources: amounts(&resources.parse().expect("resources")),
            ..Offer::default()
        }
    }

    fn placed_of(jobs: &[serde_json::Value], offers: &[Offer]) -> Placed {
        let now = "2026-11-28T12:00:00Z".parse().expect("a time");
        let mut chronos = Chronos::new(Settings::default());
        for job in jobs {
            let definition = Definition::read(job, &chronos.settings().defaults, now).expect("a job");
            drop(chronos.put(definition, now).expect("it can be"));
        }
        drop(chronos.advance(now));
        placed(offers, &chronos.waiting(now), &Filters::default())
    }

    fn job(name: &str, rest: serde_json::Value) -> serde_json::Value {
        let mut job = json!({ "name": name, "command": "true", "cpus": 1, "mem": 32, "disk": 1 });
        job.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
        job
    }

    #[test]
    fn jobs_run_where_their_constraints_let_them_and_together_take_no_more_than_is_offered() {
        let offers = [offer(1, "cpus:2;mem:64;disk:100"), offer(2, "cpus:2;mem:64;disk:100")];
        let jobs = [
            job("one", json!({ "constraints": [["rack", "EQUALS", "r1"]] })),
            job("two", json!({ "constraints": [["rack", "EQUALS", "r1"]] })),
            job("three", json!({ "constraints": [["hostname", "LIKE", "host-1"]] })),
            job("four", json!({})),
            job("five", json!({ "constraints": [["rack", "EQUALS", "r9"]] })),
        ];
        let placed = placed_of(&jobs, &offers);
        let on = |agent: &str| placed.launched.iter().filter(|(_, on)| on == agent).count();
        assert_eq!((on("a1"), on("a2")), (2, 1), "{placed:?}");
        assert!(placed.refused.is_some());
        assert_eq!(placed.calls.len(), 2, "each offer is answered");
    }

    #[test]
    fn what_is_reserved_is_used_first_and_the_task_knows_its_host() {
        let mut offer = offer(1, "cpus:1;mem:64;disk:100");
        let mut reserved = offer.resources[0].clone();
        reserved.scalar = Some(Scalar { value: 0.4 });
        reserved.reservations = vec![ReservationInfo { role: Some("jobs".to_owned()), ..ReservationInfo::default() }];
        offer.resources.push(reserved);
        let placed = placed_of(&[job("a", json!({}))], &[offer]);
        let accept = placed.calls[0].accept.as_ref().expect("an acceptance");
        let task = &accept.operations[0].launch.as_ref().expect("a launch").task_infos[0];
        let cpus: Vec<_> = task.resources.iter().filter(|resource| resource.name == "cpus").collect();
        let amounts: Vec<f64> =
            cpus.iter().filter_map(|cpus| cpus.scalar.as_ref()).map(|scalar| scalar.value).collect();
        assert_eq!((amounts, cpus[0].reservations.len()), (vec![0.4, 0.6], 1));
        let environment = task.command.as_ref().and_then(|command| command.environment.as_ref()).expect("variables");
        assert!(environment.variables.contains(&variable("HOST", "host-1")));
        assert_eq!(task.agent_id.value, "a1");
    }
}
