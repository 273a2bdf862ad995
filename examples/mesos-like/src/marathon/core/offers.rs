//! What is offered, and which instances are started on it.

use std::collections::BTreeSet;
use std::sync::Arc;

use orch_core::entropy::Entropy as _;

use super::tell::{News, Told};
use super::{Instance, Marathon, Phase};
use crate::marathon::launch::{Launch, Placed, Spot, Supply, place, task};
use crate::marathon::model::{App, AppId, Version};
use crate::wire::scheduler::{Accept, Call, CallType, Decline, Operation, OperationType};
use crate::wire::{Filters, Offer, TaskInfo};

impl Marathon {
    /// Answers all offers: with instances to start, or that nothing of them is wanted.
    pub(super) fn answer_offers(&mut self, now: Version) {
        let offers = std::mem::take(&mut self.offers);
        if offers.is_empty() {
            return;
        }
        let mut supplies: Vec<Supply> = offers.iter().cloned().map(Supply::of).collect();
        let mut tasks: Vec<Vec<TaskInfo>> = vec![Vec::new(); offers.len()];
        // Who waits longest is served first.
        let mut waiting: Vec<(Version, AppId)> = self
            .queue
            .iter()
            .filter(|(_, waiting)| self.may_start(waiting, now))
            .map(|(id, waiting)| (waiting.since, id.clone()))
            .collect();
        waiting.sort_unstable();
        for (_, id) in waiting {
            for (offer, task) in self.start(&id, &mut supplies, now) {
                tasks[offer].push(task);
            }
            self.dirty.insert(id);
        }
        self.answer(offers, tasks);
    }

    /// Starts instances of an app, as many as wait and have a place. Returns on which offer which task.
    fn start(&mut self, id: &AppId, supplies: &mut [Supply], now: Version) -> Vec<(usize, TaskInfo)> {
        let Some((app, count)) = self.queue.get(id).map(|waiting| (Arc::clone(&waiting.app), waiting.count)) else {
            return Vec::new();
        };
        let roles = app.accepted_resource_roles.clone().unwrap_or_else(|| self.settings.accepted_roles.clone());
        let others = self.spots(id, now);
        let (placed, why) =
            place(&app, &roles, supplies, &others, count, self.entropy.next_u64() % u64::from(u16::MAX));
        let used: BTreeSet<usize> = placed.iter().map(|placed| placed.offer).collect();
        let offers: Vec<&Offer> = supplies.iter().map(|supply| &supply.offer).collect();
        if let Some(waiting) = self.queue.get_mut(id) {
            waiting.looked(&offers, used.len(), why, now);
        }
        placed
            .into_iter()
            .map(|placed| (placed.offer, self.instance(&app, &supplies[placed.offer], placed, now)))
            .collect()
    }

    /// Where the instances of an app are that count.
    fn spots(&self, id: &AppId, now: Version) -> Vec<Spot> {
        let counts = |instance: &&Instance| {
            let given_up = self.spec_of(instance).and_then(|spec| instance.given_up_at(spec));
            given_up.is_none_or(|(lost, _)| lost > now)
        };
        self.instances_of(id).filter(counts).map(Instance::spot).collect()
    }

    fn instance(&mut self, app: &App, supply: &Supply, placed: Placed, now: Version) -> TaskInfo {
        let id = format!("{}.instance-{}", app.id.joined("_"), self.unique());
        let (offer, spot) = (&supply.offer, &supply.spot);
        let role = offer.allocation_info.as_ref().and_then(|info| info.role.clone());
        let instance = Instance {
            task_id: format!("{id}._app.1"),
            id,
            app: app.id.clone(),
            version: app.version,
            config: app.version_info.last_config_change_at,
            agent_id: offer.agent_id.value.clone(),
            host: spot.host.clone(),
            attributes: spot.attributes.clone(),
            ports: placed.ports,
            region: spot.region.clone(),
            zone: spot.zone.clone(),
            role: role.unwrap_or_else(|| self.settings.role.clone()),
            phase: Phase::Staging,
            staged_at: now,
            started_at: None,
            healthy: None,
            ready: app.readiness_checks.is_empty(),
            killed_at: None,
            unreachable_since: None,
            ip_addresses: Vec::new(),
        };
        let launch = Launch {
            task_id: &instance.task_id,
            instance_id: &instance.id,
            host: &instance.host,
            agent_id: &offer.agent_id,
            ports: &instance.ports,
            resources: placed.resources,
        };
        let task = task(app, launch);
        self.tell(Told::Of(&instance, News::Condition("Provisioned")), now);
        self.put_instance(instance);
        task
    }

    fn answer(&mut self, offers: Vec<Offer>, tasks: Vec<Vec<TaskInfo>>) {
        let filters = |seconds| Some(Filters { refuse_seconds: Some(seconds) });
        let mut declined = Vec::new();
        for (offer, task_infos) in offers.into_iter().zip(tasks) {
            if task_infos.is_empty() {
                declined.push(offer.id);
                continue;
            }
            let launch = crate::wire::scheduler::Launch { task_infos };
            let mut operation = Operation { launch: Some(launch), ..Operation::default() };
            operation.set_type(OperationType::Launch);
            // What is left is to be offered again soon: more may wait by then.
            let accept = Accept { offer_ids: vec![offer.id], operations: vec![operation], filters: filters(0.0) };
            self.call(CallType::Accept, Call { accept: Some(accept), ..Call::default() });
        }
        if !declined.is_empty() {
            let decline = Decline { offer_ids: declined, filters: filters(self.settings.decline_seconds) };
            self.call(CallType::Decline, Call { decline: Some(decline), ..Call::default() });
        }
    }
}
