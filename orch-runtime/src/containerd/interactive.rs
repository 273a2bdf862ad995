//! What a person does with a running container: [`open_exec`], [`attach`], [`port_forward`].

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::channel::mpsc;
use futures::future::BoxFuture;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use orch_core::runtime::{
    ContainerId, ExecRequest, Input, Interactive, Output, PodUid, RuntimeError, Session, TerminalSize,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::unix::pipe::{OpenOptions, Receiver, Sender};
use tokio::task::JoinHandle;

use super::error::Failure;
use super::exec::{Beside, Control, broken};
use super::pod::no_such_pod;
use super::settle::{Life, look};
use super::{ContainerdRuntime, Shared};
use crate::log_file::{self, Origin};
use crate::namespace;
use crate::session;

/// What is read of a pipe at once: all that it holds.
const CHUNK: usize = 64 << 10;
/// How long output may still come when a command has ended: something that it started holds its pipe then.
const LAST_WORDS: Duration = Duration::from_millis(500);

#[async_trait]
impl Interactive for ContainerdRuntime {
    async fn open_exec(&self, id: &ContainerId, request: &ExecRequest) -> Result<Session, RuntimeError> {
        open_exec(&self.shared, id, request).await
    }

    async fn attach(&self, id: &ContainerId) -> Result<Session, RuntimeError> {
        attach(&self.shared, id).await
    }

    async fn port_forward(&self, pod: &PodUid, port: u16) -> Result<Session, RuntimeError> {
        port_forward(&self.shared, pod, port).await
    }
}

async fn open_exec(shared: &Arc<Shared>, id: &ContainerId, request: &ExecRequest) -> Result<Session, RuntimeError> {
    let mut beside = Beside::start(shared, id, request).await?;
    let (input, received) = session::input();
    let fed = feed(received, beside.stdin.take(), beside.control(), true);
    let (stdout, stderr) = (beside.stdout.take(), beside.stderr.take());
    let ended = Box::pin(beside.ended());
    let state = Running { stdout, stderr, ended: Some(ended), code: 0, beside: Some(beside), _fed: Fed(fed) };
    let output = stream::try_unfold(state, |mut state| async move {
        let next = state.next().await?;
        Ok::<_, RuntimeError>(next.map(|next| (next, state)))
    });
    Ok(Session { input, output: output.boxed() })
}

/// A command whose output is read.
struct Running {
    stdout: Option<Receiver>,
    stderr: Option<Receiver>,
    /// `None` once it has ended, with `code`.
    ended: Option<BoxFuture<'static, Result<i32, Failure>>>,
    code: i32,
    /// `None` when everything was told.
    beside: Option<Beside>,
    _fed: Fed,
}

impl Running {
    async fn next(&mut self) -> Result<Option<Output>, RuntimeError> {
        while self.beside.is_some() && (self.stdout.is_some() || self.stderr.is_some()) {
            // Nothing that is cancelled here has taken bytes.
            tokio::select! {
                biased;
                chunk = chunk(&mut self.stdout) => match chunk? {
                    Some(chunk) => return Ok(Some(Output::Stdout(chunk))),
                    None => self.stdout = None,
                },
                chunk = chunk(&mut self.stderr) => match chunk? {
                    Some(chunk) => return Ok(Some(Output::Stderr(chunk))),
                    None => self.stderr = None,
                },
                code = end(&mut self.ended) => {
                    self.code = code?;
                    self.ended = None;
                }
                () = tokio::time::sleep(LAST_WORDS), if self.ended.is_none() => {
                    (self.stdout, self.stderr) = (None, None);
                }
            }
        }
        let Some(beside) = self.beside.take() else { return Ok(None) };
        if self.ended.is_some() {
            self.code = end(&mut self.ended).await?;
        }
        beside.finish().await;
        Ok(Some(Output::Exited(self.code)))
    }
}

async fn chunk(pipe: &mut Option<Receiver>) -> Result<Option<Bytes>, RuntimeError> {
    let Some(pipe) = pipe else { return std::future::pending().await };
    let mut buffer = vec![0; CHUNK];
    let length = pipe.read(&mut buffer).await.map_err(broken)?;
    buffer.truncate(length);
    Ok((length > 0).then(|| Bytes::from(buffer)))
}

async fn end(ended: &mut Option<BoxFuture<'static, Result<i32, Failure>>>) -> Result<i32, RuntimeError> {
    match ended {
        Some(ended) => Ok(ended.await?),
        None => std::future::pending().await,
    }
}

/// What passes input on. It ends with the session.
struct Fed(JoinHandle<()>);

impl Drop for Fed {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Passes input on to a program. `own`: it has no other input, so that it ends with whoever sends.
fn feed(mut received: mpsc::Receiver<Input>, stdin: Option<Sender>, control: Control, own: bool) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut stdin = stdin;
        while let Some(input) = received.next().await {
            let passed: Result<(), String> = match (input, &mut stdin) {
                (Input::Bytes(bytes), Some(pipe)) => pipe.write_all(&bytes).await.map_err(|error| error.to_string()),
                (Input::End, Some(_)) => {
                    stdin = None;
                    control.end_input().await.map_err(|failure| failure.message)
                }
                (Input::Resize(TerminalSize { columns, rows }), _) => {
                    control.resize(columns, rows).await.map_err(|failure| failure.message)
                }
                _ => Ok(()),
            };
            if let Err(error) = passed {
                tracing::debug!(record = %control.record, %error, "input is lost");
            }
        }
        if own && stdin.take().is_some() {
            // It may have ended by itself.
            let _ = control.end_input().await;
        }
    })
}

async fn attach(shared: &Arc<Shared>, id: &ContainerId) -> Result<Session, RuntimeError> {
    let unknown = || RuntimeError::NoSuchContainer { id: id.clone() };
    let attempt = shared.attempt(id).await?.ok_or_else(unknown)?;
    let (attempt, Life::Running(_)) = look(shared, attempt).await? else { return Err(unknown()) };
    let folder = shared.root.attempt(id);
    let written = log_file::read_from_now(&folder, super::ended(Arc::clone(shared), id.clone())).await?;
    let written = written.map_ok(|(origin, bytes)| match origin {
        Origin::Stdout => Output::Stdout(bytes),
        Origin::Stderr => Output::Stderr(bytes),
    });
    let stdin = attempt.spec.stdin.then(|| {
        let path = folder.join("stdin");
        // Opened for both, it needs nobody at the other end.
        let opened = OpenOptions::new().read_write(true).open_sender(&path);
        opened.map_err(|error| Failure::io("cannot open", &path, error))
    });
    let control = Control { shared: Arc::clone(shared), record: attempt.record.clone(), name: String::new() };
    let (input, received) = session::input();
    let fed = Fed(feed(received, stdin.transpose()?, control, false));
    let (shared, asked) = (Arc::clone(shared), attempt);
    let exit = async move {
        let _fed = fed;
        let looked = look(&shared, asked).await?;
        Ok(looked.0.exit.map_or(Output::Exited(137), |exit| Output::Exited(exit.code)))
    };
    Ok(Session { input, output: written.chain(stream::once(exit)).boxed() })
}

async fn port_forward(shared: &Arc<Shared>, pod: &PodUid, port: u16) -> Result<Session, RuntimeError> {
    let found = shared.pod(pod).await?.and_then(|pod| pod.sandbox).ok_or_else(|| no_such_pod(pod))?;
    let refused = |error: io::Error| RuntimeError::Refused { pod: pod.clone(), port, message: error.to_string() };
    let path = shared.root.namespace("net", pod);
    if !found.spec.host_network && !namespace::is_there(&path) {
        return Err(no_such_pod(pod));
    }
    let connected = match found.spec.host_network {
        true => TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await,
        false => namespace::connect(path, port).await,
    };
    let (reader, mut writer) = connected.map_err(refused)?.into_split();
    let (input, mut received) = session::input();
    let fed = Fed(tokio::spawn(async move {
        while let Some(input) = received.next().await {
            let passed = match input {
                Input::Bytes(bytes) => writer.write_all(&bytes).await,
                Input::End => writer.shutdown().await,
                _ => Ok(()),
            };
            if passed.is_err() {
                // Whoever reads is told.
                return;
            }
        }
        // What nobody sends any more has not ended: the writer closes with the output.
        std::future::pending::<()>().await;
    }));
    let output = stream::try_unfold((reader, fed), |(mut reader, fed)| async move {
        let mut buffer = vec![0; CHUNK];
        let length = reader.read(&mut buffer).await.map_err(broken)?;
        buffer.truncate(length);
        Ok::<_, RuntimeError>((length > 0).then(|| (Output::Stdout(buffer.into()), (reader, fed))))
    });
    Ok(Session { input, output: output.boxed() })
}
