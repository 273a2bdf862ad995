//! Sessions with commands beside a container, with the container itself, and with its ports.

use std::sync::Arc;

use async_trait::async_trait;
use orch_core::runtime::{ContainerId, ExecRequest, Interactive, Output, PodUid, RuntimeError, Session, TerminalSize};
use tokio::io::AsyncReadExt as _;

use super::error::Failure;
use super::exec::{Ended, Running, Wanted};
use super::session::{Bound, Decoder, Sink, output};
use super::stream::Frames;
use super::{DockerRuntime, Shared, attach};
use crate::namespace;
use crate::session::input;

/// The exit code of what is killed with its container.
pub(super) const KILLED: i32 = 137;

#[async_trait]
impl Interactive for DockerRuntime {
    async fn open_exec(&self, id: &ContainerId, request: &ExecRequest) -> Result<Session, RuntimeError> {
        self.shared.open_exec(id, request).await
    }

    async fn attach(&self, id: &ContainerId) -> Result<Session, RuntimeError> {
        attach::attach(Arc::clone(&self.shared), id).await
    }

    async fn port_forward(&self, pod: &PodUid, port: u16) -> Result<Session, RuntimeError> {
        self.shared.port_forward(pod, port).await
    }
}

impl Shared {
    async fn open_exec(&self, id: &ContainerId, request: &ExecRequest) -> Result<Session, RuntimeError> {
        let found = self.running(id).await?;
        let terminal = request.terminal.map(|size| [size.rows, size.columns]);
        let wanted = Wanted { command: &request.command, stdin: request.stdin, terminal };
        let (mut running, mut conversation) = self.begin(id, &found, wanted).await?;
        if !running.began().await? {
            let mut says = Vec::new();
            (&mut conversation)
                .take(4096)
                .read_to_end(&mut says)
                .await
                .map_err(|error| Failure::of_connection("a command", error))?;
            let says = says.get(Frames::HEADER..).filter(|_| terminal.is_none()).unwrap_or(&says);
            return Err(running.not_found(&String::from_utf8_lossy(says)));
        }
        if let Some([rows, columns]) = terminal.filter(|_| !self.client.knows_console_size()) {
            running.resizer().resize(rows, columns).await?;
        }
        let (reader, writer) = tokio::io::split(conversation);
        let (sink, input) = input();
        let resizer = running.resizer();
        let pump = Sink { writer: request.stdin.then_some(writer), terminal: terminal.is_some() };
        let pump = Bound(tokio::spawn(
            pump.pump(input, async move |size: TerminalSize| resizer.resize(size.rows, size.columns).await),
        ));
        let decoder = if terminal.is_some() { Decoder::Plain } else { Decoder::Frames(Frames::default()) };
        let epilogue = Box::pin(end_of_command(running));
        Ok(Session { input: sink, output: output(reader, decoder, pump, epilogue) })
    }

    async fn port_forward(&self, pod: &PodUid, port: u16) -> Result<Session, RuntimeError> {
        let sandbox = self.find_sandbox(pod).await?;
        let Some(pid) = sandbox.and_then(|sandbox| sandbox.pid) else {
            return Err(RuntimeError::NoSuchPod { pod: pod.clone() });
        };
        let stream =
            namespace::connect(format!("/proc/{pid}/ns/net").into(), port).await.map_err(|error| {
                match error.kind() {
                    std::io::ErrorKind::ConnectionRefused => {
                        RuntimeError::Refused { pod: pod.clone(), port, message: "nothing listens there".to_owned() }
                    }
                    std::io::ErrorKind::TimedOut => RuntimeError::Refused {
                        pod: pod.clone(),
                        port,
                        message: "who listens there does not answer".to_owned(),
                    },
                    kind => {
                        let transient = kind != std::io::ErrorKind::PermissionDenied;
                        let message = format!("cannot reach port {port} of pod {pod}: {error}");
                        RuntimeError::Unavailable { message, transient, source: Some(Box::new(error)) }
                    }
                }
            })?;
        let (reader, writer) = stream.into_split();
        let (sink, input) = input();
        let pump = Sink { writer: Some(writer), terminal: false };
        let pump = Bound(tokio::spawn(pump.pump(input, async |_| Ok(()))));
        let output = output(reader, Decoder::Plain, pump, Box::pin(async { Ok(None) }));
        Ok(Session { input: sink, output })
    }
}

/// How a command ended. It is killed if this is dropped before.
async fn end_of_command(mut running: Running) -> Result<Option<Output>, RuntimeError> {
    let code = match running.end().await {
        Ok(Ended::With(code)) => code,
        Ok(Ended::NeverBegan) => return Err(running.not_found("it did not begin")),
        Err(RuntimeError::NoSuchContainer { .. }) => KILLED,
        Err(error) => return Err(error),
    };
    Ok(Some(Output::Exited(code)))
}
