//! Runs a command, showing it first.

use std::fmt;
use std::path::Path;
use std::process::Command;

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
    let shown = format!("cargo {}", arguments.join(" "));
    eprintln!("xtask: {shown}");
    // The cargo that runs this program, so that an override such as `cargo +nightly xtask` carries on.
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(program).current_dir(folder).args(arguments).envs(environment.iter().copied()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failed(format!("`{shown}` failed ({status})"))),
        Err(error) => Err(Failed(format!("cannot run `{shown}`: {error}"))),
    }
}
