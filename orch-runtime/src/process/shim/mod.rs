//! The shim: a process that supervises one container, or one command beside a container, and outlives the process
//! that uses the runtime. There are three roles, by the first argument:
//!
//! - `run FOLDER` supervises an attempt. Its standard input is the attempt's FIFO `life`, held open until it ends;
//!   it writes a byte into it once the program runs, and `exit.json` when everything of the container has ended.
//! - `exec` supervises a command. Its standard input is a socket: a [`Launch`] comes as one line, an [`ExecReport`]
//!   goes back, and when the other side closes it, everything is killed.
//! - `launch SHIM [FOLDER]` becomes the program. Its standard input is a socket to the shim that started it: a
//!   [`Launch`] comes; a message goes back if the program cannot be executed, and nothing if it is.

mod launch;
mod output;
mod supervise;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::setsid;
use orch_core::clock::{Clock as _, SystemClock};
use orch_core::runtime::ExitReason;
use serde::{Deserialize, Serialize};

use self::output::Output;
use self::supervise::{Ended, Supervised};
use super::identity::ProcessIdentity;
use super::record::{self, AttemptFolder, Durability, Exit, Launch, Request};

/// The name by which a program is called when it is to be a shim.
pub(super) const SHIM: &str = "orch-shim-of-container";

static HOOK_WAS_CALLED: AtomicBool = AtomicBool::new(false);

/// What became of a command beside a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ExecReport {
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
    let Some(request) = record::read::<Request>(&folder.request())? else {
        return Err(io::Error::other("there is no request"));
    };
    let mut life = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let (output, writer) = Output::start(folder, request.log_bytes)?;
    let stdio = [writer.try_clone()?.into(), writer.into()];
    let ended = match Supervised::start(&request.launch, Some(folder), stdio)? {
        Ok(supervised) => {
            life.write_all(b".")?;
            supervised.wait()?
        }
        Err(message) => Ended { reason: ExitReason::StartError, code: 128, message },
    };
    output.finish();
    let Ended { reason, code, message } = ended;
    let exit = Exit { reason, code, message, finished_at: SystemClock.now() };
    record::write(&folder.exit(), &exit, Durability::Power)
}

fn exec() -> io::Result<()> {
    stand_apart()?;
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut reader = BufReader::new(socket.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let launch: Launch = serde_json::from_str(&line)?;
    let stdio = [Stdio::inherit(), Stdio::inherit()];
    let report = match Supervised::start(&launch, None, stdio)? {
        Ok(supervised) => {
            thread::spawn(move || {
                // Nothing more is ever sent: this returns when the other side has gone or given up.
                let _ = reader.read(&mut [0]);
                if let Err(error) = supervise::kill_descendants() {
                    eprintln!("shim: cannot kill what it started: {error}");
                }
            });
            ExecReport::Ended(supervised.wait()?.code)
        }
        Err(message) => ExecReport::NotStarted(message),
    };
    serde_json::to_writer(&mut socket, &report)?;
    Ok(())
}

/// Leaves the session of the process that started it, takes in orphans, and cannot be ended by accident: what is sent
/// to all processes of a terminal or a service ends the container, and the shim lives to tell.
fn stand_apart() -> io::Result<()> {
    setsid()?;
    prctl::set_child_subreaper(true)?;
    SigSet::from_iter([Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM]).thread_block()?;
    Ok(())
}
