//! A container's own output and input.
//!
//! Docker ends a container's input when the connection that carries it ends. But who only leaves must not end it, so the
//! input of a container has one connection for all sessions, which is made when the first has something to send, and
//! kept until one of them says that there is no more. If this process ends in between, Docker ends the input.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::StreamExt as _;
use futures::channel::mpsc;
use orch_core::runtime::{ContainerId, Input, Output, RuntimeError, Session};
use tokio::io::{AsyncWriteExt as _, ReadHalf, WriteHalf};

use super::Shared;
use super::client::{Call, Conversation};
use super::convert::Role;
use super::error::Failure;
use super::exec::{DETACH_KEYS, Resizer};
use super::interactive::KILLED;
use super::session::{Bound, Decoder, END_OF_TRANSMISSION, output};
use super::stream::Frames;
use crate::session::input;

pub(super) async fn attach(shared: Arc<Shared>, id: &ContainerId) -> Result<Session, RuntimeError> {
    let found = shared.running(id).await?;
    let (tty, stdin) = match &found.role {
        Role::Attempt(status) => (status.spec.tty, status.spec.stdin),
        Role::Sandbox { .. } => (false, false),
    };
    let conversation = match shared.client.converse(call(&found.docker_id, &["stdout", "stderr"])).await {
        Err(failure) if failure.is_not_found() || failure.is_conflict() => {
            return Err(RuntimeError::NoSuchContainer { id: id.clone() });
        }
        conversation => conversation?,
    };
    let (sink, input) = input();
    let pump = Bound(tokio::spawn(pump(Arc::clone(&shared), found.docker_id.clone(), tty, stdin, input)));
    let decoder = if tty { Decoder::Plain } else { Decoder::Frames(Frames::default()) };
    let id = id.clone();
    let epilogue = Box::pin(async move {
        shared.ended(&found).await?;
        let code = shared.find_attempt(&id).await?.and_then(|found| found.exit_code());
        Ok(Some(Output::Exited(code.unwrap_or(KILLED))))
    });
    Ok(Session { input: sink, output: output(conversation, decoder, pump, epilogue) })
}

fn call(docker_id: &str, streams: &[&str]) -> Call {
    let call = Call::post(format!("/containers/{docker_id}/attach")).query("stream", "1");
    let call = call.query("detachKeys", DETACH_KEYS);
    streams.iter().fold(call, |call, stream| call.query(stream, "1"))
}

/// Passes input on until nobody can send any more.
async fn pump(shared: Arc<Shared>, docker_id: String, tty: bool, stdin: bool, mut input: mpsc::Receiver<Input>) {
    let resizer = Resizer::of_container(shared.client.clone(), &docker_id);
    while let Some(input) = input.next().await {
        let taken = match input {
            Input::Bytes(bytes) if stdin => shared.send(&docker_id, &bytes).await,
            Input::End if stdin && tty => shared.send(&docker_id, &Bytes::from_static(END_OF_TRANSMISSION)).await,
            Input::End if stdin => shared.end_input(&docker_id).await,
            Input::Resize(size) if tty => resizer.resize(size.rows, size.columns).await,
            // It did not ask for an input.
            _ => Ok(()),
        };
        if let Err(failure) = taken {
            tracing::debug!(error = failure.message, "a container takes no input");
            shared.inputs.forget(&docker_id);
        }
    }
}

/// The connections that carry the input of containers, by Docker's id of the container.
#[derive(Debug, Default)]
pub(super) struct Inputs(Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<Option<Carrier>>>>>);

/// Both halves: the connection ends when one is closed by dropping the other.
#[derive(Debug)]
struct Carrier {
    writer: WriteHalf<Conversation>,
    _reader: ReadHalf<Conversation>,
}

impl Inputs {
    fn of(&self, docker_id: &str) -> Arc<tokio::sync::Mutex<Option<Carrier>>> {
        Arc::clone(self.lock().entry(docker_id.to_owned()).or_default())
    }

    /// Forgets the connection of a container that takes no input any more.
    pub(super) fn forget(&self, docker_id: &str) {
        self.lock().remove(docker_id);
    }

    /// A panic while the lock is held leaves nothing half done: every critical section is one step.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<tokio::sync::Mutex<Option<Carrier>>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    async fn send(&self, docker_id: &str, bytes: &Bytes) -> Result<(), Failure> {
        let broke = |error| Failure::of_connection("input", error);
        let carrier = self.inputs.of(docker_id);
        let mut carrier = carrier.lock().await;
        let writer = &mut self.carrier(&mut carrier, docker_id).await?.writer;
        writer.write_all(bytes).await.map_err(broke)?;
        writer.flush().await.map_err(broke)
    }

    async fn end_input(&self, docker_id: &str) -> Result<(), Failure> {
        let carrier = self.inputs.of(docker_id);
        let mut carrier = carrier.lock().await;
        let writer = &mut self.carrier(&mut carrier, docker_id).await?.writer;
        writer.shutdown().await.map_err(|error| Failure::of_connection("input", error))
    }

    async fn carrier<'a>(&self, carrier: &'a mut Option<Carrier>, docker_id: &str) -> Result<&'a mut Carrier, Failure> {
        if carrier.is_none() {
            let conversation = self.client.converse(call(docker_id, &["stdin"])).await?;
            let (reader, writer) = tokio::io::split(conversation);
            *carrier = Some(Carrier { writer, _reader: reader });
        }
        carrier.as_mut().ok_or_else(|| Failure::of_own("no connection for input"))
    }
}
