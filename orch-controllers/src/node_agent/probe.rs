//! What is asked of a container, and what the answers mean.

use std::net::IpAddr;
use std::time::Duration;

use orch_core::object::{Container, HttpHeader, IntOrString, Probe, UriScheme};
use orch_core::runtime::ContainerId;

/// One probe of one attempt of a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ProbeId {
    pub(super) container: ContainerId,
    pub(super) kind: ProbeKind,
}

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ProbeKind {
    /// Fails: the container is restarted. The others wait until it succeeded.
    Startup,
    /// Fails: the container is restarted.
    Liveness,
    /// Fails: the pod gets no requests.
    Readiness,
}

impl ProbeKind {
    /// As in `Container web failed liveness probe`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
        }
    }

    /// The probe of this kind, if the container has one.
    pub(super) fn of(self, container: &Container) -> Option<&Probe> {
        match self {
            Self::Startup => container.startup_probe.as_ref(),
            Self::Liveness => container.liveness_probe.as_ref(),
            Self::Readiness => container.readiness_probe.as_ref(),
        }
    }
}

/// What the answers so far amount to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Neither threshold was reached yet.
    #[default]
    Undecided,
    /// As many good answers in a row as it takes.
    Success,
    /// As many bad answers in a row as it takes; the last one's message.
    Failure(String),
}

/// Everything that it takes to ask a container again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inquiry {
    pub(super) id: ProbeId,
    pub(super) question: Question,
    /// How long to wait before the first question.
    pub(super) delay: Duration,
    pub(super) period: Duration,
    pub(super) timeout: Duration,
    pub(super) success_threshold: u32,
    pub(super) failure_threshold: u32,
}

impl Inquiry {
    /// What to ask a container that has been running for `age` at this address.
    pub(super) fn new(id: ProbeId, probe: &Probe, container: &Container, pod_ip: IpAddr, age: Duration) -> Self {
        let least = Duration::from_secs(1);
        Self {
            id,
            question: Question::of(probe, container, pod_ip),
            delay: probe.initial_delay().saturating_sub(age),
            period: probe.period().max(least),
            timeout: probe.timeout().max(least),
            success_threshold: probe.success_threshold(),
            failure_threshold: probe.failure_threshold(),
        }
    }
}

/// How a container is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Does the command exit with 0?
    Exec(Vec<String>),
    /// Is a connection accepted?
    Tcp { host: String, port: u16 },
    /// Is the request answered with 200 to 399?
    Http { host: String, port: u16, path: String, headers: Vec<HttpHeader> },
    /// It cannot be asked, for this reason: every answer is bad.
    Impossible(String),
}

impl Question {
    pub(super) fn of(probe: &Probe, container: &Container, pod_ip: IpAddr) -> Self {
        let host =
            |host: &Option<String>| host.clone().filter(|host| !host.is_empty()).unwrap_or_else(|| pod_ip.to_string());
        if let Some(exec) = &probe.exec {
            return Self::Exec(exec.command.clone());
        }
        if let Some(http) = &probe.http_get {
            if http.scheme() == UriScheme::Https {
                return Self::Impossible(
                    "HTTPS probes are not supported: use scheme HTTP, tcpSocket or exec".to_owned(),
                );
            }
            let (path, headers) = (http.path().to_owned(), http.http_headers.clone());
            return match port(&http.port, container) {
                Ok(port) => Self::Http { host: host(&http.host), port, path, headers },
                Err(message) => Self::Impossible(message),
            };
        }
        let Some(tcp) = &probe.tcp_socket else {
            return Self::Impossible("the probe has none of exec, httpGet and tcpSocket: give it one".to_owned());
        };
        match port(&tcp.port, container) {
            Ok(port) => Self::Tcp { host: host(&tcp.host), port },
            Err(message) => Self::Impossible(message),
        }
    }
}

/// The port's number, which may be given by the name that the container's port has.
fn port(port: &IntOrString, container: &Container) -> Result<u16, String> {
    let number = match port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => match container.ports.iter().find(|port| port.name.as_ref() == Some(name)) {
            Some(port) => port.container_port,
            None => return Err(format!("no port of container {} is called {name:?}", container.name)),
        },
    };
    match u16::try_from(number) {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{number} is no port: use a number from 1 to 65535")),
    }
}

/// Counts answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    verdict: Verdict,
    good_in_a_row: u32,
    bad_in_a_row: u32,
}

impl Tally {
    /// Counts an answer, and returns the verdict if that changed it. A failure that goes on, with another message, is
    /// no change.
    pub(super) fn count(&mut self, answer: Result<(), String>, inquiry: &Inquiry) -> Option<Verdict> {
        let verdict = match answer {
            Ok(()) => {
                (self.good_in_a_row, self.bad_in_a_row) = (self.good_in_a_row.saturating_add(1), 0);
                (self.good_in_a_row >= inquiry.success_threshold).then_some(Verdict::Success)
            }
            Err(message) => {
                (self.good_in_a_row, self.bad_in_a_row) = (0, self.bad_in_a_row.saturating_add(1));
                (self.bad_in_a_row >= inquiry.failure_threshold).then_some(Verdict::Failure(message))
            }
        }?;
        if std::mem::discriminant(&verdict) == std::mem::discriminant(&self.verdict) {
            return None;
        }
        self.verdict = verdict.clone();
        Some(verdict)
    }
}

#[cfg(test)]
mod tests {
    use orch_core::object::{ContainerPort, HttpGetAction, TcpSocketAction};

    use super::*;

    fn id() -> ProbeId {
        let container =
            ContainerId { pod: "uid".parse().expect("a uid"), name: "web".parse().expect("a name"), attempt: 0 };
        ProbeId { container, kind: ProbeKind::Readiness }
    }

    fn inquiry(probe: &Probe) -> Inquiry {
        let port = ContainerPort { name: Some("http".into()), container_port: 8080, ..ContainerPort::default() };
        let container = Container { name: "web".into(), ports: vec![port], ..Container::default() };
        Inquiry::new(id(), probe, &container, [10, 0, 0, 7].into(), Duration::from_secs(3))
    }

    #[test]
    fn a_verdict_takes_as_many_answers_in_a_row_as_the_threshold_says() {
        let inquiry = inquiry(&Probe { success_threshold: Some(2), failure_threshold: Some(3), ..Probe::default() });
        let mut tally = Tally::default();
        // Good, bad, and the verdict that this changes to: success, failure or none.
        let answers = ["+ ", "- ", "+ ", "+S", "+ ", "- ", "- ", "+ ", "- ", "- ", "-F", "- ", "+ ", "- ", "+ ", "+S"];
        for (number, answer) in answers.into_iter().enumerate() {
            let given = if answer.starts_with('+') { Ok(()) } else { Err("bad".to_owned()) };
            let changed = match tally.count(given, &inquiry) {
                None => ' ',
                Some(Verdict::Success) => 'S',
                Some(Verdict::Failure(_)) => 'F',
                Some(Verdict::Undecided) => '?',
            };
            assert_eq!(Some(changed), answer.chars().last(), "answer {number}");
        }
    }

    #[test]
    fn ports_are_found_by_name_and_the_address_is_the_pods_unless_given() {
        let tcp = |port: IntOrString, host: Option<&str>| {
            let tcp_socket = Some(TcpSocketAction { port, host: host.map(Into::into) });
            inquiry(&Probe { tcp_socket, ..Probe::default() }).question
        };
        let named = tcp(IntOrString::String("http".into()), None);
        assert_eq!(named, Question::Tcp { host: "10.0.0.7".into(), port: 8080 });
        let elsewhere = tcp(IntOrString::Int(1), Some("::1"));
        assert_eq!(elsewhere, Question::Tcp { host: "::1".into(), port: 1 });
        for port in [IntOrString::String("grpc".into()), IntOrString::Int(0), IntOrString::Int(65_536)] {
            assert!(matches!(tcp(port, None), Question::Impossible(_)));
        }
    }

    #[test]
    fn what_cannot_be_asked_says_why() {
        let http =
            HttpGetAction { port: IntOrString::Int(1), scheme: Some(UriScheme::Https), ..HttpGetAction::default() };
        let question = inquiry(&Probe { http_get: Some(http), ..Probe::default() }).question;
        assert!(matches!(question, Question::Impossible(message) if message.contains("HTTPS")));
        assert!(matches!(inquiry(&Probe::default()).question, Question::Impossible(_)));
    }

    #[test]
    fn the_delay_counts_from_the_start_of_the_container() {
        let delay = |seconds| inquiry(&Probe { initial_delay_seconds: Some(seconds), ..Probe::default() }).delay;
        assert_eq!([delay(10), delay(3), delay(1)].map(|delay| delay.as_secs()), [7, 0, 0]);
    }
}
