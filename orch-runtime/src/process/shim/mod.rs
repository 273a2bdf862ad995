//! The shim: a process that supervises one container, or one command beside a container, and outlives the process
//! that uses the runtime. There are three roles, by the first argument:
//!
//! - `run FOLDER` supervises an attempt. Its standard input is the attempt's FIFO `life`, held open until it ends;
//!   it writes a byte into it once the program runs, and `exit.json` when everything of the container has ended.
//! - `exec` supervises a command. Its standard input is a socket: an [`ExecLaunch`] comes as one line, and then what is
//!   the command's input; [`ExecReport`]s go back, a line each; and when the other side closes it, everything is killed.
//! - `launch SHIM [FOLDER]` becomes the program. Its standard input is a socket to the shim that started it: a
//!   [`Launch`] comes; a message goes back if the program cannot be executed, and nothing if it is.

mod input;
mod launch;
mod mounts;
mod output;
mod privileges;
mod supervise;
mod terminal;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, PipeReader, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::setsid;
use orch_core::clock::{Clock as _, SystemClock};
use orch_core::runtime::{ExitReason, TerminalSize};
use serde::{Deserialize, Serialize};

use self::input::ProgramInput;
pub(super) use self::mounts::separate as separate_mounts;
use self::output::Output;
use self::supervise::{Ended, Supervised};
use self::terminal::Terminal;
use super::identity::ProcessIdentity;
use super::record::{self, AttemptFolder, Durability, Exit, Launch, Request};

/// The name by which a program is called when it is to be a shim.
pub(super) const SHIM: &str = "orch-shim-of-container";

static HOOK_WAS_CALLED: AtomicBool = AtomicBool::new(false);

/// A command to run beside a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ExecLaunch {
    pub(super) launch: Launch,
    /// Whether something will come as its input.
    pub(super) input: bool,
    /// Columns and rows of its terminal, if it is to have one.
    pub(super) terminal: Option<(u16, u16)>,
}

/// What became of a command beside a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ExecReport {
    /// It runs.
    Started,
    /// It ended with this exit code.
    Ended(i32),
    /// It could not be executed.
    NotStarted(String),
}

/// Makes this process a shim if it was started to be one; then it does not return. To be called first in `main`, by
/// every program that uses [`Shim::CurrentExe`](super::Shim::CurrentExe):
///
/// ```
/// # #[expect(clippy::needless_doctest_main)]
/// fn main() {
///     orch_runtime::process::run_shim_if_asked();
///     // … the program itself
/// }
/// ```
///
/// A shim is small: it waits, copies output to files of a limited size, kills what its container leaves behind, and
/// writes down how it ended. It never calls back into the program that it is a copy of.
pub fn run_shim_if_asked() {
    HOOK_WAS_CALLED.store(true, Ordering::Relaxed);
    let mut args = std::env::args_os();
    if args.next().as_deref() != Some(OsStr::new(SHIM)) {
        return;
    }
    let args: Vec<_> = args.collect();
    let args: Vec<&OsStr> = args.iter().map(AsRef::as_ref).collect();
    let result = match (args.first().and_then(|role| role.to_str()), &args[1.min(args.len())..]) {
        (Some("run"), [folder]) => run(&AttemptFolder(Path::new(folder).to_owned())),
        (Some("exec"), []) => exec(),
        (Some("launch"), [shim]) => launch::launch(shim, None),
        (Some("launch"), [shim, folder]) => launch::launch(shim, Some(&AttemptFolder(Path::new(folder).to_owned()))),
        _ => Err(io::Error::other(format!("a shim was started with arguments that it does not know: {args:?}"))),
    };
    if let Err(error) = result {
        eprintln!("shim: {error}");
        std::process::exit(1);
    }
    std::process::exit(0);
}

/// Whether `main` of this program begins as it must for [`Shim::CurrentExe`](super::Shim::CurrentExe).
pub(super) fn hook_was_called() -> bool {
    HOOK_WAS_CALLED.load(Ordering::Relaxed)
}

fn run(folder: &AttemptFolder) -> io::Result<()> {
    stand_apart()?;
    record::write(&folder.shim(), &ProcessIdentity::own()?, Durability::Boot)?;
    let Some(Request { spec, mut launch, log_bytes, .. }) = record::read::<Request>(&folder.request())? else {
        return Err(io::Error::other("there is no request"));
    };
    let mut life = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let terminal = spec.tty.then(|| Terminal::open(None)).transpose()?;
    let (output, stdio) = match &terminal {
        Some(terminal) => {
            (Output::copy(folder, log_bytes, terminal.ours.try_clone()?)?, [Stdio::null(), Stdio::null()])
        }
        None => {
            let (output, writer) = Output::start(folder, log_bytes)?;
            (output, [writer.try_clone()?.into(), writer.into()])
        }
    };
    launch.terminal = terminal.as_ref().map(|terminal| terminal.path.clone());
    let held = if spec.stdin || spec.tty {
        // Open for both, so that it does not end when somebody who attached goes.
        let fifo = File::options().read(true).write(true).open(folder.input())?;
        give_input(&mut launch, terminal, fifo)?
    } else {
        Held(None, None)
    };
    let started = Supervised::start(&launch, Some(folder), stdio)?;
    drop(held);
    let ended = match started {
        Ok(supervised) => {
            life.write_all(b".")?;
            supervised.wait_with(launch.cgroup.as_ref())?
        }
        Err(message) => {
            if let Some(cgroup) = &launch.cgroup {
                cgroup.remove()?;
            }
            Ended { reason: ExitReason::StartError, code: 128, message }
        }
    };
    output.finish();
    let Ended { reason, code, message } = ended;
    let exit = Exit { reason, code, message, finished_at: SystemClock.now() };
    record::write(&folder.exit(), &exit, Durability::Power)
}

/// What a program opens by its path, and is held until it has.
struct Held(
    #[expect(dead_code, reason = "held")] Option<Terminal>,
    #[expect(dead_code, reason = "held")] Option<PipeReader>,
);

/// Lets a program read what comes from a source: from its terminal if it has one, else from a pipe.
fn give_input(
    launch: &mut Launch,
    terminal: Option<Terminal>,
    source: impl io::Read + Send + 'static,
) -> io::Result<Held> {
    if let Some(terminal) = terminal {
        ProgramInput::terminal(&terminal)?.pass_on(source);
        return Ok(Held(Some(terminal), None));
    }
    let (input, reader, path) = ProgramInput::pipe()?;
    launch.input = Some(path);
    input.pass_on(source);
    Ok(Held(None, Some(reader)))
}

fn exec() -> io::Result<()> {
    stand_apart()?;
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut reader = BufReader::new(socket.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let ExecLaunch { mut launch, input, terminal } = serde_json::from_str(&line)?;
    let size = terminal.map(|(columns, rows)| TerminalSize { columns, rows });
    let terminal = size.map(|size| Terminal::open(Some(size))).transpose()?;
    launch.terminal = terminal.as_ref().map(|terminal| terminal.path.clone());
    let (copying, stdio) = match &terminal {
        Some(terminal) => (Some(terminal.ours.try_clone()?), [Stdio::null(), Stdio::null()]),
        None => (None, [Stdio::inherit(), Stdio::inherit()]),
    };
    let held = if input { give_input(&mut launch, terminal, reader)? } else { Held(terminal, None) };
    let started = Supervised::start(&launch, None, stdio)?;
    let copying = copying.map(|ours| thread::spawn(move || copy_terminal(ours)));
    drop(held);
    let report = match started {
        Ok(supervised) => {
            tell(&mut socket, &ExecReport::Started)?;
            kill_when_closed(socket.try_clone()?);
            let ended = supervised.wait_with(None)?;
            if let Some(copying) = copying {
                // A panic there is told by itself.
                let _ = copying.join();
            }
            ExecReport::Ended(ended.code)
        }
        Err(message) => ExecReport::NotStarted(message),
    };
    tell(&mut socket, &report)
}

fn tell(socket: &mut UnixStream, report: &ExecReport) -> io::Result<()> {
    let mut line = serde_json::to_vec(report)?;
    line.push(b'\n');
    socket.write_all(&line)
}

/// Kills the command when the other side has gone or given up.
fn kill_when_closed(socket: UnixStream) {
    thread::spawn(move || {
        // Nothing but its end is waited for: what was sent and not read yet does not count.
        let mut ends = [PollFd::new(socket.as_fd(), PollFlags::empty())];
        while poll(&mut ends, PollTimeout::NONE) == Err(Errno::EINTR) {}
        if let Err(error) = supervise::kill_descendants() {
            eprintln!("shim: cannot kill what it started: {error}");
        }
    });
}

/// Copies what is shown on a terminal until it is hung up, which is an error, or nobody reads.
fn copy_terminal(mut terminal: File) {
    let _ = io::copy(&mut terminal, &mut io::stdout());
}

/// Leaves the session of the process that started it, takes in orphans, and cannot be ended by accident: what is sent
/// to all processes of a terminal or a service ends the container, and the shim lives to tell.
fn stand_apart() -> io::Result<()> {
    setsid()?;
    prctl::set_child_subreaper(true)?;
    SigSet::from_iter([Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM]).thread_block()?;
    Ok(())
}
