//! [`Names`]: who is meant by an id, and where more about it is shown.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::master::view::View;
use crate::pages::{Address, Html, id, link};
use crate::wire::Task;
use crate::wire::operator::Agent;

/// Who is meant by an id.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    agents: BTreeMap<&'a str, &'a Agent>,
    frameworks: BTreeMap<&'a str, &'a str>,
}

impl<'a> Names<'a> {
    pub(super) fn of(view: &'a View) -> Self {
        let agents = view.agents.iter().map(|agent| (agent_id(agent), agent));
        let frameworks = view.frameworks.iter().chain(&view.completed_frameworks).map(|framework| {
            let info = &framework.framework_info;
            (info.id.as_ref().map_or("", |id| &id.value), info.name.as_str())
        });
        Self { agents: agents.collect(), frameworks: frameworks.collect() }
    }

    /// An agent by its name.
    pub(super) fn agent(&self, agent: &str) -> Html {
        match self.agents.get(agent) {
            Some(known) => link(&agent_page(agent), named(&known.agent_info.hostname, agent)),
            None => id(agent),
        }
    }

    /// A framework by its name.
    pub(super) fn framework(&self, framework: &str) -> Html {
        match self.frameworks.get(framework) {
            Some(name) => link(&framework_page(framework), named(name, framework)),
            None => id(framework),
        }
    }

    /// The sandbox of a task, if its agent is there.
    pub(super) fn sandbox(&self, task: &Task) -> Html {
        let agent = self.agents.get(task.agent_id.value.as_str());
        let Some(server) = agent.and_then(|agent| server(agent)) else { return Html::default() };
        let own = task.executor_id.as_ref().map(|id| id.value.as_str()).filter(|id| !id.is_empty());
        let address = Address::at(server, "/pages/sandbox")
            .with("framework", &task.framework_id.value)
            .with("executor", own.unwrap_or(&task.task_id.value))
            .with("task", &task.task_id.value);
        link(&address, "sandbox")
    }
}

pub(super) fn agent_id(agent: &Agent) -> &str {
    agent.agent_info.id.as_ref().map_or("", |id| &id.value)
}

pub(super) fn agent_page(id: &str) -> Address {
    Address::here("/pages/agents").with("id", id)
}

pub(super) fn framework_page(id: &str) -> Address {
    Address::here("/pages/frameworks").with("id", id)
}

/// Where an agent listens.
pub(super) fn server(agent: &Agent) -> Option<SocketAddr> {
    agent.pid.as_deref()?.rsplit_once('@')?.1.parse().ok()
}

/// A name to click on: the id where there is none.
pub(super) fn named<'a>(name: &'a str, id: &'a str) -> &'a str {
    if name.trim().is_empty() { id } else { name }
}
