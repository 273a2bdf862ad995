//! What is offered, and which instances are started on it.

use std::collections::BTreeSet;
use std::sync::Arc;

use orch_core::entropy::Entropy as _;

use super::tell::{News, Told};
use super::{Instance, Marathon, Phase};
use crate::marathon::launch::{Disks, Launch, Placed, Spot, Supply, place, task};
use crate::marathon::model::{App, AppId, Version};
use crate::wire::scheduler::{Accept, Call, CallType, Decline, Operation, OperationType};
use crate::wire::{AgentId, Filters, Offer, Resource};

impl Marathon {
    /// Answers all offers: with instances to start, or that nothing of them is wanted.
    pub(super) fn answer_offers(&mut self, now: Version) {
        let offers = std::mem::take(&mut self.offers);
        if offers.is_empty() {
            return;
        }
        let mut supplies: Vec<Supply> = offers.iter().cloned().map(Supply::of).collect();
        let mut operations: Vec<Vec<Operation>> = supplies.iter_mut().map(|supply| self.release(supply)).collect();
        // Who waits longest is served first.
        let mut waiting: Vec<(Version, AppId)> = self
            .queue
            .iter()
            .filter(|(_, waiting)| self.may_start(waiting, now))
            .map(|(id, waiting)| (waiting.since, id.clone()))
            .collect();
        waiting.sort_unstable();
        for (_, id) in waiting {
            for (offer, started) in self.start(&id, &mut supplies, now) {
                operations[offer].extend(started);
            }
            self.dirty.insert(id);
        }
        self.answer(offers, operations);
    }

    /// Starts instances of an app, as many as wait and have a place. Returns on which offer, and how.
    fn start(&mut self, id: &AppId, supplies: &mut [Supply], now: Version) -> Vec<(usize, Vec<Operation>)> {
        let Some((app, count)) = self.queue.get(id).map(|waiting| (Arc::clone(&waiting.app), waiting.count)) else {
            return Vec::new();
        };
        let mut started = Vec::new();
        let resting = self.resting(id);
        for instance in resting.iter().take(count as usize) {
            started.extend(self.start_again(&app, instance, supplies, now));
        }
        // Those whose disks are not offered yet are waited for.
        let count = count.saturating_sub(u32::try_from(resting.len()).unwrap_or(u32::MAX));
        let roles = self.roles(&app);
        let others = self.spots(id, now);
        let (placed, why) = place(&app, &roles, supplies, &others, count, self.port_to_begin());
        let used: BTreeSet<usize> = placed.iter().map(|placed| placed.offer).collect();
        let offers: Vec<&Offer> = supplies.iter().map(|supply| &supply.offer).collect();
        if let Some(waiting) = self.queue.get_mut(id) {
            waiting.looked(&offers, used.len() + started.len(), why, now);
        }
        for placed in placed {
            started.push((placed.offer, self.start_new(&app, &supplies[placed.offer], placed, now)));
        }
        started
    }

    /// In which roles an app takes offers. What is reserved already cannot be reserved for an instance.
    fn roles(&self, app: &App) -> BTreeSet<String> {
        match app.is_resident() {
            true => BTreeSet::from(["*".to_owned()]),
            false => app.accepted_resource_roles.clone().unwrap_or_else(|| self.settings.accepted_roles.clone()),
        }
    }

    fn port_to_begin(&self) -> u64 {
        self.entropy.next_u64() % u64::from(u16::MAX)
    }

    /// Starts an instance where its disks are, if they are offered.
    fn start_again(
        &mut self,
        app: &App,
        resting: &Instance,
        supplies: &mut [Supply],
        now: Version,
    ) -> Option<(usize, Vec<Operation>)> {
        let (roles, begin) = (self.settings.accepted_roles.clone(), self.port_to_begin());
        let index = supplies.iter().position(|supply| supply.has_reserved(&resting.id))?;
        let supply = &mut supplies[index];
        let ports = supply.ports(app, &roles, begin)?;
        let mut resources = supply.take_ports(&ports, &roles)?;
        resources.extend(supply.take_reserved(&resting.id));
        let attempt = resting.attempt + 1;
        let instance = Instance {
            task_id: format!("{}._app.{}", resting.id, attempt + 1),
            attempt,
            ports,
            version: app.version,
            config: app.version_info.last_config_change_at,
            phase: Phase::Staging,
            staged_at: now,
            ready: app.readiness_checks.is_empty(),
            rests_since: None,
            ..resting.clone()
        };
        let agent_id = supply.offer.agent_id.clone();
        Some((index, vec![self.launch(app, instance, &agent_id, resources, now)]))
    }

    /// Where the instances of an app are that count.
    fn spots(&self, id: &AppId, now: Version) -> Vec<Spot> {
        let counts = |instance: &&Instance| {
            let given_up = self.spec_of(instance).and_then(|spec| instance.given_up_at(spec));
            given_up.is_none_or(|(lost, _)| lost > now)
        };
        self.instances_of(id).filter(counts).map(Instance::spot).collect()
    }

    /// Starts an instance that there was not before.
    fn start_new(&mut self, app: &App, supply: &Supply, placed: Placed, now: Version) -> Vec<Operation> {
        let id = format!("{}.instance-{}", app.id.joined("_"), self.unique());
        let (offer, spot) = (&supply.offer, &supply.spot);
        let role = offer.allocation_info.as_ref().and_then(|info| info.role.clone());
        let role = role.unwrap_or_else(|| self.settings.role.clone());
        let (volumes, resources, mut operations) = match app.is_resident() {
            true => {
                let Disks { volumes, resources, operations } = Disks::reserved(app, &id, &role, placed.resources);
                (volumes, resources, operations)
            }
            false => (Vec::new(), placed.resources, Vec::new()),
        };
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
            role,
            phase: Phase::Staging,
            staged_at: now,
            started_at: None,
            healthy: None,
            ready: app.readiness_checks.is_empty(),
            killed_at: None,
            unreachable_since: None,
            ip_addresses: Vec::new(),
            attempt: 0,
            volumes,
            is_wiped: false,
            rests_since: None,
        };
        operations.push(self.launch(app, instance, &offer.agent_id, resources, now));
        operations
    }

    fn launch(
        &mut self,
        app: &App,
        instance: Instance,
        agent_id: &AgentId,
        resources: Vec<Resource>,
        now: Version,
    ) -> Operation {
        let launch = Launch {
            task_id: &instance.task_id,
            instance_id: &instance.id,
            host: &instance.host,
            agent_id,
            ports: &instance.ports,
            resources,
        };
        let task_infos = vec![task(app, launch)];
        self.tell(Told::Of(&instance, News::Condition("Provisioned")), now);
        self.put_instance(instance);
        let launch = crate::wire::scheduler::Launch { task_infos };
        let mut operation = Operation { launch: Some(launch), ..Operation::default() };
        operation.set_type(OperationType::Launch);
        operation
    }

    fn answer(&mut self, offers: Vec<Offer>, operations: Vec<Vec<Operation>>) {
        let filters = |seconds| Some(Filters { refuse_seconds: Some(seconds) });
        let mut declined = Vec::new();
        for (offer, operations) in offers.into_iter().zip(operations) {
            if operations.is_empty() {
                declined.push(offer.id);
                continue;
            }
            // What is left is to be offered again soon: more may wait by then.
            let accept = Accept { offer_ids: vec![offer.id], operations, filters: filters(0.0) };
            self.call(CallType::Accept, Call { accept: Some(accept), ..Call::default() });
        }
        if !declined.is_empty() {
            let decline = Decline { offer_ids: declined, filters: filters(self.settings.decline_seconds) };
            self.call(CallType::Decline, Call { decline: Some(decline), ..Call::default() });
        }
    }
}
