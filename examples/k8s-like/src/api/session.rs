//! [`serve`]: a session over a connection that was a request before.

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use orch_core::runtime::{Input, Output, Session, TerminalSize};
use tokio::io::{AsyncRead, AsyncWrite};

use super::frame::{CHANNEL_ERROR, CHANNEL_EXIT, CHANNEL_RESIZE, CHANNEL_STDERR, CHANNEL_STDIN, CHANNEL_STDOUT, Frame};

/// Carries a session until its program ends or the other side goes away: then the session is dropped, and with it ends
/// what it was about.
pub(super) async fn serve(connection: Upgraded, session: Session) {
    let (from, to) = tokio::io::split(TokioIo::new(connection));
    let Session { input, output } = session;
    tokio::select! {
        biased;
        () = tell(output, to) => {}
        () = hear(from, input) => {}
    }
}

/// What comes from the session. Nothing is read from it that the other side has no room for.
async fn tell(
    mut output: futures::stream::BoxStream<'static, Result<Output, orch_core::runtime::RuntimeError>>,
    mut to: impl AsyncWrite + Unpin,
) {
    while let Some(piece) = output.next().await {
        let (frame, is_last) = match piece {
            Ok(Output::Stdout(bytes)) => (Frame::new(CHANNEL_STDOUT, bytes), false),
            Ok(Output::Stderr(bytes)) => (Frame::new(CHANNEL_STDERR, bytes), false),
            Ok(Output::Exited(code)) => (Frame::new(CHANNEL_EXIT, code.to_string()), true),
            Ok(_) => continue,
            Err(error) => (Frame::new(CHANNEL_ERROR, error.to_string()), true),
        };
        if frame.write(&mut to).await.is_err() || is_last {
            return;
        }
    }
}

/// What is sent to the session; returns when the other side has gone away.
async fn hear(mut from: impl AsyncRead + Unpin, mut input: orch_core::runtime::InputSink) {
    while let Ok(Some(frame)) = Frame::read(&mut from).await {
        let sent = match (frame.channel, frame.content) {
            (CHANNEL_STDIN, content) if content.is_empty() => Input::End,
            (CHANNEL_STDIN, content) => Input::Bytes(content),
            (CHANNEL_RESIZE, content) => match size(&content) {
                Some(size) => Input::Resize(size),
                None => continue,
            },
            _ => continue,
        };
        // A program that reads no more has ended, or is about to: its output tells.
        let _ = input.send(sent).await;
    }
}

fn size(text: &Bytes) -> Option<TerminalSize> {
    parse_size(std::str::from_utf8(text).ok()?)
}

/// `COLUMNSxROWS`
pub(super) fn parse_size(text: &str) -> Option<TerminalSize> {
    let (columns, rows) = text.split_once('x')?;
    Some(TerminalSize { columns: columns.parse().ok()?, rows: rows.parse().ok()? })
}
