//! What the daemon is sent and answers: only the fields that are used.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Version {
    pub(super) version: String,
    pub(super) api_version: String,
    #[serde(rename = "MinAPIVersion")]
    pub(super) min_api_version: Option<String>,
}

/// An error.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    pub(super) message: String,
}

/// What was created.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Created {
    pub(super) id: String,
}

/// A container in a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listed {
    pub(super) id: String,
    #[serde(default)]
    pub(super) labels: Option<BTreeMap<String, String>>,
    /// The image's id.
    #[serde(rename = "ImageID", default)]
    pub(super) image_id: String,
}

/// A container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Container {
    pub(super) id: String,
    /// With a slash before it.
    pub(super) name: String,
    pub(super) created: String,
    /// The image's id.
    pub(super) image: String,
    pub(super) state: State,
    pub(super) config: ContainerConfig,
    pub(super) network_settings: NetworkSettings,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct State {
    pub(super) status: String,
    pub(super) running: bool,
    pub(super) pid: u32,
    #[serde(rename = "OOMKilled")]
    pub(super) oom_killed: bool,
    pub(super) exit_code: i32,
    pub(super) error: String,
    pub(super) started_at: String,
    pub(super) finished_at: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ContainerConfig {
    pub(super) labels: Option<BTreeMap<String, String>>,
    pub(super) stop_signal: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct NetworkSettings {
    pub(super) networks: Option<BTreeMap<String, Endpoint>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Endpoint {
    #[serde(rename = "IPAddress")]
    pub(super) ip_address: String,
    #[serde(rename = "GlobalIPv6Address")]
    pub(super) global_ipv6_address: String,
}

/// What a container is created from.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NewContainer {
    pub(super) image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hostname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) domainname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) entrypoint: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cmd: Option<Vec<String>>,
    pub(super) env: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) working_dir: Option<String>,
    pub(super) tty: bool,
    pub(super) open_stdin: bool,
    pub(super) stdin_once: bool,
    pub(super) labels: BTreeMap<&'static str, String>,
    pub(super) host_config: HostConfig,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HostConfig {
    pub(super) network_mode: String,
    pub(super) ipc_mode: String,
    pub(super) restart_policy: RestartPolicy,
    pub(super) log_config: LogConfig,
    pub(super) mounts: Vec<NewMount>,
    pub(super) extra_hosts: Vec<String>,
    pub(super) group_add: Vec<String>,
    pub(super) cap_add: Vec<String>,
    pub(super) cap_drop: Vec<String>,
    pub(super) security_opt: Vec<String>,
    pub(super) readonly_rootfs: bool,
    pub(super) privileged: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu_period: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu_quota: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu_shares: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory_swap: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pids_limit: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RestartPolicy {
    name: &'static str,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self { name: "no" }
    }
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LogConfig {
    #[serde(rename = "Type")]
    pub(super) kind: &'static str,
    pub(super) config: BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NewMount {
    #[serde(rename = "Type")]
    pub(super) kind: &'static str,
    pub(super) source: String,
    pub(super) target: String,
    pub(super) read_only: bool,
}

/// A command to run beside a container.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NewExec {
    pub(super) attach_stdin: bool,
    pub(super) attach_stdout: bool,
    pub(super) attach_stderr: bool,
    pub(super) tty: bool,
    pub(super) detach_keys: &'static str,
    pub(super) env: Vec<String>,
    pub(super) cmd: Vec<String>,
    /// Rows and columns. Known from version 1.42 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) console_size: Option<[u16; 2]>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StartExec {
    pub(super) detach: bool,
    pub(super) tty: bool,
}

/// A command beside a container.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Exec {
    pub(super) running: bool,
    pub(super) exit_code: Option<i32>,
    #[serde(default)]
    pub(super) pid: u32,
}

/// Something that happened.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Event {
    pub(super) actor: Actor,
    #[serde(rename = "timeNano", default)]
    pub(super) time_nano: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Actor {
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, String>,
}

/// An image.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Image {
    pub(super) id: String,
    #[serde(default)]
    pub(super) repo_tags: Option<Vec<String>>,
    #[serde(default)]
    pub(super) repo_digests: Option<Vec<String>>,
    #[serde(default)]
    pub(super) size: i64,
    /// Not in lists.
    #[serde(default)]
    pub(super) config: Option<ImageConfig>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ImageConfig {
    #[serde(default)]
    pub(super) user: String,
}

/// How a pull or an import goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Progress {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) stream: String,
    pub(super) error: String,
    pub(super) progress_detail: ProgressDetail,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ProgressDetail {
    pub(super) current: i64,
    pub(super) total: i64,
}

/// What a container uses.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Stats {
    pub(super) cpu_stats: CpuStats,
    pub(super) memory_stats: MemoryStats,
    pub(super) pids_stats: PidsStats,
    pub(super) networks: Option<BTreeMap<String, Network>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CpuStats {
    pub(super) cpu_usage: CpuUsage,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CpuUsage {
    pub(super) total_usage: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MemoryStats {
    pub(super) usage: Option<u64>,
    pub(super) stats: Option<BTreeMap<String, u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PidsStats {
    pub(super) current: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Network {
    pub(super) rx_bytes: u64,
    pub(super) tx_bytes: u64,
    pub(super) rx_errors: u64,
    pub(super) tx_errors: u64,
}
