//! Sessions with containers that exist in memory only.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::channel::mpsc;
use futures::stream::BoxStream;
use futures::{StreamExt as _, sink, stream};
use orch_core::runtime::{
    ContainerId, ContainerState, ExecOutput, ExecRequest, Input, Interactive, LogOptions, Output, PodUid, RuntimeError,
    Session, TerminalSize,
};

use super::program::FakeCommand;
use super::{FakeRuntime, Operation, Shared};
use crate::session;

/// What a container that was killed leaves of the commands beside it.
const KILLED: i32 = 137;

type Outputs = BoxStream<'static, Result<Output, RuntimeError>>;

#[async_trait]
impl Interactive for FakeRuntime {
    async fn open_exec(&self, id: &ContainerId, request: &ExecRequest) -> Result<Session, RuntimeError> {
        self.perform(Operation::OpenExec, async { self.shared.open_exec(id, request) }).await
    }

    async fn attach(&self, id: &ContainerId) -> Result<Session, RuntimeError> {
        self.perform(Operation::Attach, async { self.shared.attach(id) }).await
    }

    async fn port_forward(&self, pod: &PodUid, port: u16) -> Result<Session, RuntimeError> {
        self.perform(Operation::PortForward, async { self.shared.port_forward(pod, port) }).await
    }
}

impl Shared {
    fn open_exec(self: &Arc<Self>, id: &ContainerId, request: &ExecRequest) -> Result<Session, RuntimeError> {
        let (script, env) = self.command(id, &request.command)?;
        let (input, mut sent) = session::input();
        if !request.stdin {
            sent.close();
        }
        let errors_apart = request.terminal.is_none();
        let (program, result) = match script {
            FakeCommand::Ends(output) => (stream::empty().boxed(), Some(output)),
            FakeCommand::PrintsVariable(name) => (stream::empty().boxed(), Some(variable(env, &name))),
            FakeCommand::Hangs(first) => {
                (stream::iter([Bytes::from(first)]).chain(stream::pending()).boxed(), Some(ExecOutput::default()))
            }
            FakeCommand::Echoes(output) => (bytes_of(sent).boxed(), Some(output)),
            FakeCommand::Floods => (stream::repeat(Bytes::from_static(b"y\n")).boxed(), None),
            FakeCommand::TellsTerminal => (sizes(sent, request.terminal).boxed(), Some(ExecOutput::default())),
            FakeCommand::Missing => return Err(missing(&request.command)),
        };
        let written = program.map(Output::Stdout).chain(stream::iter(last_words(result, errors_apart)));
        let command = Arc::clone(&self.commands);
        let (shared, id) = (Arc::clone(self), id.clone());
        let ended = async move { shared.wait_until(|| !shared.runs(&id)).await };
        let output = stream::unfold(Some((written, Box::pin(ended), command)), |running| async move {
            let (mut written, mut ended, command) = running?;
            tokio::select! {
                biased;
                () = &mut ended => Some((Ok(Output::Exited(KILLED)), None)),
                next = written.next() => match next? {
                    exited @ Output::Exited(_) => Some((Ok(exited), None)),
                    output => Some((Ok(output), Some((written, ended, command)))),
                },
            }
        });
        Ok(Session { input, output: output.boxed() })
    }

    fn attach(self: &Arc<Self>, id: &ContainerId) -> Result<Session, RuntimeError> {
        let from = match self.state().attempt(id) {
            Some(attempt) if attempt.runs() => attempt.output.len(),
            _ => return Err(RuntimeError::NoSuchContainer { id: id.clone() }),
        };
        let (shared, to) = (Arc::clone(self), id.clone());
        let input = sink::unfold((), move |(), input| {
            shared.input(&to, input);
            async { Ok(()) }
        });
        Ok(Session { input: Box::pin(input), output: self.output_from(id, from) })
    }

    /// What an attempt writes from now on, and how it ends.
    fn output_from(self: &Arc<Self>, id: &ContainerId, from: usize) -> Outputs {
        let state = Some((Arc::clone(self), id.clone(), from));
        let output = stream::unfold(state, |state| async move {
            let (shared, id, from) = state?;
            let more =
                || shared.state().attempt(&id).is_none_or(|attempt| !attempt.runs() || attempt.output.len() > from);
            shared.wait_until(more).await;
            let (bytes, ended) = match shared.state().attempt(&id) {
                None => (Vec::new(), Some(KILLED)),
                Some(attempt) => {
                    let bytes = attempt.output.read(from, LogOptions::default());
                    let ended = match attempt.state {
                        ContainerState::Exited { code, .. } => Some(code),
                        ContainerState::Running { .. } => None,
                    };
                    (bytes, ended)
                }
            };
            match ended {
                Some(code) if bytes.is_empty() => Some((Ok(Output::Exited(code)), None)),
                _ => {
                    let from = from + bytes.len();
                    Some((Ok(Output::Stdout(bytes.into())), Some((shared, id, from))))
                }
            }
        });
        output.boxed()
    }

    /// Passes input on to a container that asked for it.
    fn input(&self, id: &ContainerId, input: Input) {
        let now = self.clock.now();
        let ends = match self.state().attempt_mut(id).filter(|attempt| attempt.runs() && attempt.reads_input()) {
            Some(attempt) => match input {
                Input::Bytes(bytes) if attempt.spec.tty => {
                    let line = String::from_utf8_lossy(&bytes).replace('\n', "\r\n");
                    attempt.output.write(now, line.repeat(2).as_bytes());
                    false
                }
                Input::Bytes(bytes) => {
                    attempt.output.write(now, &bytes);
                    false
                }
                input => input == Input::End,
            },
            None => false,
        };
        self.touch();
        if ends {
            self.end_by_itself(id, 0);
        }
    }

    fn port_forward(self: &Arc<Self>, pod: &PodUid, port: u16) -> Result<Session, RuntimeError> {
        let Some(server) = self.state().server(pod, port)? else {
            let message = "no container of it serves this port, say their scripts".to_owned();
            return Err(RuntimeError::Refused { pod: pod.clone(), port, message });
        };
        let (input, sent) = session::input();
        let shared = Arc::clone(self);
        let ended = async move { shared.wait_until(|| !shared.runs(&server)).await };
        let output = bytes_of(sent).map(|bytes| Ok(Output::Stdout(bytes)));
        Ok(Session { input, output: output.take_until(ended).boxed() })
    }
}

/// The bytes of an input, to its end.
fn bytes_of(input: mpsc::Receiver<Input>) -> impl futures::Stream<Item = Bytes> + Send {
    let until_the_end = input.take_while(|input| std::future::ready(*input != Input::End));
    until_the_end.filter_map(|input| {
        std::future::ready(match input {
            Input::Bytes(bytes) => Some(bytes),
            _ => None,
        })
    })
}

/// A line with the size of the terminal, for each line that is sent.
fn sizes(input: mpsc::Receiver<Input>, first: Option<TerminalSize>) -> impl futures::Stream<Item = Bytes> + Send {
    let sizes = input.scan(first, |size, input| {
        let line = match input {
            Input::Resize(new) => {
                *size = size.map(|_| new);
                Some(Bytes::new())
            }
            Input::Bytes(_) => {
                let TerminalSize { columns, rows } = size.unwrap_or(TerminalSize { columns: 0, rows: 0 });
                Some(format!("{rows} {columns}\r\n").into())
            }
            _ => None,
        };
        std::future::ready(line)
    });
    sizes.filter(|line| std::future::ready(!line.is_empty()))
}

fn last_words(result: Option<ExecOutput>, errors_apart: bool) -> Vec<Output> {
    let Some(ExecOutput { code, stdout, stderr }) = result else { return Vec::new() };
    let errors = if errors_apart { Output::Stderr } else { Output::Stdout };
    let stdout = (!stdout.is_empty()).then(|| Output::Stdout(stdout.into()));
    let stderr = (!stderr.is_empty()).then(|| errors(stderr.into()));
    stdout.into_iter().chain(stderr).chain([Output::Exited(code)]).collect()
}

/// What a command writes that shows a variable.
pub(super) fn variable(env: Vec<(String, String)>, name: &str) -> ExecOutput {
    let value = env.into_iter().rev().find(|(variable, _)| variable == name).unwrap_or_default().1;
    ExecOutput { stdout: value.into_bytes(), ..ExecOutput::default() }
}

/// What a command that does not exist gives.
pub(super) fn missing(command: &[String]) -> RuntimeError {
    let message = "its script says that there is none".to_owned();
    RuntimeError::CommandNotFound { command: command.first().cloned().unwrap_or_default(), message }
}
