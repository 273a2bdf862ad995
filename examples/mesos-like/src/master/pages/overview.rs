//! The first page: how the cluster is.

use std::collections::BTreeMap;

use super::{Looked, agents, frameworks, tasks};
use crate::master::about::{VERSION, authority};
use crate::master::api::Office;
use crate::master::view::Parts;
use crate::pages::{Address, Amounts, Html, bars, cards, facts, id, link, muted, section, time};
use crate::wire::Task;
use crate::wire::operator::{Agent, Framework};

/// How many of each kind are shown.
const FEW: usize = 10;

/// With more tasks than this, none is looked at: this page is loaded again and again.
const MANY: f64 = 5_000.0;

/// Tasks that have not ended, and those that ended since the master leads, by what is measured of them.
const ACTIVE: [&str; 5] = ["running", "staging", "starting", "killing", "unreachable"];
const ENDED: [&str; 8] = ["finished", "failed", "killed", "error", "lost", "dropped", "gone", "gone_by_operator"];

/// How the cluster is, by what is measured of it, and by the parts of the view that are there.
pub(super) fn page(office: Office<'_>, looked: Looked<'_>, metrics: &Metrics) -> Html {
    let (mut total, mut used, mut offered) = (Amounts::new(), Amounts::new(), Amounts::new());
    for agent in looked.view.agents.iter().filter(|agent| agent.active || agent.deactivated == Some(true)) {
        let of_agent = agents::amounts_of(agent);
        for (sums, of_agent) in [(&mut total, of_agent.0), (&mut used, of_agent.1), (&mut offered, of_agent.2)] {
            of_agent.into_iter().for_each(|(name, value)| *sums.entry(name).or_default() += value);
        }
    }
    let page = facts(said(office, looked)).and(counts(metrics, looked));
    let page = page.and(section("Resources", resources(&total, &used, &offered)));
    let few: Vec<&Framework> = looked.view.frameworks.iter().take(FEW).collect();
    let shown = frameworks::table(looked, &few, "No framework is subscribed.");
    let page = page.and(section("Frameworks", shown.and(rest(looked.view.frameworks.len(), "frameworks"))));
    let few: Vec<&Agent> = looked.view.agents.iter().take(FEW).collect();
    let page = page.and(section("Agents", agents::table(looked, &few).and(rest(looked.view.agents.len(), "agents"))));
    if !metrics.parts().tasks {
        return page.and(section("Tasks", link(&Address::here("/pages/tasks"), "All tasks")));
    }
    let few: Vec<&Task> = looked.view.tasks.iter().take(FEW).collect();
    let shown = tasks::table(looked, &few, "No task runs.").and(rest(looked.view.tasks.len(), "tasks"));
    page.and(section("Active tasks", shown))
}

fn said(office: Office<'_>, looked: Looked<'_>) -> Vec<(&'static str, Html)> {
    let about = office.about;
    vec![
        ("Cluster", about.flags.cluster.as_deref().map_or_else(|| muted("without a name"), Html::from)),
        ("Leader", authority(&about.info).into()),
        ("Version", format!("mesos-like {}, for clients of Mesos {VERSION}", env!("CARGO_PKG_VERSION")).into()),
        ("Id", id(&about.info.id)),
        ("Leads since", time(office.elected, looked.now)),
        ("Started", time(about.started, looked.now)),
    ]
}

fn counts(metrics: &Metrics, looked: Looked<'_>) -> Html {
    let under_way = ["staging", "starting", "killing"].iter().map(|state| metrics.tasks(state)).sum();
    let wrong = ENDED.iter().filter(|state| !["finished", "killed"].contains(state));
    let wrong = wrong.map(|state| metrics.tasks(state)).sum();
    let unreachable = metrics.count("slaves_unreachable");
    let agents = [(metrics.count("slaves_inactive"), "inactive"), (unreachable, "unreachable")];
    let frameworks = [(metrics.count("frameworks_disconnected"), "disconnected")];
    let tasks = [(under_way, "under way"), (metrics.tasks("unreachable"), "unreachable")];
    let ended = [(metrics.tasks("killed"), "killed"), (wrong, "went wrong")];
    let quotas = looked.view.quotas.len().to_string();
    cards([
        ("Agents", metrics.count("slaves_active").to_string(), words("active", &agents)),
        ("Frameworks", metrics.count("frameworks_active").to_string(), words("connected", &frameworks)),
        ("Tasks", metrics.tasks("running").to_string(), words("running", &tasks)),
        ("Ended tasks", metrics.tasks("finished").to_string(), words("finished", &ended)),
        ("Offers", metrics.count("outstanding_offers").to_string(), "outstanding".into()),
        ("Quotas", quotas, "set".into()),
    ])
}

/// What a number counts, and those that it does not count, if there are any.
fn words(counted: &str, others: &[(f64, &str)]) -> Html {
    let others = others.iter().filter(|(count, _)| *count > 0.0).map(|(count, word)| format!(", {count} {word}"));
    format!("{counted}{}", others.collect::<String>()).into()
}

fn resources(total: &Amounts, used: &Amounts, offered: &Amounts) -> Html {
    if total.is_empty() { muted("There is no agent that has any.") } else { bars(total, used, offered) }
}

/// A link to those that are not shown.
fn rest(count: usize, kind: &str) -> Html {
    let page = match kind {
        "agents" => Address::here("/pages/agents"),
        "frameworks" => Address::here("/pages/frameworks"),
        _ => Address::here("/pages/tasks"),
    };
    if count > FEW { muted(link(&page, format!("All {count} {kind}"))) } else { Html::default() }
}

/// What is measured, by name.
#[derive(Debug, Default)]
pub(super) struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// What the page of this name shows: but for the first, nothing.
    pub(super) async fn of(office: Office<'_>, page: &str) -> Self {
        let measured = if page.is_empty() { office.desk.metrics().await } else { Vec::new() };
        Self(measured.into_iter().collect())
    }

    /// What is looked at for the first page.
    pub(super) fn parts(&self) -> Parts {
        let tasks: f64 = ACTIVE.iter().chain(&ENDED).map(|state| self.tasks(state)).sum();
        if tasks > MANY { Parts::ROLES } else { Parts::ALL }
    }

    fn count(&self, name: &str) -> f64 {
        self.0.get(&format!("master/{name}")).copied().unwrap_or(0.0)
    }

    fn tasks(&self, state: &str) -> f64 {
        self.count(&format!("tasks_{state}"))
    }
}
