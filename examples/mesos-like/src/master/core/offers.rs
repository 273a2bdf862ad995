//! Offers: made, rescinded, declined.

use std::collections::BTreeMap;

use orch_core::allocator::{self, Filters, OfferId, Rescinded, Role};

use super::{Master, Offer, event};
use crate::resources::to_wire;
use crate::wire::scheduler::{EventType, Offers, Rescind};
use crate::wire::{self, CapabilityType, DurationInfo, TimeInfo};

/// The path of an agent, as Mesos calls the only one in a process.
const AGENT_PATH: &str = "/slave(1)";

impl Master {
    /// A round of offers.
    pub fn allocate(&mut self) {
        let round = self.allocator.allocate();
        self.rescind(round.rescinded);
        let mut told: BTreeMap<String, Vec<wire::Offer>> = BTreeMap::new();
        for offer in round.offers {
            let framework = offer.framework.to_string();
            let id = offer.id;
            let kept = Offer {
                framework: framework.clone(),
                agent: offer.node.to_string(),
                role: offer.role,
                resources: (*offer.resources).clone(),
                unavailability: offer.unavailability,
            };
            let Some(said) = self.offer(id, &kept) else {
                tracing::error!(offer = %id, "an offer is of nobody that is known");
                continue;
            };
            self.state.offers.insert(id, kept);
            told.entry(framework).or_default().push(said);
        }
        for (framework, offers) in told {
            let mut said = event(EventType::Offers);
            said.offers = Some(Offers { offers });
            self.tell(&framework, said);
        }
    }

    /// An offer as it is said.
    pub(in crate::master) fn offer(&self, id: OfferId, offer: &Offer) -> Option<wire::Offer> {
        let (framework, agent) = (self.state.frameworks.get(&offer.framework)?, self.state.agents.get(&offer.agent)?);
        let from = (offer.agent.clone(), String::new());
        let executors = framework.executors.range(from..).map(|(key, _)| key).take_while(|(on, _)| *on == offer.agent);
        let multi_role = framework.can(CapabilityType::MultiRole);
        Some(wire::Offer {
            id: self.offer_id(id),
            framework_id: offer.framework.as_str().into(),
            agent_id: offer.agent.as_str().into(),
            hostname: agent.info.hostname.clone(),
            url: Some(wire::Url {
                scheme: "http".to_owned(),
                address: wire::Address {
                    hostname: Some(agent.info.hostname.clone()),
                    ip: Some(agent.ip.clone()),
                    port: agent.info.port(),
                },
                path: Some(AGENT_PATH.to_owned()),
                ..wire::Url::default()
            }),
            domain: agent.info.domain.clone(),
            resources: to_wire(&offer.resources, &framework.form(&offer.role)),
            attributes: agent.info.attributes.clone(),
            executor_ids: executors.map(|(_, executor)| executor.as_str().into()).collect(),
            unavailability: offer.unavailability.map(unavailability),
            allocation_info: multi_role.then(|| wire::AllocationInfo { role: Some(offer.role.to_string()) }),
        })
    }

    fn offer_id(&self, id: OfferId) -> wire::OfferId {
        wire::OfferId { value: self.id(&format!("O{id}")) }
    }

    /// The number of an offer of this master.
    pub(super) fn offer_number(&self, id: &wire::OfferId) -> Option<OfferId> {
        let number = id.value.strip_prefix(&self.state.master.id)?.strip_prefix("-O")?;
        number.parse().ok().map(OfferId)
    }

    /// Offers are no more, before they were answered.
    pub(super) fn rescind(&mut self, rescinded: Vec<Rescinded>) {
        for Rescinded { offer, framework } in rescinded {
            self.state.offers.remove(&offer);
            let mut said = event(EventType::Rescind);
            said.rescind = Some(Rescind { offer_id: self.offer_id(offer) });
            self.tell(framework.as_str(), said);
        }
    }

    /// A framework wants nothing of some offers. What is no offer of its own is passed over.
    pub(super) fn decline(&mut self, framework: &str, offers: &[wire::OfferId], filters: Filters) {
        for id in offers {
            let number = self.offer_number(id);
            let known =
                number.filter(|number| self.state.offers.get(number).is_some_and(|offer| offer.framework == framework));
            match known {
                Some(number) => self.decline_one(number, filters),
                None => tracing::debug!(framework, offer = id.value, "an offer is declined that is not there"),
            }
        }
    }

    pub(super) fn decline_one(&mut self, number: OfferId, filters: Filters) {
        self.state.offers.remove(&number);
        if let Err(error) = self.allocator.decline(number, filters) {
            tracing::debug!(%error, "an offer is declined that the allocator does not know");
        }
    }

    /// The roles of these names that a framework is in; none stands for all.
    pub(super) fn known_roles(&self, framework: &str, names: &[String]) -> std::collections::BTreeSet<Role> {
        let roles = self.state.frameworks.get(framework).map(|framework| &framework.roles);
        let is_meant = |role: &&Role| names.is_empty() || names.iter().any(|name| name == role.as_str());
        roles.into_iter().flatten().filter(is_meant).cloned().collect()
    }
}

/// When something is out of use, as messages say it.
pub(in crate::master) fn unavailability(from: allocator::Unavailability) -> wire::Unavailability {
    let nanoseconds = i64::try_from(from.from.as_nanosecond()).unwrap_or(i64::MAX);
    let duration = from
        .duration
        .map(|duration| DurationInfo { nanoseconds: i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX) });
    wire::Unavailability { start: TimeInfo { nanoseconds }, duration }
}
