//! Sessions: commands beside a container with input and output as they come, its own input and output, and its ports.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::channel::mpsc as futures_mpsc;
use futures::{FutureExt as _, StreamExt as _, stream};
use orch_core::runtime::{ContainerId, ExecRequest, Input, Interactive, Output, PodUid, RuntimeError, Session};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf, pipe};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::Child;
use tokio::sync::{OwnedRwLockReadGuard, mpsc};

use super::attempt::{Attempt, Phase};
use super::exec;
use super::input::encode;
use super::shim::{ExecLaunch, ExecReport};
use super::start::spawn_exec_shim;
use super::trouble::unavailable;
use super::{ProcessRuntime, Shim};
use crate::log_file::{self, Origin};
use crate::namespace;
use crate::session;

/// What is read at once, and how many such pieces wait for whoever reads a session: the program waits for the rest.
const PIECE: usize = 16 << 10;
const WAITING: usize = 2;

/// The longest report of a shim.
const REPORT: u64 = 64 << 10;

/// How a command ends that is killed.
const KILLED: i32 = 137;

type Sender = mpsc::Sender<Result<Output, RuntimeError>>;

#[async_trait]
impl Interactive for ProcessRuntime {
    async fn open_exec(&self, id: &ContainerId, request: &ExecRequest) -> Result<Session, RuntimeError> {
        let attempt = self.shared.attempt(id)?;
        let closing = self.shared.hold.closing().boxed();
        self.shared.hold.meanwhile(open_exec(&self.shared.config.shim, attempt, request, closing)).await
    }

    async fn attach(&self, id: &ContainerId) -> Result<Session, RuntimeError> {
        self.shared.hold.check()?;
        let attempt = self.shared.attempt(id)?;
        let Phase::Running(_) = attempt.phase() else { return Err(RuntimeError::NoSuchContainer { id: id.clone() }) };
        let (input, sent) = session::input();
        let fifo = attempt.folder.input();
        if attempt.spec.stdin || attempt.spec.tty {
            let fifo = pipe::OpenOptions::new()
                .open_sender(&fifo)
                .map_err(|error| unavailable("cannot open", &fifo, error))?;
            tokio::spawn(send(sent, fifo));
        }
        let (folder, ends) = (attempt.folder.0.clone(), Arc::clone(&attempt));
        let written = log_file::read_from_now(&folder, async move { ends.ended().await }).await?;
        let written = written.map(|piece| {
            piece.map(|(origin, bytes)| match origin {
                Origin::Stdout => Output::Stdout(bytes),
                Origin::Stderr => Output::Stderr(bytes),
            })
        });
        let exited = stream::once(async move {
            Ok(Output::Exited(match attempt.phase() {
                Phase::Ended(exit) => exit.code,
                _ => KILLED,
            }))
        });
        Ok(Session { input, output: written.chain(exited).take_until(self.shared.hold.closing()).boxed() })
    }

    async fn port_forward(&self, uid: &PodUid, port: u16) -> Result<Session, RuntimeError> {
        self.shared.hold.check()?;
        let Some(pod) = self.shared.pod(uid) else { return Err(RuntimeError::NoSuchPod { pod: uid.clone() }) };
        let ip = pod.record.ip.filter(|_| !pod.record.own_network);
        let address = SocketAddr::from((ip.unwrap_or(Ipv4Addr::LOCALHOST), port));
        let connection = match pod.record.own_network {
            true => namespace::connect(self.shared.root.network(uid), port).await,
            false => TcpStream::connect(address).await,
        };
        let connection = connection.map_err(|error| {
            let message = format!("{address}: {error}: does its program listen there?");
            RuntimeError::Refused { pod: uid.clone(), port, message }
        })?;
        let (from, to) = connection.into_split();
        let (input, sent) = session::input();
        tokio::spawn(send_bytes(sent, to));
        let output = stream::unfold(Some(from), |from| async move {
            let mut from = from?;
            match piece(&mut from).await {
                Ok(bytes) if bytes.is_empty() => None,
                Ok(bytes) => Some((Ok(Output::Stdout(bytes)), Some(from))),
                // Whoever listened has gone: it is the end of the connection.
                Err(_) => None,
            }
        });
        Ok(Session { input, output: output.take_until(self.shared.hold.closing()).boxed() })
    }
}

/// Passes input on as bytes, to its end.
async fn send_bytes(mut sent: futures_mpsc::Receiver<Input>, mut to: impl AsyncWrite + Unpin) {
    while let Some(input) = sent.next().await {
        let written = match input {
            Input::Bytes(bytes) => to.write_all(&bytes).await,
            Input::End => to.shutdown().await,
            _ => Ok(()),
        };
        if written.is_err() {
            return;
        }
    }
}

/// Passes input on as frames, as long as somebody takes them.
async fn send(mut sent: futures_mpsc::Receiver<Input>, mut to: impl AsyncWrite + Unpin) {
    while let Some(input) = sent.next().await {
        for frame in encode(&input) {
            if to.write_all(&frame).await.is_err() {
                return;
            }
        }
    }
}

/// Some bytes; none at the end.
async fn piece(source: &mut (impl AsyncRead + Unpin)) -> io::Result<Bytes> {
    let mut bytes = Vec::with_capacity(PIECE);
    source.read_buf(&mut bytes).await?;
    Ok(bytes.into())
}

async fn open_exec(
    shim: &Shim,
    attempt: Arc<Attempt>,
    request: &ExecRequest,
    closing: futures::future::BoxFuture<'static, ()>,
) -> Result<Session, RuntimeError> {
    // Taken before looking whether it runs: whoever removes it ends it first, and then waits for this.
    let beside = Arc::clone(&attempt.commands).read_owned().await;
    let Phase::Running(_) = attempt.phase() else {
        return Err(RuntimeError::NoSuchContainer { id: attempt.id.clone() });
    };
    let launch = exec::launch(&attempt, &request.command)?;
    let launch =
        ExecLaunch { launch, input: request.stdin, terminal: request.terminal.map(|size| (size.columns, size.rows)) };
    let failed = |error| unavailable("cannot run a command beside", &attempt.folder.0, error);
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(failed)?;
    ours.set_nonblocking(true).map_err(failed)?;
    let ours = UnixStream::from_std(ours).map_err(failed)?;
    let child = spawn_exec_shim(shim, theirs.into()).map_err(failed)?;
    let (reports, mut to_shim) = ours.into_split();
    let mut reports = BufReader::new(reports);
    exec::hand_over(&mut to_shim, &launch).await.map_err(failed)?;
    match report(&mut reports).await.map_err(failed)? {
        ExecReport::Started => {}
        ExecReport::NotStarted(message) => return Err(exec::not_found(&request.command, message)),
        ExecReport::Ended(_) => return Err(failed(io::Error::other("its shim told the end before the beginning"))),
    }
    let (input, sent) = session::input();
    let (sender, receiver) = mpsc::channel(WAITING);
    let running = Running { attempt, child, reports, _beside: beside };
    tokio::spawn(running.drive(to_shim, sent, sender, closing));
    let output = stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) });
    Ok(Session { input, output: output.boxed() })
}

/// The next report of a shim.
async fn report(reports: &mut BufReader<OwnedReadHalf>) -> io::Result<ExecReport> {
    let mut line = String::new();
    reports.take(REPORT).read_line(&mut line).await?;
    serde_json::from_str(&line).map_err(|error| io::Error::other(format!("its shim did not tell: {error}")))
}

/// A command that runs.
struct Running {
    attempt: Arc<Attempt>,
    child: Child,
    reports: BufReader<OwnedReadHalf>,
    _beside: OwnedRwLockReadGuard<()>,
}

impl Running {
    /// Carries input and output until the command has ended, its user has gone, or the container has ended.
    async fn drive(
        mut self,
        to_shim: OwnedWriteHalf,
        sent: futures_mpsc::Receiver<Input>,
        sender: Sender,
        closing: futures::future::BoxFuture<'static, ()>,
    ) {
        let attempt = Arc::clone(&self.attempt);
        // The socket is held until the end: the shim kills everything when it is closed.
        let mut to_shim = to_shim;
        let ended = {
            let input = async {
                send(sent, &mut to_shim).await;
                std::future::pending::<()>().await;
            };
            tokio::select! {
                biased;
                () = sender.closed() => None,
                () = closing => None,
                () = attempt.ended() => Some(Ok(KILLED)),
                result = self.output(&sender) => Some(result),
                () = input => None,
            }
        };
        drop((to_shim, self.reports));
        drop((self.child.stdout.take(), self.child.stderr.take()));
        let last = match (self.child.wait().await, ended) {
            (Err(error), _) | (_, Some(Err(error))) => {
                Err(unavailable("a command ended beside", &attempt.folder.0, error))
            }
            (_, Some(Ok(code))) => Ok(Output::Exited(code)),
            (_, None) => return,
        };
        drop(self._beside);
        // An error says that nobody listens any more.
        let _ = sender.send(last).await;
    }

    /// Passes all output on, and returns the exit code.
    async fn output(&mut self, sender: &Sender) -> io::Result<i32> {
        let stdout = pass_on(self.child.stdout.as_mut(), sender, Output::Stdout);
        let stderr = pass_on(self.child.stderr.as_mut(), sender, Output::Stderr);
        let reports = &mut self.reports;
        let ((), (), report) = tokio::try_join!(stdout, stderr, report(reports))?;
        match report {
            ExecReport::Ended(code) => Ok(code),
            other => Err(io::Error::other(format!("its shim told {other:?} in place of its end"))),
        }
    }
}

async fn pass_on(
    source: Option<&mut (impl AsyncRead + Unpin)>,
    sender: &Sender,
    output: fn(Bytes) -> Output,
) -> io::Result<()> {
    let Some(source) = source else { return Ok(()) };
    loop {
        let bytes = piece(source).await?;
        if bytes.is_empty() || sender.send(Ok(output(bytes))).await.is_err() {
            return Ok(());
        }
    }
}
