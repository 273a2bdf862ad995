//! [`Probe`]: how a container is asked whether it is well.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::int_or_string::IntOrString;
use super::null::null_as_default;

/// How a container is asked whether it is well: by exactly one of `exec`, `http_get` and `tcp_socket`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Probe {
    /// Well if a command in the container exits with 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec: Option<ExecAction>,
    /// Well if an HTTP request is answered with a status from 200 to 399.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_get: Option<HttpGetAction>,
    /// Well if a TCP connection is accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_socket: Option<TcpSocketAction>,
    /// How long after its start it is first asked; see [`initial_delay`](Self::initial_delay).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_delay_seconds: Option<i32>,
    /// How often it is asked; see [`period`](Self::period).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_seconds: Option<i32>,
    /// How long an answer may take; see [`timeout`](Self::timeout).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<i32>,
    /// How many good answers in a row end a failure; see [`success_threshold`](Self::success_threshold).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_threshold: Option<i32>,
    /// How many bad answers in a row are a failure; see [`failure_threshold`](Self::failure_threshold).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_threshold: Option<i32>,
    /// How long the container is given to end when this probe fails; the pod's grace period by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_grace_period_seconds: Option<i64>,
}

impl Probe {
    /// How long after its start the container is first asked; at once by default.
    #[must_use]
    pub fn initial_delay(&self) -> Duration {
        seconds(self.initial_delay_seconds.unwrap_or(0))
    }

    /// How often the container is asked; every 10 s by default.
    #[must_use]
    pub fn period(&self) -> Duration {
        seconds(self.period_seconds.unwrap_or(10))
    }

    /// How long an answer may take; 1 s by default.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        seconds(self.timeout_seconds.unwrap_or(1))
    }

    /// How many good answers in a row end a failure; 1 by default.
    #[must_use]
    pub fn success_threshold(&self) -> u32 {
        self.success_threshold.unwrap_or(1).max(1).unsigned_abs()
    }

    /// How many bad answers in a row are a failure; 3 by default.
    #[must_use]
    pub fn failure_threshold(&self) -> u32 {
        self.failure_threshold.unwrap_or(3).max(1).unsigned_abs()
    }

    /// How long the container is given to end when this probe fails, if that differs from the pod's grace period.
    #[must_use]
    pub fn termination_grace_period(&self) -> Option<Duration> {
        self.termination_grace_period_seconds.map(|seconds| Duration::from_secs(seconds.max(0).unsigned_abs()))
    }
}

/// A negative number of seconds, which validation refuses, is none.
fn seconds(seconds: i32) -> Duration {
    Duration::from_secs(seconds.max(0).unsigned_abs().into())
}

/// A command that is run in the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExecAction {
    /// The program and its arguments; no shell is involved.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

/// An HTTP request to the container. Redirects are not followed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpGetAction {
    /// The path; see [`path`](Self::path).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The port's number or name.
    pub port: IntOrString,
    /// The host to connect to; the pod's address by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// HTTP or HTTPS; see [`scheme`](Self::scheme).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<UriScheme>,
    /// Headers to send, in order; a name may be repeated.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub http_headers: Vec<HttpHeader>,
}

impl HttpGetAction {
    /// The path; `/` by default.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.as_deref().unwrap_or("/")
    }

    /// The scheme; HTTP by default.
    #[must_use]
    pub fn scheme(&self) -> UriScheme {
        self.scheme.unwrap_or_default()
    }
}

/// How a connection for HTTP is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum UriScheme {
    /// Plain.
    #[default]
    #[serde(rename = "HTTP")]
    Http,
    /// With TLS; the certificate is not checked.
    #[serde(rename = "HTTPS")]
    Https,
}

/// A header of an HTTP request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpHeader {
    /// The header's name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A TCP connection to the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpSocketAction {
    /// The port's number or name.
    pub port: IntOrString,
    /// The host to connect to; the pod's address by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}
