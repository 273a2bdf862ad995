//! How it is known whether an instance works, and whether it is ready.

use serde::{Deserialize, Serialize};

/// How it is known whether an instance works. The agent looks: what Marathon did itself, `HTTP` and `TCP`, is done there too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthCheck {
    /// How it is looked.
    #[serde(default)]
    pub protocol: HealthProtocol,
    /// What is asked for, by HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Which of the app's ports, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_index: Option<usize>,
    /// Which port, whatever the app's are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// What is run: its exit code says how it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CheckCommand>,
    /// For how many seconds failures of one that never worked do not count.
    #[serde(default = "grace")]
    pub grace_period_seconds: u64,
    /// How many seconds pass between two looks.
    #[serde(default = "interval")]
    pub interval_seconds: u64,
    /// How many seconds an answer may take.
    #[serde(default = "timeout")]
    pub timeout_seconds: u64,
    /// After how many failures in a row the instance is killed; never if 0.
    #[serde(default = "failures")]
    pub max_consecutive_failures: u32,
    /// How many seconds pass before the first look.
    #[serde(default = "delay")]
    pub delay_seconds: u64,
    /// Whether answers of 100 to 199 say nothing.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "ignoreHttp1xx")]
    pub ignore_http_1xx: Option<bool>,
}

/// A command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckCommand {
    /// For a shell.
    pub value: String,
}

/// How it is looked whether an instance works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HealthProtocol {
    /// 200 to 399 is well.
    #[default]
    Http,
    /// The same, whatever the certificate.
    Https,
    /// A connection is well.
    Tcp,
    /// Exit code 0 is well.
    Command,
    /// As `HTTP`.
    MesosHttp,
    /// As `HTTPS`.
    MesosHttps,
    /// As `TCP`.
    MesosTcp,
}

/// How it is known whether an instance that was started by a deployment is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReadinessCheck {
    /// What it is called.
    #[serde(default = "readiness_name")]
    pub name: String,
    /// How it is asked.
    #[serde(default)]
    pub protocol: ReadinessProtocol,
    /// What is asked for.
    #[serde(default = "root_path")]
    pub path: String,
    /// Which of the app's ports, by its name.
    #[serde(default = "readiness_port")]
    pub port_name: String,
    /// How many seconds pass between two questions.
    #[serde(default = "readiness_interval")]
    pub interval_seconds: u64,
    /// How many seconds an answer may take.
    #[serde(default = "readiness_timeout")]
    pub timeout_seconds: u64,
    /// The statuses that say that it is ready.
    #[serde(default = "readiness_statuses")]
    pub http_status_codes_for_ready: Vec<u16>,
    /// Whether the last answer is shown.
    #[serde(default)]
    pub preserve_last_response: bool,
}

/// How it is asked whether an instance is ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ReadinessProtocol {
    /// In the clear.
    #[default]
    Http,
    /// Refused when an app is read: there is no such client here.
    Https,
}

fn grace() -> u64 {
    300
}

fn interval() -> u64 {
    60
}

fn timeout() -> u64 {
    20
}

fn failures() -> u32 {
    3
}

fn delay() -> u64 {
    15
}

fn readiness_name() -> String {
    "readinessCheck".to_owned()
}

fn root_path() -> String {
    "/".to_owned()
}

fn readiness_port() -> String {
    "http-api".to_owned()
}

fn readiness_interval() -> u64 {
    30
}

fn readiness_timeout() -> u64 {
    10
}

fn readiness_statuses() -> Vec<u16> {
    vec![200]
}
