//! The status of a task, as its executor tells it.

use std::net::IpAddr;

use orch_core::clock::Timestamp;

use super::BuiltinSetting;
use super::life::{Life, Told};
use crate::wire::{
    AgentId, ContainerId, ContainerStatus, ExecutorId, IpAddress, NetworkInfo, Protocol, Source, TaskStatus,
};

/// What stands in every status of an executor's tasks.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) executor_id: ExecutorId,
    pub(super) agent_id: AgentId,
    pub(super) agent_ip: IpAddr,
    pub(super) container_id: String,
}

impl About {
    pub(super) fn of(setting: &BuiltinSetting) -> Self {
        Self {
            executor_id: setting.executor.executor_id.clone(),
            agent_id: setting.agent_id.clone(),
            agent_ip: setting.agent_ip,
            container_id: setting.container_id.clone(),
        }
    }
}

/// The status of a task.
pub(super) fn status(about: &About, life: &Life, told: Told, uuid: Vec<u8>, now: Timestamp) -> TaskStatus {
    TaskStatus {
        task_id: life.task.task_id.clone(),
        state: told.state.into(),
        message: told.message,
        source: Some(Source::Executor.into()),
        reason: told.reason.map(Into::into),
        agent_id: Some(about.agent_id.clone()),
        executor_id: Some(about.executor_id.clone()),
        timestamp: Some(seconds(now)),
        uuid: Some(uuid),
        healthy: told.healthy,
        check_status: told.check_status,
        container_status: Some(container(about, life)),
        ..TaskStatus::default()
    }
}

fn container(about: &About, life: &Life) -> ContainerStatus {
    let nested = life.container_id != about.container_id;
    let parent = nested.then(|| Box::new(ContainerId { value: about.container_id.clone(), parent: None }));
    let ip = life.launched.ip.unwrap_or(about.agent_ip);
    let protocol = if ip.is_ipv4() { Protocol::IPv4 } else { Protocol::IPv6 };
    let address = IpAddress { protocol: Some(protocol.into()), ip_address: Some(ip.to_string()) };
    let network = NetworkInfo { ip_addresses: vec![address], ..NetworkInfo::default() };
    ContainerStatus {
        container_id: Some(ContainerId { value: life.container_id.clone(), parent }),
        network_infos: vec![network],
        executor_pid: life.launched.pid,
    }
}

#[allow(clippy::cast_precision_loss, reason = "microseconds are exact for as long as anybody will run this")]
fn seconds(time: Timestamp) -> f64 {
    time.as_microsecond() as f64 / 1e6
}
