//! Wrong interactive runtimes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use futures::{SinkExt as _, sink};
use orch_core::runtime::{
    ContainerId, ContainerSpec, ExecOutput, ExecRequest, Input, Interactive, LogOptions, LogStream, Output, PodStats,
    PodUid, Runtime, RuntimeError, SandboxSpec, SandboxStatus, Session, TerminalSize,
};

use crate::suite::runtime::{Ability, Beside, Program, RuntimeFixture};

/// What is wrong with a [`FlawedInteractive`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Closes the stream of output as soon as the program has ended, whatever is still in the pipe.
    LosesTheLastBytes,
    /// Makes one stream of output and errors, as a terminal does.
    MixesErrorsIn,
    /// Ends without telling how.
    TellsNoExitCode,
    /// Closes the input before anything was sent.
    EndsTheInputAtOnce,
    /// Gives an input to those that did not ask for one: they wait for ever.
    GivesEveryoneAnInput,
    /// Tells a command that does not exist by an exit code, as a shell does.
    RunsMissingCommands,
    /// Has one connection for all: a session that is not read holds up the others.
    AllowsOneSession,
    /// Looks for the end of the command only, not of the container.
    OutlivesTheContainer,
    /// Lets commands go on whose user has gone, as `docker exec` does.
    LeavesCommandsRunning,
    /// Takes the container along when somebody who attached goes.
    StopsWhenSomebodyLeaves,
    /// Gives every terminal the usual size.
    IgnoresTheSize,
    /// Gives a terminal its first size for ever.
    IgnoresOtherSizes,
    /// Shows the output to who attaches, and drops what is typed.
    DropsTheInput,
    /// Passes on what nobody asked for.
    AttachesToAnything,
    /// Passes on the first piece only.
    CutsConnections,
    /// Finds out only later that nobody listens.
    ConnectsToNobody,
}

impl Flaw {
    /// Every flaw, with the promise that it breaks.
    pub const ALL: [(Self, &str); 16] = [
        (Self::LosesTheLastBytes, "T1"),
        (Self::MixesErrorsIn, "T1"),
        (Self::TellsNoExitCode, "T1"),
        (Self::EndsTheInputAtOnce, "T1"),
        (Self::GivesEveryoneAnInput, "T1"),
        (Self::RunsMissingCommands, "T1"),
        (Self::AllowsOneSession, "T2"),
        (Self::OutlivesTheContainer, "T2"),
        (Self::LeavesCommandsRunning, "T3"),
        (Self::StopsWhenSomebodyLeaves, "T3"),
        (Self::IgnoresTheSize, "T4"),
        (Self::IgnoresOtherSizes, "T4"),
        (Self::DropsTheInput, "Attach"),
        (Self::AttachesToAnything, "T1"),
        (Self::CutsConnections, "Forward"),
        (Self::ConnectsToNobody, "Forward"),
    ];
}

/// A runtime with a flaw, or with none, over one that keeps the contract.
#[derive(Debug)]
pub struct FlawedInteractive<R> {
    flaw: Option<Flaw>,
    inner: Arc<R>,
    /// Held by the session that there is.
    one: Arc<()>,
}

type Items = BoxStream<'static, Result<Output, RuntimeError>>;

impl<R: Interactive> FlawedInteractive<R> {
    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// A session as it comes out of this.
    fn session(&self, session: Session) -> Session {
        let Session { mut input, output } = session;
        let flaw = self.flaw;
        if flaw == Some(Flaw::DropsTheInput) {
            input = nowhere();
        }
        if flaw == Some(Flaw::IgnoresOtherSizes) {
            input = Box::pin(input.with(|item| async move {
                Ok(if matches!(item, Input::Resize(_)) { Input::Bytes("".into()) } else { item })
            }));
        }
        let output = match flaw {
            Some(Flaw::LosesTheLastBytes) => without_the_last(output),
            Some(Flaw::OutlivesTheContainer) => output.chain(stream::pending()).boxed(),
            _ => output,
        };
        let output = output.filter_map(move |item| {
            std::future::ready(match item {
                Ok(Output::Stderr(bytes)) if flaw == Some(Flaw::MixesErrorsIn) => Some(Ok(Output::Stdout(bytes))),
                Ok(Output::Exited(_)) if flaw == Some(Flaw::TellsNoExitCode) => None,
                item => Some(item),
            })
        });
        Session { input, output: output.boxed() }
    }
}

/// Keeps a session for ever that its user drops.
fn leave(session: Session) -> Session {
    let Session { input, mut output } = session;
    let (mut sender, receiver) = futures::channel::mpsc::channel(0);
    tokio::spawn(async move {
        while let Some(item) = output.next().await {
            if sender.send(item).await.is_err() {
                // Nobody listens any more: the command goes on.
                std::future::pending::<()>().await;
            }
        }
    });
    Session { input, output: receiver.boxed() }
}

/// All but the last piece of output.
fn without_the_last(output: Items) -> Items {
    let state = (output, None);
    stream::unfold(state, |(mut output, mut held)| async move {
        loop {
            match output.next().await? {
                Ok(Output::Stdout(bytes)) => {
                    if let Some(before) = held.replace(bytes) {
                        return Some((Ok(Output::Stdout(before)), (output, held)));
                    }
                }
                item => return Some((item, (output, None))),
            }
        }
    })
    .boxed()
}

fn nowhere() -> orch_core::runtime::InputSink {
    Box::pin(sink::drain().sink_map_err(|never| match never {}))
}

#[async_trait]
impl<R: Interactive> Interactive for FlawedInteractive<R> {
    async fn open_exec(&self, id: &ContainerId, request: &ExecRequest) -> Result<Session, RuntimeError> {
        let mut request = request.clone();
        request.stdin |= self.is(Flaw::GivesEveryoneAnInput);
        if self.is(Flaw::IgnoresTheSize) {
            request.terminal = request.terminal.map(|_| TerminalSize { columns: 80, rows: 24 });
        }
        if self.is(Flaw::AllowsOneSession) && Arc::strong_count(&self.one) > 1 {
            let message = "there is a session already".to_owned();
            return Err(RuntimeError::Unavailable { message, transient: true, source: None });
        }
        let mut session = match self.inner.open_exec(id, &request).await {
            Err(RuntimeError::CommandNotFound { .. }) if self.is(Flaw::RunsMissingCommands) => {
                Session { input: nowhere(), output: stream::iter([Ok(Output::Exited(127))]).boxed() }
            }
            result => self.session(result?),
        };
        if self.is(Flaw::EndsTheInputAtOnce) {
            session.input.send(Input::End).await?;
        }
        if self.is(Flaw::AllowsOneSession) {
            let one = Arc::clone(&self.one);
            session.output = session.output.inspect(move |_| _ = &one).boxed();
        }
        Ok(if self.is(Flaw::LeavesCommandsRunning) { leave(session) } else { session })
    }

    async fn attach(&self, id: &ContainerId) -> Result<Session, RuntimeError> {
        let session = match self.inner.attach(id).await {
            Err(RuntimeError::NoSuchContainer { .. }) if self.is(Flaw::AttachesToAnything) => {
                return Ok(Session { input: nowhere(), output: stream::empty().boxed() });
            }
            result => self.session(result?),
        };
        if !self.is(Flaw::StopsWhenSomebodyLeaves) {
            return Ok(session);
        }
        let leaves = Leaves(Arc::clone(&self.inner), id.clone());
        let output = session.output.inspect(move |_| _ = &leaves);
        Ok(Session { input: session.input, output: output.boxed() })
    }

    async fn port_forward(&self, pod: &PodUid, port: u16) -> Result<Session, RuntimeError> {
        let session = match self.inner.port_forward(pod, port).await {
            Err(RuntimeError::Refused { .. }) if self.is(Flaw::ConnectsToNobody) => {
                return Ok(Session { input: nowhere(), output: stream::empty().boxed() });
            }
            result => self.session(result?),
        };
        if !self.is(Flaw::CutsConnections) {
            return Ok(session);
        }
        Ok(Session { input: session.input, output: session.output.take(1).boxed() })
    }
}

/// Stops a container when it is dropped.
struct Leaves<R: Interactive>(Arc<R>, ContainerId);

impl<R: Interactive> Drop for Leaves<R> {
    fn drop(&mut self) {
        let (runtime, id) = (Arc::clone(&self.0), self.1.clone());
        // It is in the hands of the runtime below, which stops it at once.
        let _ = futures::FutureExt::now_or_never(async move { runtime.stop(&id, Duration::ZERO).await });
    }
}

#[async_trait]
impl<R: Interactive> Runtime for FlawedInteractive<R> {
    async fn create_sandbox(&self, spec: &SandboxSpec) -> Result<SandboxStatus, RuntimeError> {
        self.inner.create_sandbox(spec).await
    }

    async fn start(&self, id: &ContainerId, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        self.inner.start(id, spec).await
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), RuntimeError> {
        self.inner.stop(id, grace).await
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        self.inner.remove_container(id).await
    }

    async fn remove(&self, pod: &PodUid) -> Result<(), RuntimeError> {
        self.inner.remove(pod).await
    }

    async fn list(&self) -> Result<Vec<SandboxStatus>, RuntimeError> {
        self.inner.list().await
    }

    async fn status(&self, pod: &PodUid) -> Result<Option<SandboxStatus>, RuntimeError> {
        self.inner.status(pod).await
    }

    async fn stats(&self, pod: &PodUid) -> Result<Option<PodStats>, RuntimeError> {
        self.inner.stats(pod).await
    }

    fn events(&self) -> BoxStream<'static, PodUid> {
        self.inner.events()
    }

    async fn logs(&self, id: &ContainerId, options: LogOptions) -> Result<LogStream, RuntimeError> {
        self.inner.logs(id, options).await
    }

    async fn exec(&self, id: &ContainerId, command: &[String], timeout: Duration) -> Result<ExecOutput, RuntimeError> {
        self.inner.exec(id, command, timeout).await
    }
}

/// A place where every runtime has a flaw, or none.
#[derive(Debug)]
pub struct FlawedPlace<F> {
    flaw: Option<Flaw>,
    inner: F,
}

impl<F: RuntimeFixture<Runtime: Interactive>> FlawedPlace<F> {
    /// A place over one whose runtimes keep the contract.
    pub fn new(flaw: Option<Flaw>, inner: F) -> Self {
        Self { flaw, inner }
    }

    fn flawed(&self, inner: F::Runtime) -> FlawedInteractive<F::Runtime> {
        FlawedInteractive { flaw: self.flaw, inner: Arc::new(inner), one: Arc::default() }
    }
}

#[async_trait]
impl<F: RuntimeFixture<Runtime: Interactive>> RuntimeFixture for FlawedPlace<F> {
    type Runtime = FlawedInteractive<F::Runtime>;

    async fn open(&self) -> Self::Runtime {
        self.flawed(self.inner.open().await)
    }

    async fn open_stranger(&self) -> Self::Runtime {
        self.flawed(self.inner.open_stranger().await)
    }

    fn container(&self, program: Program) -> ContainerSpec {
        self.inner.container(program)
    }

    fn command(&self, command: Beside) -> Vec<String> {
        self.inner.command(command)
    }

    async fn processes(&self) -> BTreeSet<String> {
        self.inner.processes().await
    }

    async fn traces(&self) -> BTreeSet<String> {
        self.inner.traces().await
    }

    fn can(&self, ability: Ability) -> bool {
        self.inner.can(ability)
    }
}
