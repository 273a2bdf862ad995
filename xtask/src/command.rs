//! Runs a command, showing it first.

use std::fmt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// Why an xtask command failed, in a sentence.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Runs cargo in the workspace.
pub(crate) fn cargo(root: &Path, arguments: &[&str]) -> Result<(), Failed> {
    cargo_with(root, &[], arguments)
}

/// Runs cargo in a folder with a workspace of its own.
pub(crate) fn cargo_in(folder: &Path, arguments: &[&str]) -> Result<(), Failed> {
    cargo_with(folder, &[], arguments)
}

/// Runs cargo with environment variables.
pub(crate) fn cargo_with(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Result<(), Failed> {
    let mut command = command(folder, arguments);
    let status = command.envs(environment.iter().copied()).status().map_err(|error| cannot_run(arguments, &error))?;
    succeeded(arguments, status)
}

/// Runs cargo in the workspace, and returns what it prints.
pub(crate) fn cargo_output(root: &Path, arguments: &[&str]) -> Result<String, Failed> {
    let mut command = command(root, arguments);
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| cannot_run(arguments, &error))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        eprint!("{text}");
    }
    succeeded(arguments, output.status).map(|()| text)
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    eprintln!("xtask: {}", shown(arguments));
    // The cargo that runs this program, so that an override such as `cargo +nightly xtask` carries on.
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder).args(arguments);
    command
}

fn shown(arguments: &[&str]) -> String {
    format!("cargo {}", arguments.join(" "))
}

fn succeeded(arguments: &[&str], status: ExitStatus) -> Result<(), Failed> {
    if status.success() { Ok(()) } else { Err(Failed(format!("`{}` failed ({status})", shown(arguments)))) }
}

fn cannot_run(arguments: &[&str], error: &std::io::Error) -> Failed {
    Failed(format!("cannot run `{}`: {error}", shown(arguments)))
}

/// Runs a command in silence. The error is the end of what the program says, in one line.
pub(crate) fn succeeds(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| format!("`{program}` cannot be run ({error})"))?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = errors.lines().filter(|line| !line.trim().is_empty()).collect();
    Err(format!("`{program}` failed ({})", lines[lines.len().saturating_sub(3)..].join("; ")))
}
