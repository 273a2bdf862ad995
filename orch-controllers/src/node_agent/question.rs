//! [`Question`]: what a probe or a hook puts to a container, and its answer.

use std::time::Duration;

use std::net::IpAddr;

use orch_core::object::{
    Container, ExecAction, HttpGetAction, HttpHeader, IntOrString, LifecycleHandler, Probe, TcpSocketAction, UriScheme,
};
use orch_core::runtime::{ContainerId, ExecOutput, Runtime, RuntimeError};
use tokio::net::TcpStream;

use super::http;

/// What is put to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Does the command exit with 0?
    Exec(Vec<String>),
    /// Is a connection accepted?
    Tcp { host: String, port: u16 },
    /// Is the request answered with 200 to 399?
    Http { host: String, port: u16, path: String, headers: Vec<HttpHeader> },
    /// No question: a time to wait.
    Sleep(Duration),
    /// It cannot be put, for this reason: every answer is bad.
    Impossible(String),
}

/// What came of a question.
#[derive(Debug)]
pub(super) enum Answer {
    Good,
    /// Why not.
    Bad(String),
    /// It could not be put through no fault of the container's, such as that it had ended.
    None(RuntimeError),
}

impl Question {
    /// What a probe asks.
    pub(super) fn of_probe(probe: &Probe, container: &Container, pod_ip: IpAddr) -> Self {
        let Probe { exec, http_get, tcp_socket, .. } = probe;
        Self::of(exec.as_ref(), http_get.as_ref(), tcp_socket.as_ref(), container, pod_ip).unwrap_or_else(|| {
            Self::Impossible("the probe has none of exec, httpGet and tcpSocket: give it one".into())
        })
    }

    /// What a hook does.
    pub(super) fn of_hook(hook: &LifecycleHandler, container: &Container, pod_ip: IpAddr) -> Self {
        let LifecycleHandler { exec, http_get, tcp_socket, sleep } = hook;
        let sleep = sleep.as_ref().map(|sleep| Duration::from_secs(sleep.seconds.max(0).unsigned_abs()));
        Self::of(exec.as_ref(), http_get.as_ref(), tcp_socket.as_ref(), container, pod_ip)
            .or_else(|| sleep.map(Self::Sleep))
            .unwrap_or_else(|| {
                Self::Impossible("the hook has none of exec, httpGet, tcpSocket and sleep: give it one".into())
            })
    }

    fn of(
        exec: Option<&ExecAction>,
        http_get: Option<&HttpGetAction>,
        tcp_socket: Option<&TcpSocketAction>,
        container: &Container,
        pod_ip: IpAddr,
    ) -> Option<Self> {
        let host =
            |host: &Option<String>| host.clone().filter(|host| !host.is_empty()).unwrap_or_else(|| pod_ip.to_string());
        if let Some(exec) = exec {
            return Some(Self::Exec(exec.command.clone()));
        }
        if let Some(http) = http_get {
            if http.scheme() == UriScheme::Https {
                return Some(Self::Impossible(
                    "HTTPS requests are not supported: use scheme HTTP, tcpSocket or exec".to_owned(),
                ));
            }
            let (path, headers) = (http.path().to_owned(), http.http_headers.clone());
            return Some(match port(&http.port, container) {
                Ok(port) => Self::Http { host: host(&http.host), port, path, headers },
                Err(message) => Self::Impossible(message),
            });
        }
        let tcp = tcp_socket?;
        Some(match port(&tcp.port, container) {
            Ok(port) => Self::Tcp { host: host(&tcp.host), port },
            Err(message) => Self::Impossible(message),
        })
    }

    /// Puts the question to a running container.
    pub(super) async fn put(&self, runtime: &dyn Runtime, to: &ContainerId, within: Duration) -> Answer {
        let too_late = || format!("no answer within {} s", within.as_secs());
        match self {
            Self::Impossible(message) => Answer::Bad(message.clone()),
            Self::Exec(command) => exec_answer(runtime.exec(to, command, within).await),
            Self::Tcp { host, port } => {
                let bad = |why: String| Answer::Bad(format!("dial tcp {host}:{port}: {why}"));
                match tokio::time::timeout(within, TcpStream::connect((host.as_str(), *port))).await {
                    Ok(Ok(_)) => Answer::Good,
                    Ok(Err(error)) => bad(error.to_string()),
                    Err(_) => bad(too_late()),
                }
            }
            Self::Http { host, port, path, headers } => {
                match tokio::time::timeout(within, http::get(host, *port, path, headers)).await {
                    Ok(Ok(())) => Answer::Good,
                    Ok(Err(message)) => Answer::Bad(message),
                    Err(_) => Answer::Bad(too_late()),
                }
            }
            Self::Sleep(time) => {
                tokio::time::sleep((*time).min(within)).await;
                if *time <= within { Answer::Good } else { Answer::Bad(too_late()) }
            }
        }
    }
}

fn exec_answer(result: Result<ExecOutput, RuntimeError>) -> Answer {
    /// How much of a command's output is told.
    const OUTPUT_MAX: usize = 256;
    match result {
        Ok(ExecOutput { code: 0, .. }) => Answer::Good,
        Ok(output) => {
            let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
            let said = String::from_utf8_lossy(&said[..said.len().min(OUTPUT_MAX)]);
            Answer::Bad(format!("command exited with {}: {}", output.code, said.trim_end()))
        }
        Err(error @ (RuntimeError::TimedOut | RuntimeError::CommandNotFound { .. })) => Answer::Bad(error.to_string()),
        Err(error) => Answer::None(error),
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

#[cfg(test)]
mod tests {
    use orch_core::object::{ContainerPort, SleepAction};

    use super::*;

    fn question(probe: &Probe) -> Question {
        let port = ContainerPort { name: Some("http".into()), container_port: 8080, ..ContainerPort::default() };
        let container = Container { name: "web".into(), ports: vec![port], ..Container::default() };
        Question::of_probe(probe, &container, [10, 0, 0, 7].into())
    }

    #[test]
    fn ports_are_found_by_name_and_the_address_is_the_pods_unless_given() {
        let tcp = |port: IntOrString, host: Option<&str>| {
            let tcp_socket = Some(TcpSocketAction { port, host: host.map(Into::into) });
            question(&Probe { tcp_socket, ..Probe::default() })
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
        let asked = question(&Probe { http_get: Some(http), ..Probe::default() });
        assert!(matches!(asked, Question::Impossible(message) if message.contains("HTTPS")));
        assert!(matches!(question(&Probe::default()), Question::Impossible(_)));
        let hook = |hook| Question::of_hook(&hook, &Container::default(), [10, 0, 0, 7].into());
        assert!(matches!(hook(LifecycleHandler::default()), Question::Impossible(_)));
        let sleep = Some(SleepAction { seconds: 5 });
        assert_eq!(hook(LifecycleHandler { sleep, ..Default::default() }), Question::Sleep(Duration::from_secs(5)));
    }
}
