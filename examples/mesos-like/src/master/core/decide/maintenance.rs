//! When machines are out of use.

use std::collections::BTreeSet;
use std::time::Duration;

use orch_core::allocator::{AllocatorChange, Unavailability};
use orch_core::clock::Timestamp;

use crate::http::Refusal;
use crate::master::core::{Machine, Master, Output, event, node, order};
use crate::master::registry::{MachineRecord, RegistryChange};
use crate::wire::operator::{InverseOfferAnswer, InverseOfferStatus};
use crate::wire::scheduler::{EventType, InverseOffers, RescindInverseOffer};
use crate::wire::{self, AgentEventType, InverseOffer, MachineId, OfferId, Schedule};

impl Master {
    pub(super) fn set_schedule(&mut self, schedule: &Schedule) -> Result<(), Refusal> {
        let machines = self.scheduled(schedule).map_err(Refusal::bad_request)?;
        self.state.machines = machines;
        // What was said was said of another time.
        self.state.inverse_answers.clear();
        self.machines_changed();
        Ok(())
    }

    /// The machines of a schedule, each as it is now.
    fn scheduled(&self, schedule: &Schedule) -> Result<Vec<Machine>, String> {
        let mut machines: Vec<Machine> = Vec::new();
        for (number, window) in (0..).zip(&schedule.windows) {
            if window.machine_ids.is_empty() {
                return Err("List of machines in the maintenance window is empty".to_owned());
            }
            let unavailability = &window.unavailability;
            if unavailability.start.nanoseconds < 0
                || unavailability.duration.as_ref().is_some_and(|it| it.nanoseconds < 0)
            {
                return Err("Invalid unavailability: it begins or lasts for less than nothing".to_owned());
            }
            for id in &window.machine_ids {
                named(id)?;
                if machines.iter().any(|machine| machine.id == *id) {
                    return Err(format!("Machine '{}' appears more than once in the schedule", shown(id)));
                }
                let is_down = self.state.machines.iter().any(|machine| machine.is_down && machine.id == *id);
                machines.push(Machine {
                    id: id.clone(),
                    unavailability: unavailability.clone(),
                    is_down,
                    window: number,
                });
            }
        }
        let is_missing = |machine: &&Machine| machine.is_down && machines.iter().all(|other| other.id != machine.id);
        match self.state.machines.iter().find(is_missing) {
            Some(machine) => Err(format!(
                "Machine '{}' is down and must be in the schedule until it is up again",
                shown(&machine.id)
            )),
            None => Ok(machines),
        }
    }

    pub(super) fn machines_down(&mut self, ids: &[MachineId]) -> Result<(), Refusal> {
        self.all_are(ids, false).map_err(Refusal::bad_request)?;
        for machine in self.state.machines.iter_mut().filter(|machine| ids.contains(&machine.id)) {
            machine.is_down = true;
        }
        let message = "Operator initiated 'Machine DOWN'";
        for id in self.agents_on(|machine| ids.contains(&machine.id)) {
            let mut shutdown = order(AgentEventType::Shutdown);
            shutdown.reason = Some(message.to_owned());
            self.order(&id, shutdown);
            self.remove_agent(&id, message);
        }
        self.machines_changed();
        Ok(())
    }

    pub(super) fn machines_up(&mut self, ids: &[MachineId]) -> Result<(), Refusal> {
        self.all_are(ids, true).map_err(Refusal::bad_request)?;
        self.state.machines.retain(|machine| !ids.contains(&machine.id));
        self.machines_changed();
        Ok(())
    }

    /// Whether these machines are in the schedule, and down or not.
    fn all_are(&self, ids: &[MachineId], down: bool) -> Result<(), String> {
        if ids.is_empty() {
            return Err("List of machines is empty".to_owned());
        }
        for id in ids {
            named(id)?;
            match self.state.machines.iter().find(|machine| machine.id == *id) {
                Some(machine) if machine.is_down == down => {}
                Some(_) if down => {
                    return Err(format!("Machine '{}' is not in DOWN mode and cannot be brought up", shown(id)));
                }
                Some(_) => {
                    return Err(format!("Machine '{}' is not in DRAINING mode and cannot be brought down", shown(id)));
                }
                None => return Err(format!("Machine '{}' is not part of a maintenance schedule", shown(id))),
            }
        }
        Ok(())
    }

    /// Records the machines, and tells everybody whom they concern.
    fn machines_changed(&mut self) {
        let record = |machine: &Machine| MachineRecord {
            machine: machine.id.clone(),
            unavailability: machine.unavailability.clone(),
            down: machine.is_down,
            window: machine.window,
        };
        let records = self.state.machines.iter().map(record).collect();
        self.say(Output::Record(RegistryChange::Machines(records)));
        let agents: Vec<String> = self.state.agents.keys().cloned().collect();
        for id in agents {
            let unavailability = self.unavailability_of(&id);
            self.observe(AllocatorChange::NodeUnavailable(node(&id), unavailability));
        }
        self.rescind_inverse_offers();
        self.make_inverse_offers();
        self.allocate();
    }

    /// When an agent's machine is out of use.
    pub(in crate::master::core) fn unavailability_of(&self, agent: &str) -> Option<Unavailability> {
        let agent = self.state.agents.get(agent)?;
        let machine = self.state.machines.iter().find(|machine| machine.is_of(&agent.info.hostname, &agent.ip))?;
        let from = Timestamp::from_nanosecond(machine.unavailability.start.nanoseconds.into()).ok()?;
        let duration = machine.unavailability.duration.as_ref();
        let duration = duration.and_then(|duration| u64::try_from(duration.nanoseconds).ok()).map(Duration::from_nanos);
        Some(Unavailability { from, duration })
    }

    fn agents_on(&self, wanted: impl Fn(&Machine) -> bool) -> Vec<String> {
        let is_on = |agent: &super::super::Agent| {
            let mut machines = self.state.machines.iter().filter(|machine| wanted(machine));
            machines.any(|machine| machine.is_of(&agent.info.hostname, &agent.ip))
        };
        self.state.agents.values().filter(|agent| is_on(agent)).map(|agent| agent.id().to_owned()).collect()
    }

    /// Asks frameworks to give back what they have on machines that will be out of use: once each, until they answer.
    pub(in crate::master::core) fn make_inverse_offers(&mut self) {
        if self.state.machines.is_empty() {
            return;
        }
        let mut made = Vec::new();
        for agent in self.agents_on(|machine| !machine.is_down) {
            let Some(unavailability) = self.unavailability_of(&agent) else { continue };
            for (id, framework) in &self.state.frameworks {
                let is_asked = |offer: &InverseOffer| {
                    offer.framework_id.value == *id && offer.agent_id.as_ref().is_some_and(|on| on.value == agent)
                };
                let has_answered = self.state.inverse_answers.contains_key(&(agent.clone(), id.clone()));
                let uses_it = framework.agents().contains(&agent);
                if uses_it
                    && framework.is_connected()
                    && !has_answered
                    && !self.state.inverse_offers.values().any(is_asked)
                {
                    made.push((id.clone(), agent.clone(), unavailability));
                }
            }
        }
        for (framework, agent, unavailability) in made {
            self.next_inverse_offer += 1;
            let offer = InverseOffer {
                id: OfferId { value: self.id(&format!("I{}", self.next_inverse_offer - 1)) },
                framework_id: framework.as_str().into(),
                agent_id: Some(agent.as_str().into()),
                unavailability: super::super::offers::unavailability(unavailability),
                ..InverseOffer::default()
            };
            self.state.inverse_offers.insert(offer.id.value.clone(), offer.clone());
            let mut said = event(EventType::InverseOffers);
            said.inverse_offers = Some(InverseOffers { inverse_offers: vec![offer] });
            self.tell(&framework, said);
        }
    }

    /// Those that were made before the machines were as they are now.
    fn rescind_inverse_offers(&mut self) {
        for (id, offer) in std::mem::take(&mut self.state.inverse_offers) {
            let mut said = event(EventType::RescindInverseOffer);
            said.rescind_inverse_offer = Some(RescindInverseOffer { inverse_offer_id: OfferId { value: id } });
            self.tell(&offer.framework_id.value, said);
        }
    }

    /// A framework will give back what it has, or will not.
    pub(in crate::master::core) fn answer_inverse(&mut self, framework: &str, offers: &[wire::OfferId], accepts: bool) {
        for id in offers {
            let is_theirs = |offer: &InverseOffer| offer.framework_id.value == framework;
            if !self.state.inverse_offers.get(&id.value).is_some_and(is_theirs) {
                continue;
            }
            let Some(offer) = self.state.inverse_offers.remove(&id.value) else { continue };
            let answer = if accepts { InverseOfferAnswer::Accept } else { InverseOfferAnswer::Decline };
            let status = InverseOfferStatus {
                status: answer.into(),
                framework_id: framework.into(),
                timestamp: self.time_info(),
            };
            let agent = offer.agent_id.unwrap_or_default().value;
            self.state.inverse_answers.insert((agent, framework.to_owned()), status);
        }
    }
}

fn named(id: &MachineId) -> Result<(), String> {
    let is_empty = |part: &Option<String>| part.as_deref().unwrap_or_default().is_empty();
    if is_empty(&id.hostname) && is_empty(&id.ip) {
        return Err("Both 'hostname' and 'ip' of a machine are empty".to_owned());
    }
    match id.ip.as_deref().filter(|ip| !ip.is_empty()).map(str::parse::<std::net::IpAddr>) {
        Some(Err(error)) => Err(format!("The 'ip' of machine '{}' is none: {error}", shown(id))),
        _ => Ok(()),
    }
}

fn shown(id: &MachineId) -> String {
    let parts: BTreeSet<&str> = [&id.hostname, &id.ip].into_iter().filter_map(|part| part.as_deref()).collect();
    parts.into_iter().collect::<Vec<_>>().join("/")
}
