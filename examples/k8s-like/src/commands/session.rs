//! `k8s-like exec` and `k8s-like attach`

use std::process::ExitCode;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::signal::unix::{SignalKind, signal};

use super::logs::path;
use super::terminal::{RawTerminal, size};
use crate::api::{
    ApiError, CHANNEL_ERROR, CHANNEL_EXIT, CHANNEL_RESIZE, CHANNEL_STDERR, CHANNEL_STDIN, CHANNEL_STDOUT, Frame,
    escaped,
};
use crate::cli::{Attach, Exec};

/// Runs a command beside a container, and ends as it does.
pub(crate) async fn exec(options: Exec) -> Result<ExitCode, ApiError> {
    let Exec { at, pod, container, stdin, tty, command } = options;
    let mut path = path(&at, "exec", &pod, container.as_deref());
    let words: Vec<String> = command.iter().map(|word| format!("command={}", escaped(word))).collect();
    path = format!("{path}?{}", words.join("&"));
    if stdin {
        path.push_str("&input=true");
    }
    if tty {
        path = format!("{path}&tty={}", size());
    }
    let connection = at.cluster()?.session(&path).await?;
    let terminal = if tty && stdin { RawTerminal::enter() } else { None };
    let code = converse(connection, stdin, tty).await;
    drop(terminal);
    code
}

/// Shows what a container writes from now on, and passes on what is typed.
pub(crate) async fn attach(options: Attach) -> Result<ExitCode, ApiError> {
    let Attach { at, pod, container, stdin, tty } = options;
    let connection = at.cluster()?.session(&path(&at, "attach", &pod, container.as_deref())).await?;
    let terminal = if tty && stdin { RawTerminal::enter() } else { None };
    let code = converse(connection, stdin, tty).await;
    drop(terminal);
    code
}

/// Carries input and output until the program ends, and returns its exit code.
async fn converse(
    connection: impl AsyncRead + AsyncWrite + Send + 'static,
    stdin: bool,
    tty: bool,
) -> Result<ExitCode, ApiError> {
    let (mut from, to) = tokio::io::split(connection);
    let sending = tokio::spawn(send(to, stdin, tty));
    let (mut out, mut err) = (tokio::io::stdout(), tokio::io::stderr());
    let broke_off = |why: String| ApiError(format!("the session broke off: {why}"));
    loop {
        let frame = Frame::read(&mut from).await.map_err(|error| broke_off(error.to_string()))?;
        let Some(Frame { channel, content }) = frame else {
            return Err(broke_off("the container has ended, or the cluster was stopped".to_owned()));
        };
        let shown = match channel {
            CHANNEL_STDOUT => out.write_all(&content).await.and(out.flush().await),
            CHANNEL_STDERR => err.write_all(&content).await.and(err.flush().await),
            CHANNEL_ERROR => return Err(ApiError(String::from_utf8_lossy(&content).into_owned())),
            CHANNEL_EXIT => {
                sending.abort();
                let code: i32 = std::str::from_utf8(&content).ok().and_then(|code| code.parse().ok()).unwrap_or(1);
                return Ok(ExitCode::from(u8::try_from(code & 0xff).unwrap_or(1)));
            }
            _ => Ok(()),
        };
        // Whoever reads it has had enough.
        if shown.is_err() {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// Sends what is typed, and the terminal's size whenever it changes.
async fn send(mut to: impl AsyncWrite + Unpin, stdin: bool, tty: bool) -> std::io::Result<()> {
    let mut input = tokio::io::stdin();
    let mut resized = signal(SignalKind::window_change())?;
    let (mut more, mut piece) = (stdin, vec![0; 32 << 10]);
    loop {
        tokio::select! {
            biased;
            Some(()) = resized.recv(), if tty => Frame::new(CHANNEL_RESIZE, size()).write(&mut to).await?,
            read = input.read(&mut piece), if more => {
                let length = read?;
                // An empty piece is the end.
                more = length > 0;
                Frame::new(CHANNEL_STDIN, piece[..length].to_vec()).write(&mut to).await?;
            }
            // The connection stays open until the program has ended.
            else => std::future::pending::<()>().await,
        }
    }
}
