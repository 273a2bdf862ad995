//! Running a command beside a container, under a shim of its own.

use std::sync::Arc;
use std::time::Duration;

use orch_core::runtime::{ExecOutput, RuntimeError};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::Child;

use super::Shim;
use super::attempt::{Attempt, Phase};
use super::record::{self, Launch, Request};
use super::shim::{ExecLaunch, ExecReport};
use super::start::{obstacle, spawn_exec_shim};
use super::trouble::unavailable;

/// What is kept of each of standard output and error.
const OUTPUT: u64 = 1 << 20;

/// The same for what a command may be told to be: the report of a shim is short.
const REPORT: u64 = 64 << 10;

/// Runs a command. If the future is dropped, or this process ends, the shim kills it.
pub(super) async fn exec(
    shim: &Shim,
    attempt: Arc<Attempt>,
    command: &[String],
    timeout: Duration,
) -> Result<ExecOutput, RuntimeError> {
    // Taken before looking whether it runs: whoever removes it ends it first, and then waits for this.
    let _beside = attempt.commands.read().await;
    let no_such_container = || RuntimeError::NoSuchContainer { id: attempt.id.clone() };
    let Phase::Running(_) = attempt.phase() else { return Err(no_such_container()) };
    let launch = ExecLaunch { launch: launch(&attempt, command)?, input: false, terminal: None };
    let failed = |error| unavailable("cannot run a command beside", &attempt.folder.0, error);
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(failed)?;
    ours.set_nonblocking(true).map_err(failed)?;
    let ours = UnixStream::from_std(ours).map_err(failed)?;
    let mut child = spawn_exec_shim(shim, theirs.into()).map_err(failed)?;
    let outcome = {
        let run = run(ours, &mut child, &launch);
        tokio::select! {
            biased;
            result = run => Some(result),
            () = attempt.ended() => None,
            () = tokio::time::sleep(timeout) => None,
        }
    };
    let Some(result) = outcome else {
        // The socket is closed: the shim kills the command with everything that it started, and ends.
        child.wait().await.map_err(failed)?;
        return Err(if attempt.has_ended() { no_such_container() } else { RuntimeError::TimedOut });
    };
    let (report, stdout, stderr) = result.map_err(failed)?;
    match report {
        ExecReport::Ended(code) => Ok(ExecOutput { code, stdout, stderr }),
        ExecReport::NotStarted(message) => Err(not_found(command, message)),
        ExecReport::Started => Err(failed(std::io::Error::other("its shim did not tell how it ended"))),
    }
}

/// The command in the container's place: its environment, its folder, its limits.
pub(super) fn launch(attempt: &Attempt, command: &[String]) -> Result<Launch, RuntimeError> {
    let failed = |error| unavailable("cannot read the record of", &attempt.folder.0, error);
    let Some(mut request) = record::read::<Request>(&attempt.folder.request()).map_err(failed)? else {
        return Err(RuntimeError::NoSuchContainer { id: attempt.id.clone() });
    };
    request.spec.command = command.to_vec();
    request.launch.command = command.to_vec();
    match obstacle(&request) {
        Some(message) => Err(not_found(command, message)),
        None => Ok(request.launch),
    }
}

pub(super) fn not_found(command: &[String], message: String) -> RuntimeError {
    RuntimeError::CommandNotFound { command: command.first().cloned().unwrap_or_default(), message }
}

/// Hands over what to run, and collects what comes back until the shim has ended.
async fn run(
    socket: UnixStream,
    shim: &mut Child,
    launch: &ExecLaunch,
) -> std::io::Result<(ExecReport, Vec<u8>, Vec<u8>)> {
    let (mut reports, mut to_shim) = socket.into_split();
    let (stdout, stderr) = (shim.stdout.take(), shim.stderr.take());
    let talk = async {
        hand_over(&mut to_shim, launch).await?;
        let mut report = Vec::new();
        (&mut reports).take(REPORT).read_to_end(&mut report).await?;
        Ok::<_, std::io::Error>(report)
    };
    let (report, stdout, stderr) = tokio::try_join!(talk, collect(stdout), collect(stderr))?;
    shim.wait().await?;
    // The last line counts: before it comes that the command was started.
    let last = report.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let report = serde_json::from_slice(last).map_err(|error| {
        std::io::Error::other(format!(
            "its shim did not tell: {error}: {}",
            String::from_utf8_lossy(&stderr).trim_end()
        ))
    })?;
    Ok((report, stdout, stderr))
}

/// Tells a shim what to run.
pub(super) async fn hand_over(to_shim: &mut (impl AsyncWrite + Unpin), launch: &ExecLaunch) -> std::io::Result<()> {
    let mut request = serde_json::to_vec(launch)?;
    request.push(b'\n');
    to_shim.write_all(&request).await
}

/// Reads to the end, and keeps the beginning: a command must not hang because nobody reads on.
async fn collect(source: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    if let Some(mut source) = source {
        (&mut source).take(OUTPUT).read_to_end(&mut kept).await?;
        tokio::io::copy(&mut source, &mut tokio::io::sink()).await?;
    }
    Ok(kept)
}
