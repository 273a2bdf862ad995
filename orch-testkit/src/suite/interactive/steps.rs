//! The words in which the clauses are written.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use orch_core::runtime::{ContainerId, ExecRequest, Input, Interactive, Output, Session};

use crate::suite::runtime::steps::{PATIENCE, id, started};
use crate::suite::runtime::{Beside, Program, RuntimeFixture};

/// What came from a session.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) code: Option<i32>,
}

impl Heard {
    /// Takes the next item of a session; `false` at its end.
    pub(super) async fn next(&mut self, session: &mut Session) -> bool {
        let item = tokio::time::timeout(PATIENCE, session.output.next()).await;
        let item = item.unwrap_or_else(|_| panic!("T1: nothing more within {PATIENCE:?}, after {}", self.text()));
        let Some(item) = item else { return false };
        assert_eq!(self.code, None, "T1: nothing follows the exit code, but {item:?}");
        match item.unwrap_or_else(|error| panic!("T1: a session: {error}")) {
            Output::Stdout(bytes) => self.stdout.extend(bytes),
            Output::Stderr(bytes) => self.stderr.extend(bytes),
            Output::Exited(code) => self.code = Some(code),
            other => panic!("{other:?} is new: say what it is here"),
        }
        true
    }

    /// Takes what comes until standard output has some text, or to the end.
    pub(super) async fn until(&mut self, session: &mut Session, text: &str) {
        while !self.text().contains(text) {
            assert!(self.next(session).await, "T1: {text:?} comes before the end, in:\n{}", self.text());
        }
    }

    /// Takes everything to the end.
    pub(super) async fn rest(mut self, session: &mut Session) -> Self {
        while self.next(session).await {}
        self
    }

    /// Standard output, where it is text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// Sends text as input.
pub(super) async fn send(session: &mut Session, text: &str) {
    let bytes = Input::Bytes(Bytes::copy_from_slice(text.as_bytes()));
    let sent = tokio::time::timeout(PATIENCE, session.input.send(bytes)).await;
    sent.expect("T1: input is taken").unwrap_or_else(|error| panic!("T1: input: {error}"));
}

/// A container that runs, beside which commands can be.
pub(super) async fn running<R: Interactive>(fixture: &impl RuntimeFixture<Runtime = R>) -> (R, ContainerId) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    started(&runtime, fixture, &id, Program::Runs).await;
    (runtime, id)
}

/// The processes of a container when it has begun: a shell that was started a moment ago starts others by and by.
pub(super) async fn processes_when_steady(fixture: &impl RuntimeFixture) -> BTreeSet<String> {
    let (mut seen, mut times) = (fixture.processes().await, 0);
    while times < 10 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = fixture.processes().await;
        times = if now == seen { times + 1 } else { 0 };
        seen = now;
    }
    seen
}

/// A command with an input and without a terminal.
pub(super) fn request(fixture: &impl RuntimeFixture, command: Beside) -> ExecRequest {
    ExecRequest { command: fixture.command(command), stdin: true, terminal: None }
}
