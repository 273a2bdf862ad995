//! [`Janitor`].

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use super::program;

/// A shell script that cleans up when this is dropped, and when the process ends without dropping it, even by SIGKILL: it
/// waits for the end of its standard input.
#[derive(Debug)]
pub(super) struct Janitor(Child);

impl Janitor {
    /// The script has `about` as `$0`, and the others from `$1`.
    pub(super) fn hire<const N: usize>(script: &str, about: impl AsRef<OsStr>, others: [&str; N]) -> Self {
        // Deaf to the Ctrl-C that ends the tests, and out of its reach.
        let script = format!("trap '' INT HUP TERM; cat\n{script}");
        let mut command = program::with_clean_environment(Command::new("sh"));
        command.args(["-c", &script]).arg(about).args(others).current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("`sh` starts"))
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It may have been killed by somebody: then there is nothing to wait for.
        let _ = self.0.wait();
    }
}
