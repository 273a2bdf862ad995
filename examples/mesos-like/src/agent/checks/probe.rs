//! [`Target`] and [`Probe`]: looking at a task once.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpStream;

use super::super::containers::Containers;
use crate::wire::{
    CheckInfo, CheckStatusCommand, CheckStatusHttp, CheckStatusInfo, CheckStatusTcp, CheckType, CommandInfo,
    HealthCheck, Protocol,
};

/// The task that is looked at.
#[derive(Clone, Debug)]
pub(in crate::agent) struct Target {
    /// What it runs in.
    pub(in crate::agent) containers: Arc<Containers>,
    /// Its container.
    pub(in crate::agent) container_id: String,
    /// Its own address; none if it has the machine's.
    pub(in crate::agent) ip: Option<IpAddr>,
}

/// One way to look at a task.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Probe {
    Command(Vec<String>),
    Http { scheme: String, port: u16, path: String, statuses: Vec<u32>, ipv6: bool },
    Tcp { port: u16, ipv6: bool },
}

/// What was seen of a task: as much as there was to see, or why there was nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    Exit(i32),
    Status(u16),
    Connected,
}

impl Probe {
    pub(super) fn of_health(check: &HealthCheck) -> Result<Self, String> {
        let missing = |what: &str| format!("the health check has no `{what}`");
        match kind(check.r#type(), check.command.is_some(), check.http.is_some()) {
            CheckType::Command => Ok(Self::Command(words(check.command.as_ref().ok_or_else(|| missing("command"))?)?)),
            CheckType::Http => {
                let http = check.http.as_ref().ok_or_else(|| missing("http"))?;
                Ok(Self::Http {
                    scheme: http.scheme.clone().unwrap_or_else(|| "http".to_owned()),
                    port: port(http.port)?,
                    path: http.path.clone().unwrap_or_else(|| "/".to_owned()),
                    statuses: http.statuses.clone(),
                    ipv6: http.protocol() == Protocol::IPv6,
                })
            }
            _ => {
                let tcp = check.tcp.as_ref().ok_or_else(|| missing("tcp"))?;
                Ok(Self::Tcp { port: port(tcp.port)?, ipv6: tcp.protocol() == Protocol::IPv6 })
            }
        }
    }

    pub(super) fn of_check(check: &CheckInfo) -> Result<Self, String> {
        let missing = |what: &str| format!("the check has no `{what}`");
        match kind(check.r#type(), check.command.is_some(), check.http.is_some()) {
            CheckType::Command => {
                let command = check.command.as_ref().ok_or_else(|| missing("command"))?;
                Ok(Self::Command(words(&command.command)?))
            }
            CheckType::Http => {
                let http = check.http.as_ref().ok_or_else(|| missing("http"))?;
                let (port, path) = (port(http.port)?, http.path.clone().unwrap_or_else(|| "/".to_owned()));
                Ok(Self::Http { scheme: "http".to_owned(), port, path, statuses: Vec::new(), ipv6: false })
            }
            _ => Ok(Self::Tcp { port: port(check.tcp.as_ref().ok_or_else(|| missing("tcp"))?.port)?, ipv6: false }),
        }
    }

    /// Looks once.
    pub(super) async fn look(&self, target: &Target, timeout: Duration) -> Result<Sight, String> {
        let at = |ipv6: bool| {
            let own = if ipv6 { IpAddr::V6(Ipv6Addr::LOCALHOST) } else { IpAddr::V4(Ipv4Addr::LOCALHOST) };
            target.ip.unwrap_or(own)
        };
        let looked = async {
            match self {
                Self::Command(command) => {
                    let output = target.containers.exec(&target.container_id, command, timeout).await?;
                    Ok(Sight::Exit(output.code))
                }
                Self::Http { scheme, port, path, ipv6, .. } => http(scheme, at(*ipv6), *port, path).await,
                Self::Tcp { port, ipv6 } => {
                    let connected = TcpStream::connect((at(*ipv6), *port)).await;
                    connected.map(|_| Sight::Connected).map_err(|error| format!("port {port}: {error}"))
                }
            }
        };
        // What runs beside a container is killed in time by its runtime.
        let patience = if matches!(self, Self::Command(_)) { timeout.saturating_mul(2) } else { timeout };
        let late = |_| format!("it took longer than {} seconds", timeout.as_secs_f64());
        tokio::time::timeout(patience, looked).await.map_err(late)?
    }

    /// Whether a task that is seen so works.
    pub(super) fn judge(&self, seen: Result<Sight, String>) -> Result<(), String> {
        match seen? {
            Sight::Exit(0) | Sight::Connected => Ok(()),
            Sight::Exit(code) => Err(format!("the command ended with {code}")),
            Sight::Status(status) => {
                let Self::Http { statuses, .. } = self else { return Ok(()) };
                let good = (200..400).contains(&status) || statuses.contains(&u32::from(status));
                if good { Ok(()) } else { Err(format!("the answer has status {status}")) }
            }
        }
    }

    /// What a framework is told of what was seen; before anything was, that there is such a check.
    pub(super) fn status(&self, seen: Option<&Result<Sight, String>>) -> CheckStatusInfo {
        let seen = seen.and_then(|seen| seen.as_ref().ok());
        let nothing = CheckStatusInfo::default();
        match self {
            Self::Command(_) => {
                let exit_code = seen.and_then(|seen| if let Sight::Exit(code) = seen { Some(*code) } else { None });
                let command = Some(CheckStatusCommand { exit_code });
                CheckStatusInfo { r#type: Some(CheckType::Command.into()), command, ..nothing }
            }
            Self::Http { .. } => {
                let status_code =
                    seen.and_then(|seen| if let Sight::Status(status) = seen { Some((*status).into()) } else { None });
                let http = Some(CheckStatusHttp { status_code });
                CheckStatusInfo { r#type: Some(CheckType::Http.into()), http, ..nothing }
            }
            Self::Tcp { .. } => CheckStatusInfo {
                r#type: Some(CheckType::Tcp.into()),
                tcp: Some(CheckStatusTcp { succeeded: None }),
                ..nothing
            },
        }
    }

    /// The same after a look: that nothing answers is something that was seen, too.
    pub(super) fn status_after(&self, seen: &Result<Sight, String>) -> CheckStatusInfo {
        let mut status = self.status(Some(seen));
        if let Some(tcp) = &mut status.tcp {
            tcp.succeeded = Some(seen.is_ok());
        }
        status
    }
}

/// Old frameworks name no type.
fn kind(named: CheckType, has_command: bool, has_http: bool) -> CheckType {
    match named {
        CheckType::Unknown if has_command => CheckType::Command,
        CheckType::Unknown if has_http => CheckType::Http,
        CheckType::Unknown => CheckType::Tcp,
        named => named,
    }
}

fn port(port: u32) -> Result<u16, String> {
    u16::try_from(port).map_err(|_| format!("{port} is no port"))
}

fn words(command: &CommandInfo) -> Result<Vec<String>, String> {
    let value = command.value.clone().ok_or("the command of the check is empty: set `value`")?;
    let variables = command.environment.iter().flat_map(|environment| &environment.variables);
    let variables =
        variables.map(|variable| format!("{}={}", variable.name, variable.value.as_deref().unwrap_or_default()));
    let mut words: Vec<String> = variables.collect();
    if !words.is_empty() {
        words.insert(0, "env".to_owned());
    }
    if command.shell() {
        words.extend(["/bin/sh".to_owned(), "-c".to_owned(), value]);
    } else {
        words.push(value);
        words.extend(command.arguments.iter().skip(1).cloned());
    }
    Ok(words)
}

async fn http(scheme: &str, ip: IpAddr, port: u16, path: &str) -> Result<Sight, String> {
    if scheme != "http" {
        return Err(format!("the scheme {scheme} is not asked by this agent: use http"));
    }
    let host = std::net::SocketAddr::new(ip, port);
    let path = path.strip_prefix('/').unwrap_or(path);
    let address: Uri = format!("http://{host}/{path}").parse().map_err(|error| format!("the path {path}: {error}"))?;
    // A connection of its own each time: a task that takes no new ones does not work.
    let client: Client<HttpConnector, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    match client.get(address).await {
        Ok(response) => Ok(Sight::Status(response.status().as_u16())),
        Err(error) => Err(because(&error)),
    }
}

/// An error with what caused it.
fn because(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", because(cause)),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{HttpCheck, TcpCheck};

    #[test]
    fn a_check_is_of_the_kind_that_it_says_or_of_which_it_has_what_it_needs() {
        let http = HttpCheck { port: 80, path: Some("/health".to_owned()), ..HttpCheck::default() };
        let check = HealthCheck { http: Some(http), ..HealthCheck::default() };
        assert!(matches!(Probe::of_health(&check), Ok(Probe::Http { port: 80, .. })));
        let check = HealthCheck { r#type: Some(CheckType::Tcp.into()), ..check };
        assert!(Probe::of_health(&check).expect_err("it has no tcp").contains("tcp"));
        let check = HealthCheck { tcp: Some(TcpCheck { port: 70_000, protocol: None }), ..HealthCheck::default() };
        assert!(Probe::of_health(&check).expect_err("it is no port").contains("70000"));
    }

    #[test]
    fn what_a_framework_is_told_has_the_shape_of_its_check() {
        let probe = Probe::Tcp { port: 1, ipv6: false };
        assert_eq!(probe.status(None).tcp, Some(CheckStatusTcp { succeeded: None }));
        assert_eq!(probe.status_after(&Err("refused".into())).tcp, Some(CheckStatusTcp { succeeded: Some(false) }));
        let probe = Probe::Command(Vec::new());
        assert_eq!(probe.status_after(&Ok(Sight::Exit(3))).command, Some(CheckStatusCommand { exit_code: Some(3) }));
        assert_eq!(probe.status_after(&Err("late".into())).command, Some(CheckStatusCommand { exit_code: None }));
    }

    /// A server that answers everything with this, or not at all.
    async fn server(answer: Option<&'static str>) -> u16 {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        tokio::spawn(async move {
            let mut waiting = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                if let Some(answer) = answer {
                    let read = stream.read(&mut [0; 1024]).await.expect("a request");
                    assert!(read > 0);
                    stream.write_all(answer.as_bytes()).await.expect("it is read");
                } else {
                    waiting.push(stream);
                }
            }
        });
        port
    }

    #[tokio::test]
    async fn a_server_is_asked_and_one_that_says_nothing_is_given_up() {
        let well = server(Some("HTTP/1.1 204 No Content\r\n\r\n")).await;
        let ill = server(Some("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n")).await;
        let silent = server(None).await;
        let own: IpAddr = Ipv4Addr::LOCALHOST.into();
        assert_eq!(http("http", own, well, "/health?a=b").await, Ok(Sight::Status(204)));
        assert_eq!(http("http", own, ill, "health").await, Ok(Sight::Status(503)));
        assert!(http("https", own, well, "/").await.expect_err("it cannot be asked").contains("https"));
        let asked = tokio::time::timeout(Duration::from_millis(100), http("http", own, silent, "/")).await;
        assert!(asked.is_err(), "it does not answer");
        assert!(http("http", own, 1, "/").await.is_err(), "nobody listens there");
    }

    #[test]
    fn a_status_is_good_from_200_to_399_or_if_it_is_said_to_be() {
        let probe = |statuses| Probe::Http { scheme: "http".into(), port: 1, path: "/".into(), statuses, ipv6: false };
        assert!(probe(vec![]).judge(Ok(Sight::Status(302))).is_ok());
        assert!(probe(vec![]).judge(Ok(Sight::Status(404))).is_err());
        assert!(probe(vec![404]).judge(Ok(Sight::Status(404))).is_ok());
    }
}
