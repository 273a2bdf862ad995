//! What the pages of a master show of a cluster with one of everything, whatever that is called.

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use orch_core::allocator::{FrameworkId, Obstacle, Role, WhyNoOffer, WhyNoOfferInRole};
use orch_core::entropy::SeededEntropy;
use proptest::prelude::*;

use super::*;
use crate::master::about::About;
use crate::master::desk::{Decision, Desk};
use crate::master::flags::tests::flags;
use crate::pages::tests::{Parsed, hostile};
use crate::resources::{Form, to_wire};
use crate::wire::operator::{Agent, Framework};
use crate::wire::{
    AgentInfo, AllocationInfo, Attribute, FrameworkInfo, InverseOffer, MediaType, Offer, QuotaConfig, Resource, Scalar,
    Task, TaskState, TaskStatus, Text, TimeInfo, ValueType,
};

/// The pages, and of which kind the thing is that one is about.
const PAGES: [(&str, Option<&str>); 8] = [
    ("", None),
    ("agents", None),
    ("agents", Some("agent")),
    ("frameworks", None),
    ("frameworks", Some("framework")),
    ("tasks", None),
    ("offers", None),
    ("roles", None),
];

#[derive(Debug)]
struct Fixed(View);

#[async_trait]
impl Desk for Fixed {
    async fn view(&self, _: Parts) -> Result<View, Refusal> {
        Ok(self.0.clone())
    }

    async fn decide(&self, _: Decision) -> Result<(), Refusal> {
        Err(Refusal::bad_request("nothing is decided by looking"))
    }

    async fn why_no_offer(&self, framework: &str) -> Result<Option<WhyNoOffer>, Refusal> {
        let role = WhyNoOfferInRole::count(
            "ops".parse::<Role>().expect("a role"),
            [Obstacle::Suppressed, Obstacle::Suppressed],
        );
        Ok(Some(WhyNoOffer { framework: FrameworkId::new(framework), outstanding: 0, roles: vec![role] }))
    }

    async fn metrics(&self) -> Vec<(String, f64)> {
        vec![("master/tasks_running".to_owned(), 1.0), ("master/slaves_active".to_owned(), 1.0)]
    }

    async fn subscribe(&self, _: MediaType) -> Result<Answer, Refusal> {
        Err(Refusal::bad_request("nobody subscribes by looking"))
    }
}

fn resources(role: &str) -> Vec<Resource> {
    let mut all = to_wire(&"cpus:1.5;mem:2048;ports:[31000-31001]".parse().expect("resources"), &Form::default());
    all.iter_mut().for_each(|one| one.allocation_info = Some(AllocationInfo { role: Some(role.to_owned()) }));
    all
}

/// What something of this kind is known by.
fn id(kind: &str, name: &str) -> String {
    format!("{kind}{name}")
}

fn agent(name: &str, role: &str) -> Agent {
    let text = Text { value: name.to_owned() };
    let attribute =
        Attribute { name: id("rack", name), r#type: ValueType::Text.into(), text: Some(text), ..Attribute::default() };
    let agent_info = AgentInfo {
        id: Some(id("agent", name).as_str().into()),
        hostname: name.to_owned(),
        attributes: vec![attribute],
        ..AgentInfo::default()
    };
    Agent {
        agent_info,
        active: true,
        version: name.to_owned(),
        pid: Some("slave(1)@127.0.0.1:5051".to_owned()),
        registered_time: Some(TimeInfo { nanoseconds: 1_500_000_000 }),
        total_resources: resources(role),
        allocated_resources: resources(role),
        offered_resources: resources(role),
        ..Agent::default()
    }
}

fn framework(name: &str, role: &str) -> Framework {
    let offer = Offer {
        id: id("offer", name).as_str().into(),
        framework_id: id("framework", name).as_str().into(),
        agent_id: id("agent", name).as_str().into(),
        resources: resources(role),
        allocation_info: Some(AllocationInfo { role: Some(role.to_owned()) }),
        ..Offer::default()
    };
    let inverse =
        InverseOffer { framework_id: "gone".into(), agent_id: Some("gone".into()), ..InverseOffer::default() };
    let framework_info = FrameworkInfo {
        id: Some(id("framework", name).as_str().into()),
        name: name.to_owned(),
        user: name.to_owned(),
        roles: vec![role.to_owned()],
        hostname: Some(name.to_owned()),
        principal: Some(name.to_owned()),
        webui_url: Some(name.to_owned()),
        ..FrameworkInfo::default()
    };
    Framework {
        framework_info,
        connected: true,
        offers: vec![offer],
        inverse_offers: vec![inverse],
        allocated_resources: resources(role),
        ..Framework::default()
    }
}

fn task(kind: &str, name: &str, role: &str, state: TaskState) -> Task {
    Task {
        task_id: id(kind, name).as_str().into(),
        name: name.to_owned(),
        framework_id: id("framework", name).as_str().into(),
        agent_id: id("agent", name).as_str().into(),
        state: state.into(),
        resources: resources(role),
        statuses: vec![TaskStatus { message: Some(name.to_owned()), healthy: Some(true), ..TaskStatus::default() }],
        ..Task::default()
    }
}

/// A cluster with one of everything, all called so.
fn view(name: &str) -> View {
    // A role within a role is two.
    let role = name.replace('/', "|");
    let agent = agent(name, &role);
    let mut odd = Agent { pid: Some(format!("slave(1)@{name}")), active: false, ..agent.clone() };
    odd.agent_info.id = Some(id("odd", name).as_str().into());
    let amounts = std::collections::BTreeMap::from([(id("cpus", name), Scalar { value: 2.0 })]);
    let quota = QuotaConfig { role: role.clone(), guarantees: amounts.clone(), limits: amounts };
    View {
        recovered_agents: vec![agent.agent_info.clone()],
        agents: vec![agent, odd],
        unreachable_agents: 1,
        frameworks: vec![framework(name, &role)],
        tasks: vec![task("task", name, &role, TaskState::Running)],
        completed_tasks: vec![task("old", name, &role, TaskState::Failed)],
        weights: [(role.clone(), 2.0)].into(),
        quotas: [(role, quota)].into(),
        ..View::default()
    }
}

fn shown(name: &str) -> Vec<Parsed> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let about = About::new(flags(&[]).expect("flags"), 5050, Timestamp::UNIX_EPOCH, &SeededEntropy::from_os());
    let desk = Fixed(view(name));
    let office = Office { about: &about, elected: Timestamp::UNIX_EPOCH, desk: &desk };
    let shown = |(rest, about): (&'static str, Option<&str>)| {
        let query = about.map(|kind| Address::here("").with("id", &id(kind, name)));
        let query = Query::of(query.as_ref().map_or("", |query| query.as_str().trim_start_matches('?')));
        runtime.block_on(async move {
            let answer =
                page(office, rest, &query).await.unwrap_or_else(|refusal| panic!("{rest}: {}", refusal.message));
            let body = answer.into_body().collect().await.expect("a body").to_bytes();
            Parsed::of(&String::from_utf8_lossy(&body))
        })
    };
    PAGES.map(shown).into()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_pages_have_the_same_tags_whatever_hosts_tasks_frameworks_and_roles_are_called(name in hostile()) {
        for (page, (plain, odd)) in PAGES.iter().zip(shown("x").into_iter().zip(shown(&name))) {
            prop_assert_eq!(&odd.tags, &plain.tags, "{:?}", page);
            prop_assert_eq!(&odd.errors, &Vec::<String>::new());
            let leads = |link: &String| link.starts_with('/') || link.starts_with("http://127.0.0.1:5051/");
            prop_assert!(odd.links.iter().all(leads), "{:?}", odd.links);
        }
    }
}

#[test]
fn the_pages_show_what_the_master_knows_and_lead_to_one_another() {
    let pages = shown("web");
    let overview = &pages[0];
    for word in ["web", "task", "1.5 cpus, 2 GB mem, ports [31000-31001]", "running", "healthy", "Mesos 1.11.0"] {
        assert!(overview.text.contains(word), "{word} in {}", overview.text);
    }
    let sandbox = "http://127.0.0.1:5051/pages/sandbox?framework=frameworkweb&executor=taskweb&task=taskweb";
    for link in ["/pages/agents?id=agentweb", "/pages/frameworks?id=frameworkweb", sandbox] {
        assert!(overview.links.iter().any(|known| known == link), "{link} in {:?}", overview.links);
    }
    let framework = &pages[4].text;
    assert!(framework.contains("ops: 2 agents not offered, as the framework suppressed the role"), "{framework}");
    assert!(framework.contains("failed") && pages[6].text.contains("offerweb") && pages[7].text.contains("2 cpusweb"));
}
