//! [`Interactive`]: what a person does with a running container.

use std::fmt;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures::Sink;
use futures::stream::BoxStream;

use super::{ContainerId, PodUid, Runtime, RuntimeError};

/// What a person does with a running container: a shell beside it, its own input and output, its ports.
///
/// # What every implementation promises
///
/// - **T1** *Whole*: output arrives as it was written, each stream in its order, to the last byte before
///   [`Output::Exited`], which is the last item. What is sent as input is read by the program as it was sent, and
///   [`Input::End`] is the end of its input.
/// - **T2** *Slow readers hold up themselves alone*: output is not kept in memory without bound while nobody reads it,
///   and neither the container nor another session waits for it beyond what a pipe between programs would.
/// - **T3** *Bound to its user*: when a session of [`open_exec`](Interactive::open_exec) is dropped, its command ends,
///   with everything that it started. When one of [`attach`](Interactive::attach) or
///   [`port_forward`](Interactive::port_forward) is dropped, the container does not notice.
/// - **T4** *A terminal is one*: with [`ExecRequest::terminal`] or [`ContainerSpec::tty`](super::ContainerSpec::tty),
///   the program sees a terminal of the size asked for, and of every size that is sent later.
#[async_trait]
pub trait Interactive: Runtime {
    /// Runs a command beside the running container, in its environment, with input and output as they come.
    ///
    /// # Errors
    /// [`RuntimeError::NoSuchContainer`] when it does not run; [`RuntimeError::CommandNotFound`].
    async fn open_exec(&self, id: &ContainerId, request: &ExecRequest) -> Result<Session, RuntimeError>;

    /// The container's own output from now on, and its input if its spec asked for that
    /// ([`ContainerSpec::stdin`](super::ContainerSpec::stdin)); otherwise what is sent is dropped. Ends with the
    /// container.
    ///
    /// # Errors
    /// [`RuntimeError::NoSuchContainer`] when it does not run.
    async fn attach(&self, id: &ContainerId) -> Result<Session, RuntimeError>;

    /// A connection to a TCP port of the pod, also where the program listens on the pod's loopback address alone.
    /// [`Output::Stdout`] is what the program sends; the end of the stream is the end of the connection.
    ///
    /// # Errors
    /// [`RuntimeError::NoSuchPod`]; [`RuntimeError::Refused`] when nothing listens there.
    async fn port_forward(&self, pod: &PodUid, port: u16) -> Result<Session, RuntimeError>;
}

/// What is to be run beside a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecRequest {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Whether something will be sent as its input; otherwise it is empty.
    pub stdin: bool,
    /// A terminal of this size for its input and output; its errors are then part of its output.
    pub terminal: Option<TerminalSize>,
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    /// Characters in a row.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// What is sent to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input {
    /// For the program to read.
    Bytes(Bytes),
    /// There is no more to read.
    End,
    /// The terminal has another size. Without a terminal it means nothing.
    Resize(TerminalSize),
}

/// What comes from a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Written to standard output, or to the terminal.
    Stdout(Bytes),
    /// Written to standard error.
    Stderr(Bytes),
    /// The program has ended with this code, 128 and the signal's number if a signal ended it. Nothing follows.
    Exited(i32),
}

/// Where input goes.
pub type InputSink = Pin<Box<dyn Sink<Input, Error = RuntimeError> + Send>>;

/// A conversation with a program. Dropping it ends it: see [`Interactive`], T3. The two halves may be used by different
/// tasks; the session ends when its output is dropped.
pub struct Session {
    /// What is sent to the program. It accepts and drops what comes after the program's end.
    pub input: InputSink,
    /// What the program writes, and how it ends.
    pub output: BoxStream<'static, Result<Output, RuntimeError>>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}
