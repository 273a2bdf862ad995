//! The logger: a process that writes down what a container writes, and outlives the process that uses the runtime.
//!
//! containerd's shim starts it with two pipes to read, as descriptors 3 and 4, and waits for a byte on 5. For a container
//! with an input, of which the shim knows nothing then, the runtime itself starts it, with the pipes as descriptors 0
//! and 1.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use nix::unistd::setsid;
use orch_core::clock::SystemClock;
use serde::{Deserialize, Serialize};

use super::config::{ContainerdConfig, Logger};
use crate::log_file::{LogWriter, Origin, copy};

/// What a program is called with when it is to be a logger.
const LOGGER: &str = "orch-logger-of-container";
/// How long output may still come when everything of the container has ended.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Between two looks whether the logger has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

static HOOK_WAS_CALLED: AtomicBool = AtomicBool::new(false);

/// What a logger is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Request {
    folder: PathBuf,
    log_bytes: u64,
    /// Where the container writes to: standard output and, if it is not the same, standard error.
    pipes: Vec<u32>,
    /// Where somebody waits until it listens.
    ready: Option<u32>,
}

/// Makes this process a logger if it was started to be one; then it does not return. To be called first in `main`, by
/// every program that uses [`Logger::CurrentExe`]:
///
/// ```
/// # #[expect(clippy::needless_doctest_main)]
/// fn main() {
///     orch_runtime::containerd::run_logger_if_asked();
///     // … the program itself
/// }
/// ```
///
/// A logger is small: it copies output to files of a limited size. It never calls back into the program that it is a
/// copy of.
pub fn run_logger_if_asked() {
    HOOK_WAS_CALLED.store(true, Ordering::Relaxed);
    let mut args = std::env::args_os().skip(1);
    if args.next().as_deref() != Some(OsStr::new(LOGGER)) {
        return;
    }
    let request = args.next().and_then(|request| serde_json::from_str(request.to_str()?).ok());
    let result = request.map_or_else(|| Err(io::Error::other("a logger was started without a request")), run);
    if let Err(error) = result {
        eprintln!("logger: {error}");
        std::process::exit(1);
    }
    std::process::exit(0);
}

/// Whether `main` of this program begins as it must for [`Logger::CurrentExe`].
pub(super) fn hook_was_called() -> bool {
    HOOK_WAS_CALLED.load(Ordering::Relaxed)
}

/// What containerd's shim is to start with each container.
pub(super) fn uri(config: &ContainerdConfig, folder: &Path, terminal: bool) -> String {
    let program = match &config.logger {
        // The program's own file may have been replaced, and still runs.
        Logger::CurrentExe => PathBuf::from(format!("/proc/{}/exe", std::process::id())),
        Logger::Path(path) => path.clone(),
    };
    let pipes = if terminal { vec![3] } else { vec![3, 4] };
    let request = request(config, folder, pipes, Some(5));
    format!("binary://{}?{LOGGER}={}", escaped(&program.to_string_lossy(), b"/"), escaped(&request, b""))
}

/// Starts a logger that has these pipes, and lets it go on by itself.
pub(super) fn spawn(config: &ContainerdConfig, folder: &Path, stdout: File, stderr: Option<File>) -> io::Result<()> {
    let program = match &config.logger {
        Logger::CurrentExe => PathBuf::from("/proc/self/exe"),
        Logger::Path(path) => path.clone(),
    };
    // It holds the lock from its first moment on.
    let lock = lock_file(folder)?;
    lock.lock()?;
    let pipes = if stderr.is_some() { vec![0, 1] } else { vec![0] };
    let mut command = tokio::process::Command::new(program);
    command.arg(LOGGER).arg(request(config, folder, pipes, None)).stdin(stdout).stderr(lock);
    command.stdout(stderr.map_or_else(Stdio::null, Stdio::from));
    command.spawn().map(drop)
}

/// Waits until everything that a container wrote is in its log.
pub(super) async fn finished(folder: &Path) {
    let deadline = tokio::time::Instant::now() + LAST_WORDS;
    while is_held(folder) && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn is_held(folder: &Path) -> bool {
    let Ok(file) = File::open(folder.join("logger")) else { return false };
    matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock))
}

/// Held by the logger for as long as it lives. What goes wrong is written into it.
fn lock_file(folder: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(folder.join("logger"))
}

fn request(config: &ContainerdConfig, folder: &Path, pipes: Vec<u32>, ready: Option<u32>) -> String {
    let request = Request { folder: folder.to_owned(), log_bytes: config.log_bytes.max(1), pipes, ready };
    // A path that is no text is the only thing that could fail, and the root folder's was checked.
    serde_json::to_string(&request).unwrap_or_default()
}

fn run(request: Request) -> io::Result<()> {
    // What is sent to all processes of a terminal or a service, and by the shim before everything is read, is not meant
    // for it: it ends when there is no more to read. It may lead its session already.
    let _ = setsid();
    SigSet::from_iter([Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM]).thread_block()?;
    let own = request.ready.is_some().then(|| lock_file(&request.folder)).transpose()?;
    own.as_ref().map_or(Ok(()), File::lock)?;
    let pipes = request.pipes.iter().map(|number| File::open(format!("/proc/self/fd/{number}")));
    let pipes = pipes.collect::<io::Result<Vec<_>>>()?;
    let log = Mutex::new(LogWriter::open(&request.folder, request.log_bytes)?);
    if let Some(ready) = request.ready {
        File::options().write(true).open(format!("/proc/self/fd/{ready}"))?.write_all(b".")?;
    }
    thread::scope(|scope| {
        for (pipe, origin) in pipes.into_iter().zip([Origin::Stdout, Origin::Stderr]) {
            let log = &log;
            scope.spawn(move || copy(pipe, origin, log, &SystemClock));
        }
    });
    Ok(())
}

/// A text as a part of a URI. All but the plainest characters and those of `also` are written as numbers.
fn escaped(text: &str, also: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) || also.contains(&byte);
    let mut escaped = String::new();
    for byte in text.bytes() {
        if plain(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_parts_of_uris() {
        assert_eq!(escaped("/a b/é?&", b"/"), "/a%20b/%C3%A9%3F%26");
    }
}
