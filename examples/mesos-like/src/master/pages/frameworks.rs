//! Frameworks: all of them, and one with its tasks and why it has no offer.

use std::collections::BTreeMap;

use orch_core::allocator::{Obstacle, WhyNoOffer};

use super::agents::registered;
use super::names::{framework_page, named};
use super::{Looked, offers, tasks};
use crate::master::api::roles::roles_of;
use crate::pages::{
    Address, Column, Html, Table, Tone, badge, bullets, facts, id, in_words, link, muted, paged, section, time,
};
use crate::wire::FrameworkInfo;
use crate::wire::operator::Framework;

/// All frameworks.
pub(super) fn list(looked: Looked<'_>, here: &Address) -> Html {
    let active: Vec<&Framework> = looked.view.frameworks.iter().collect();
    let completed: Vec<&Framework> = looked.view.completed_frameworks.iter().rev().collect();
    let (shown, more) = paged(&active, "active", here, looked.query);
    let active = table(looked, shown, "No framework is subscribed.").and(more);
    let (shown, more) = paged(&completed, "completed", here, looked.query);
    let completed = table(looked, shown, "No framework has ended yet.").and(more);
    section("Active frameworks", active).and(section("Completed frameworks", completed))
}

pub(super) fn table(looked: Looked<'_>, frameworks: &[&Framework], none: &str) -> Html {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for task in looked.view.tasks.iter().chain(&looked.view.unreachable_tasks) {
        *counts.entry(&task.framework_id.value).or_default() += 1;
    }
    let mut table = Table::new([
        Column::text("Framework"),
        Column::text("State"),
        Column::text("Roles"),
        Column::number("Tasks"),
        Column::number("Offers"),
        Column::text("Uses"),
        Column::text("Registered"),
    ]);
    for framework in frameworks {
        let (info, framework_id) = (&framework.framework_info, id_of(framework));
        table.row([
            link(&framework_page(framework_id), named(&info.name, framework_id)),
            state(framework),
            roles_of(info).collect::<Vec<_>>().join(", ").into(),
            counts.get(framework_id).copied().unwrap_or(0).to_string().into(),
            framework.offers.len().to_string().into(),
            muted(in_words(&framework.allocated_resources)),
            registered(framework.registered_time.as_ref(), looked),
        ]);
    }
    table.or(none)
}

/// A framework and its tasks; nothing if there is none of this id.
pub(super) fn one(looked: Looked<'_>, wanted: &str, why: Option<&WhyNoOffer>) -> Option<(String, Html)> {
    let mut all = looked.view.frameworks.iter().chain(&looked.view.completed_frameworks);
    let framework = all.find(|framework| id_of(framework) == wanted)?;
    let here = framework_page(wanted);
    let mut page = facts(said(looked, framework));
    if let Some(why) = why {
        let heading = if why.outstanding == 0 { "Why it has no offer" } else { "Why it has no more offers" };
        page = page.and(section(heading, reasons(why, looked)));
    }
    let page = page.and(tasks::sections(looked, &here, |task| task.framework_id.value == wanted));
    let outstanding = offers::outstanding(looked, |offer| offer.framework_id.value == wanted);
    let page = page.and(section("Outstanding offers to it", offers::table(looked, &outstanding)));
    Some((format!("Framework {}", named(&framework.framework_info.name, wanted)), page))
}

fn said(looked: Looked<'_>, framework: &Framework) -> Vec<(&'static str, Html)> {
    let info = &framework.framework_info;
    let mut said = vec![
        ("State", state(framework)),
        ("Id", id(id_of(framework))),
        ("Roles", roles_of(info).collect::<Vec<_>>().join(", ").into()),
        ("Uses", or_nothing(in_words(&framework.allocated_resources))),
        ("Failover timeout", format!("{} s", info.failover_timeout()).into()),
        ("Checkpoints", if info.checkpoint() { "yes" } else { "no" }.into()),
        ("Capabilities", or_nothing(capabilities(info))),
        ("Registered", registered(framework.registered_time.as_ref(), looked)),
    ];
    if let Some(again) = &framework.reregistered_time {
        said.push(("Registered again", registered(Some(again), looked)));
    }
    if let Some(ended) = &framework.unregistered_time {
        said.push(("Ended", registered(Some(ended), looked)));
    }
    let texts = [("User", Some(&info.user)), ("Host", info.hostname.as_ref()), ("Principal", info.principal.as_ref())];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text.filter(|text| !text.is_empty())?)));
    said.extend(texts.map(|(name, text)| (name, text.into())));
    if let Some(url) = info.webui_url.as_deref().filter(|url| !url.is_empty()) {
        // It is somebody else's word: only what is of the web is more than a text.
        said.push(("Its own page", Address::web(url).map_or_else(|| url.into(), |address| link(&address, url))));
    }
    said
}

/// What stands between a framework and each agent, in each of its roles.
fn reasons(why: &WhyNoOffer, looked: Looked<'_>) -> Html {
    let roles = why.roles.iter().flat_map(|role| {
        let head = format!("{}: ", role.role);
        let obstacles = role.obstacles.iter().map(move |(obstacle, agents)| {
            let agents = format!("{agents} agent{} ", if *agents == 1 { "" } else { "s" });
            Html::from(head.as_str()).and(agents).and(reason(obstacle, looked))
        });
        let none = (role.nodes == 0).then(|| Html::from(format!("{}: there is no agent", role.role)));
        obstacles.chain(none)
    });
    let reasons: Vec<Html> = roles.collect();
    if reasons.is_empty() { muted("It is in no role: it has to subscribe to one.") } else { bullets(reasons) }
}

/// What stands between a framework and some agents, with times as they are from now.
fn reason(obstacle: &Obstacle, looked: Looked<'_>) -> Html {
    match obstacle {
        Obstacle::Refused(until) => {
            let again = Html::from("refused by it: offered again ").and(time(*until, looked.now));
            again.and(" or later, or at once if it revives")
        }
        obstacle => obstacle.to_string().into(),
    }
}

fn state(framework: &Framework) -> Html {
    match framework {
        Framework { unregistered_time: Some(_), .. } => badge(Tone::Quiet, "completed"),
        Framework { connected: true, .. } => badge(Tone::Good, "connected"),
        Framework { recovered: true, .. } => badge(Tone::Busy, "waited for"),
        _ => badge(Tone::Bad, "disconnected"),
    }
}

fn capabilities(info: &FrameworkInfo) -> String {
    let names = info.capabilities.iter().map(|capability| capability.r#type().text());
    names.collect::<Vec<_>>().join(", ")
}

fn or_nothing(text: String) -> Html {
    if text.is_empty() { muted("none") } else { text.into() }
}

fn id_of(framework: &Framework) -> &str {
    framework.framework_info.id.as_ref().map_or("", |id| &id.value)
}
