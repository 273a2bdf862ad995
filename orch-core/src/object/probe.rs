//! [`Probe`]: how a container is asked whether it is well.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::container::ContainerPort;
use super::int_or_string::{IntOrString, validate_port};
use super::null::null_as_default;
use crate::validation::Problems;

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

    /// Checks the probe of a container that has these ports.
    pub(super) fn validate(&self, ports: &[ContainerPort], problems: &mut Problems) {
        let handlers = [self.exec.is_some(), self.http_get.is_some(), self.tcp_socket.is_some()];
        let handlers = handlers.into_iter().filter(|given| *given).count();
        if handlers != 1 {
            problems.report(format!("must have exactly one of exec, httpGet and tcpSocket, got {handlers}"));
        }
        validate_actions(self.exec.as_ref(), self.http_get.as_ref(), self.tcp_socket.as_ref(), ports, problems);
        problems.at_least("initialDelaySeconds", self.initial_delay_seconds, 0);
        problems.at_least("periodSeconds", self.period_seconds, 1);
        problems.at_least("timeoutSeconds", self.timeout_seconds, 1);
        problems.at_least("successThreshold", self.success_threshold, 1);
        problems.at_least("failureThreshold", self.failure_threshold, 1);
        problems.at_least("terminationGracePeriodSeconds", self.termination_grace_period_seconds, 1);
    }
}

/// Checks what a probe or a hook of a container with these ports does.
pub(super) fn validate_actions(
    exec: Option<&ExecAction>,
    http_get: Option<&HttpGetAction>,
    tcp_socket: Option<&TcpSocketAction>,
    ports: &[ContainerPort],
    problems: &mut Problems,
) {
    if exec.is_some_and(|exec| exec.command.is_empty()) {
        problems.field("exec", |exec| exec.field("command", |command| command.report("must not be empty")));
    }
    if let Some(http) = http_get {
        problems.field("httpGet", |problems| {
            problems.field("port", |problems| validate_action_port(&http.port, ports, problems));
            problems.each("httpHeaders", &http.http_headers, |problems, header| header.validate(problems));
        });
    }
    if let Some(tcp) = tcp_socket {
        problems.field("tcpSocket", |problems| {
            problems.field("port", |problems| validate_action_port(&tcp.port, ports, problems));
        });
    }
}

/// Beyond Kubernetes' rule, a name must be that of a port of the container: the action could never succeed.
fn validate_action_port(port: &IntOrString, ports: &[ContainerPort], problems: &mut Problems) {
    match port {
        IntOrString::String(name) if !ports.iter().any(|port| port.name.as_deref() == Some(name)) => {
            problems.report(format!("must be a number or the name of a port of this container, got {name:?}"));
        }
        _ => validate_port(port, problems),
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

impl HttpHeader {
    /// Names are tokens, and values keep to one line (RFC 9110, section 5): else one header could become two.
    fn validate(&self, problems: &mut Problems) {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if self.name.is_empty() || !self.name.bytes().all(token) {
            let message = format!("must be the name of an HTTP header, got {:?}", self.name);
            problems.field("name", |problems| problems.report(message));
        }
        if self.value.contains(['\r', '\n', '\0']) {
            problems.field("value", |problems| problems.report("must not contain line breaks or NUL"));
        }
    }
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
