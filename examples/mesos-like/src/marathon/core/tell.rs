//! What those who listen are told.

use serde_json::{Value, json};

use super::{Deployment, Instance, Marathon};
use crate::marathon::model::{App, AppId, ReadinessCheck, Version, write};
use crate::wire::TaskStatus;

/// What those who listen are told.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// Something has happened: an event as clients know it, and its type.
    Event {
        /// As in `deployment_success`.
        kind: &'static str,
        /// All of it.
        event: Value,
    },
    /// Somebody is to ask an instance whether it is ready.
    Probe(Probe),
}

/// A question whether an instance is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Which instance.
    pub instance: String,
    /// Where, as `host:port`.
    pub address: String,
    /// What is asked for.
    pub path: String,
    /// How many seconds the answer may take.
    pub timeout_seconds: u64,
    /// The statuses that say yes.
    pub statuses: Vec<u16>,
}

/// Something that has happened.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told<'a> {
    Of(&'a Instance, News<'a>),
    Posted { app: &'a App, peer: &'a str, uri: &'a str },
    GroupChanged { group: &'a AppId, version: Version },
    Deploying(&'a Deployment),
    StepDone(&'a Deployment),
    DeploymentOver { deployment: &'a Deployment, is_well: bool },
    AppEnded(&'a AppId),
}

/// Something that has happened to an instance.
#[derive(Clone, Copy, Debug)]
pub(super) enum News<'a> {
    /// Its task is in another state.
    Status(&'a TaskStatus),
    /// It is so, as Marathon calls it.
    Condition(&'a str),
    /// It works, or does not any more.
    Health,
    /// It did not work, and was ended for that.
    UnhealthyKilled(&'a TaskStatus),
}

impl Probe {
    /// The question that a check asks, unless the instance has no such port.
    #[must_use]
    pub fn of(instance: &Instance, app: &App, check: &ReadinessCheck) -> Option<Self> {
        let named = |name: &Option<String>| name.as_ref() == Some(&check.port_name);
        let index = match app.is_in_host_network() {
            true => app.port_definitions.iter().flatten().position(|port| named(&port.name)),
            false => app.container.iter().flat_map(|c| &c.port_mappings).position(|port| named(&port.name)),
        };
        let port = instance.ports.get(index?).copied().filter(|port| *port > 0)?;
        Some(Self {
            instance: instance.id.clone(),
            address: format!("{}:{port}", instance.host),
            path: check.path.clone(),
            timeout_seconds: check.timeout_seconds,
            statuses: check.http_status_codes_for_ready.clone(),
        })
    }
}

impl Marathon {
    /// Tells those who listen.
    pub(super) fn tell(&mut self, told: Told<'_>, now: Version) {
        let (kind, mut event) = event(told, self);
        event["eventType"] = kind.into();
        event["timestamp"] = now.to_string().into();
        self.out.notices.push(Notice::Event { kind, event });
    }

    /// Tells those who listen that somebody asked for an app to be so.
    pub fn posted(&mut self, app: &App, peer: &str, uri: &str, now: Version) {
        self.tell(Told::Posted { app, peer, uri }, now);
    }
}

fn event(told: Told<'_>, marathon: &Marathon) -> (&'static str, Value) {
    let step = |deployment: &Deployment| json!({ "plan": plan(deployment, marathon), "currentStep": { "actions": deployment.actions() } });
    match told {
        Told::Of(instance, news) => of_instance(instance, news),
        Told::Posted { app, peer, uri } => {
            ("api_post_event", json!({ "clientIp": peer, "uri": uri, "appDefinition": write::json(app) }))
        }
        Told::GroupChanged { group, version } => {
            ("group_change_success", json!({ "groupId": group, "version": version }))
        }
        Told::Deploying(deployment) => ("deployment_info", step(deployment)),
        Told::StepDone(deployment) => ("deployment_step_success", step(deployment)),
        Told::DeploymentOver { deployment, is_well } => {
            let kind = if is_well { "deployment_success" } else { "deployment_failed" };
            (kind, json!({ "id": deployment.id, "plan": plan(deployment, marathon) }))
        }
        Told::AppEnded(app) => ("app_terminated_event", json!({ "appId": app })),
    }
}

fn of_instance(instance: &Instance, news: News<'_>) -> (&'static str, Value) {
    match news {
        News::Status(status) => (
            "status_update_event",
            json!({
                "slaveId": instance.agent_id, "taskId": instance.task_id, "taskStatus": status.state().text(),
                "message": status.message.as_deref().unwrap_or_default(), "appId": instance.app,
                "host": instance.host, "ports": instance.ports, "ipAddresses": addresses(instance),
                "version": instance.version,
            }),
        ),
        News::Condition(condition) => (
            "instance_changed_event",
            json!({
                "instanceId": instance.id, "condition": condition, "runSpecId": instance.app,
                "slaveId": instance.agent_id, "host": instance.host, "runSpecVersion": instance.version,
            }),
        ),
        News::UnhealthyKilled(status) => (
            "unhealthy_task_kill_event",
            json!({
                "appId": instance.app, "taskId": instance.task_id, "instanceId": instance.id,
                "version": instance.version, "reason": status.message.as_deref().unwrap_or_default(),
            }),
        ),
        News::Health => (
            "health_status_changed_event",
            json!({
                "appId": instance.app, "instanceId": instance.id, "taskId": instance.task_id,
                "version": instance.version, "alive": instance.healthy == Some(true),
            }),
        ),
    }
}

/// A deployment, as events tell of it: with the apps that it is about.
fn plan(deployment: &Deployment, marathon: &Marathon) -> Value {
    let side = |from: bool| {
        let apps = deployment.apps.iter().filter_map(|(id, change)| {
            let version = if from { change.from } else { change.to };
            marathon.history.get(id, version?).map(|app| write::json(app))
        });
        json!({
            "id": "/", "apps": apps.collect::<Vec<_>>(), "groups": [], "pods": [], "dependencies": [],
            "version": deployment.version,
        })
    };
    json!({
        "id": deployment.id, "version": deployment.version, "original": side(true), "target": side(false),
        "steps": deployment.steps,
    })
}

pub(super) fn addresses(instance: &Instance) -> Vec<Value> {
    let protocol = |address: &str| if address.contains(':') { "IPv6" } else { "IPv4" };
    let one = |address: &String| json!({ "ipAddress": address, "protocol": protocol(address) });
    instance.ip_addresses.iter().map(one).collect()
}
