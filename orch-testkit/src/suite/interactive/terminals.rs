//! T4: terminals.

use futures::SinkExt as _;
use orch_core::runtime::{ExecRequest, Input, Interactive, Runtime as _, TerminalSize};

use super::steps::{Heard, request, running, send};
use crate::suite::runtime::{Beside, RuntimeFixture};

/// A command sees a terminal of the size that was asked for, and of every size that is sent later.
pub async fn a_command_sees_its_terminal(fixture: impl RuntimeFixture<Runtime: Interactive>) {
    let (runtime, id) = running(&fixture).await;
    let terminal = Some(TerminalSize { columns: 81, rows: 25 });
    let request = ExecRequest { terminal, ..request(&fixture, Beside::TellsTerminal) };
    let mut session = runtime.open_exec(&id, &request).await.expect("a command is run");
    let mut heard = Heard::default();
    send(&mut session, "\n").await;
    heard.until(&mut session, "25 81").await;
    for (columns, rows) in [(132, 50), (40, 10)] {
        session.input.send(Input::Resize(TerminalSize { columns, rows })).await.expect("T4: another size is taken");
        send(&mut session, "\n").await;
        heard.until(&mut session, &format!("{rows} {columns}")).await;
    }
    assert!(heard.stderr.is_empty(), "T4: errors are part of the output");
    drop(session);
    runtime.remove(&id.pod).await.expect("removed");
}
