//! Agents: all of them, and one with what runs there.

use orch_core::clock::Timestamp;

use super::names::{agent_id, agent_page, named, server};
use super::{Looked, offers, tasks};
use crate::pages::{
    Address, Amounts, Column, Html, Share, Table, Tone, amount, amounts, badge, bar, bars, facts, id, in_words, link,
    muted, note, paged, section, time,
};
use crate::resources::attribute_text;
use crate::wire::operator::Agent;
use crate::wire::{DrainState, TimeInfo};

/// All agents.
pub(super) fn list(looked: Looked<'_>, here: &Address) -> Html {
    let all: Vec<&Agent> = looked.view.agents.iter().collect();
    let (shown, more) = paged(&all, "from", here, looked.query);
    let mut page = table(looked, shown).and(more);
    if looked.view.unreachable_agents > 0 {
        page = page.and(note(format!("{} more are unreachable.", looked.view.unreachable_agents)));
    }
    if looked.view.recovered_agents.is_empty() {
        return page;
    }
    let mut table = Table::new([Column::text("Agent"), Column::text("Id")]);
    for agent in &looked.view.recovered_agents {
        let agent_id = agent.id.as_ref().map_or("", |id| &id.value);
        table.row([(&agent.hostname).into(), id(agent_id)]);
    }
    page.and(section("Waited for since this master leads", table.or("")))
}

pub(super) fn table(looked: Looked<'_>, agents: &[&Agent]) -> Html {
    let mut table = Table::new([
        Column::text("Agent"),
        Column::text("State"),
        Column::text("Attributes"),
        Column::text("CPUs used"),
        Column::text("Memory used"),
        Column::text("Registered"),
        Column::text("Address"),
    ]);
    for agent in agents {
        let (total, used, offered) = amounts_of(agent);
        table.row([
            link(&agent_page(agent_id(agent)), named(&agent.agent_info.hostname, agent_id(agent))),
            state(agent),
            muted(attributes(agent)),
            gauge("cpus", &total, &used, &offered),
            gauge("mem", &total, &used, &offered),
            registered(agent.registered_time.as_ref(), looked),
            address(agent),
        ]);
    }
    table.or("No agent is registered.")
}

/// An agent and what runs there; nothing if there is none of this id.
pub(super) fn one(looked: Looked<'_>, wanted: &str) -> Option<(String, Html)> {
    let agent = looked.view.agents.iter().find(|agent| agent_id(agent) == wanted)?;
    let (total, used, offered) = amounts_of(agent);
    let mut said = vec![
        ("State", state(agent)),
        ("Id", id(wanted)),
        ("Address", address(agent)),
        ("Version", (&agent.version).into()),
        ("Registered", registered(agent.registered_time.as_ref(), looked)),
    ];
    if let Some(again) = &agent.reregistered_time {
        said.push(("Registered again", registered(Some(again), looked)));
    }
    said.push(("All resources", in_words(&agent.total_resources).into()));
    let attributes = agent.agent_info.attributes.iter();
    said.extend(attributes.map(|attribute| (attribute.name.as_str(), attribute_text(attribute).into())));
    let page = facts(said).and(section("Resources", bars(&total, &used, &offered)));
    let outstanding = offers::table(looked, &offers::outstanding(looked, |offer| offer.agent_id.value == wanted));
    let here = agent_page(wanted);
    let page = page.and(tasks::sections(looked, &here, |task| task.agent_id.value == wanted));
    let title = format!("Agent {}", named(&agent.agent_info.hostname, wanted));
    Some((title, page.and(section("Outstanding offers of it", outstanding))))
}

/// All that an agent has, what of it is used, and what is offered.
pub(super) fn amounts_of(agent: &Agent) -> (Amounts, Amounts, Amounts) {
    (amounts(&agent.total_resources), amounts(&agent.allocated_resources), amounts(&agent.offered_resources))
}

fn state(agent: &Agent) -> Html {
    match &agent.drain_info {
        Some(drain) if drain.state() == DrainState::Drained => return badge(Tone::Quiet, "drained"),
        Some(_) => return badge(Tone::Busy, "draining"),
        None => {}
    }
    match agent.deactivated {
        Some(true) => badge(Tone::Quiet, "deactivated"),
        _ if agent.active => badge(Tone::Good, "active"),
        _ => badge(Tone::Bad, "disconnected"),
    }
}

fn gauge(name: &str, total: &Amounts, used: &Amounts, offered: &Amounts) -> Html {
    let of = |amounts: &Amounts| amounts.get(name).copied().unwrap_or(0.0);
    let words = format!("{} of {}", amount(name, of(used)), amount(name, of(total)));
    let spoken = format!("{name}: {words} used, {} offered", amount(name, of(offered)));
    let drawn = bar(&spoken, of(total), &[(Share::Used, of(used)), (Share::Offered, of(offered))]);
    muted(words).and(drawn)
}

fn attributes(agent: &Agent) -> String {
    let attributes = agent.agent_info.attributes.iter();
    attributes.map(|one| format!("{}:{}", one.name, attribute_text(one))).collect::<Vec<_>>().join("; ")
}

/// The agent's own page.
fn address(agent: &Agent) -> Html {
    match server(agent) {
        Some(server) => link(&Address::at(server, "/"), server.to_string()),
        None => muted("unknown"),
    }
}

pub(super) fn registered(at: Option<&TimeInfo>, looked: Looked<'_>) -> Html {
    let at = at.and_then(|at| Timestamp::from_nanosecond(at.nanoseconds.into()).ok());
    at.map_or_else(Html::default, |at| time(at, looked.now))
}
