//! The last step before the program: the process prepares itself, writes down who it is, and becomes the program.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::{CommandExt as _, parent_id};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{AccessFlags, access, setsid};

use super::super::identity::ProcessIdentity;
use super::super::record::{self, AttemptFolder, Durability, Launch};
use super::{mounts, privileges};

/// Becomes the program, or tells the shim why not.
pub(super) fn launch(shim: &OsStr, folder: Option<&AttemptFolder>) -> io::Result<()> {
    // If the shim is killed, so is the program. If that happened before this line, nobody is to be told of it.
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    if shim.to_str() != Some(&parent_id().to_string()) {
        return Err(io::Error::other("the shim that started this process is gone"));
    }
    setsid()?;
    // What the shim, or the program that uses the runtime, does not want to hear of is none of the program's business.
    SigSet::empty().thread_set_mask()?;
    // A copy of the descriptor that the program does not get: the shim sees it closed at the moment of `execve`.
    let mut socket = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut request = Vec::new();
    socket.read_to_end(&mut request)?;
    let launch: Launch = serde_json::from_slice(&request)?;
    if let Some(folder) = folder {
        record::write(&folder.process(), &ProcessIdentity::own()?, Durability::Boot)?;
    }
    let message = match become_program(&launch, parent_id()) {
        Ok(never) => match never {},
        Err(message) => message,
    };
    socket.write_all(message.as_bytes())
}

/// Returns only if it fails.
fn become_program(launch: &Launch, shim: u32) -> Result<std::convert::Infallible, String> {
    let [program, args @ ..] = &launch.command[..] else {
        return Err("no command is given: add `command`".to_owned());
    };
    if let Some(cgroup) = &launch.cgroup {
        cgroup.join().map_err(|error| format!("the limits of the container cannot be set: {error}"))?;
    }
    if let Some(network) = &launch.network {
        enter_network(network).map_err(|error| {
            format!("the network of the pod, {}, cannot be entered: {error}: was it removed?", network.display())
        })?;
    }
    mounts::enter(launch)?;
    std::env::set_current_dir(&launch.working_dir).map_err(|error| {
        format!("working directory {:?} cannot be entered: {error}: create it, or choose another", launch.working_dir)
    })?;
    let path = look_up(program, launch)?;
    limit(launch).map_err(|error| format!("the resource limits cannot be set: {error}"))?;
    let mut command = Command::new(&path);
    command.arg0(program).args(args).env_clear();
    connect(&mut command, launch).map_err(|error| format!("its input and terminal cannot be opened: {error}"))?;
    privileges::assume(launch)?;
    if parent_id() != shim {
        return Err("the shim that started this process is gone".to_owned());
    }
    command.envs(launch.env.iter().map(|(name, value)| (name, value)));
    let error = command.exec();
    Err(explain(program, &path, &error))
}

fn enter_network(path: &Path) -> io::Result<()> {
    Ok(setns(File::open(path)?, CloneFlags::CLONE_NEWNET)?)
}

fn look_up(program: &str, launch: &Launch) -> Result<PathBuf, String> {
    if program.contains('/') {
        return Ok(PathBuf::from(program));
    }
    let own = launch.env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value);
    let path = own.unwrap_or(&launch.path);
    let there: Vec<PathBuf> =
        path.split(':').map(|folder| Path::new(folder).join(program)).filter(|candidate| candidate.is_file()).collect();
    let executable = |candidate: &&PathBuf| access(*candidate, AccessFlags::X_OK).is_ok();
    match (there.iter().find(executable), there.first()) {
        (Some(found), _) => Ok(found.clone()),
        (None, Some(other)) => Err(format!("{} is not executable: chmod +x it", other.display())),
        (None, None) => Err(format!(
            "command {program:?} not found in PATH {path:?}: check its spelling, give its full path, or set PATH in \
             the container's environment"
        )),
    }
}

/// Gives the program its input, and its terminal.
fn connect(command: &mut Command, launch: &Launch) -> io::Result<()> {
    if let Some(terminal) = &launch.terminal {
        // Opened by the leader of a session, it becomes the session's.
        let terminal = File::options().read(true).write(true).open(terminal)?;
        command.stdin(terminal.try_clone()?).stdout(terminal.try_clone()?).stderr(terminal);
        return Ok(());
    }
    match &launch.input {
        Some(input) => command.stdin(File::open(input)?),
        None => command.stdin(Stdio::null()),
    };
    Ok(())
}

fn limit(launch: &Launch) -> io::Result<()> {
    // A program that crashes again and again must not fill the disk.
    let (_, most) = getrlimit(Resource::RLIMIT_CORE)?;
    setrlimit(Resource::RLIMIT_CORE, 0, most)?;
    if let Some(bytes) = launch.memory_bytes {
        let (_, most) = getrlimit(Resource::RLIMIT_DATA)?;
        setrlimit(Resource::RLIMIT_DATA, bytes.min(most), bytes.min(most))?;
    }
    Ok(())
}

fn explain(program: &str, path: &Path, error: &io::Error) -> String {
    use nix::errno::Errno;
    let hint = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOENT) if path.exists() => "the interpreter that it names is missing: install it",
        Some(Errno::ENOENT | Errno::ENOTDIR) => "there is no such file: check the path",
        Some(Errno::EACCES) if path.is_dir() => "it is a folder: name a program in it",
        Some(Errno::EACCES) => "it is not executable, or lies where programs may not: chmod +x it",
        Some(Errno::ENOEXEC) => "it is neither a program for this machine nor a script with a #! line",
        Some(Errno::E2BIG) => "its arguments and environment are too large: pass them in a file",
        _ => "look at the program and at the limits of this user",
    };
    format!("command {program:?} cannot be executed: {error}: {hint}")
}
