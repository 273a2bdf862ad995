//! [`Client`]: runs the programs of iptables.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Output, Stdio};

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use super::config::IptablesConfig;
use super::error::ProgramError;
use crate::family::Family;

/// How long programs wait for another one that holds the lock of iptables, in seconds.
const LOCK_WAIT: &str = "10";

/// How much of what a program complains of is passed on.
const COMPLAINT_MAX: usize = 1_000;

/// The programs of iptables.
#[derive(Debug)]
pub(super) struct Client<'a> {
    config: &'a IptablesConfig,
}

impl<'a> Client<'a> {
    pub(super) fn new(config: &'a IptablesConfig) -> Self {
        Self { config }
    }

    /// All rules of a family, as `iptables-save` writes them. Tables that nobody used are not made by that.
    pub(super) async fn save(&self, family: Family) -> Result<String, ProgramError> {
        let output = self.run(family, "-save", &[], "").await?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Makes a change. Each table in it is changed in one step, one after another, and after one that failed none is.
    pub(super) async fn restore(&self, family: Family, input: &str) -> Result<(), ProgramError> {
        self.run(family, "-restore", &["--noflush", "-w", LOCK_WAIT], input).await.map(drop)
    }

    /// Whether the rules go to the old interface of the kernel, where each change writes all rules of a table anew.
    pub(super) async fn is_legacy(&self, family: Family) -> Result<bool, ProgramError> {
        let output = self.run(family, "", &["-V"], "").await?;
        Ok(!String::from_utf8_lossy(&output.stdout).contains("nf_tables"))
    }

    async fn run(&self, family: Family, what: &str, arguments: &[&str], input: &str) -> Result<Output, ProgramError> {
        let name = format!("{}{what}", if family == Family::V4 { "iptables" } else { "ip6tables" });
        let path = match &self.config.programs {
            Some(folder) => folder.join(&name).into_os_string(),
            None => OsString::from(&name),
        };
        let program = Path::new(&path).display().to_string();
        let failed = |source| ProgramError::Run { program: program.clone(), source };
        let mut child = Command::new(&path)
            .args(arguments)
            .envs(&self.config.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let mut stdin = child.stdin.take();
        let write = async move {
            if let Some(stdin) = &mut stdin {
                // One that ended early says itself why.
                let _ = stdin.write_all(input.as_bytes()).await;
                let _ = stdin.shutdown().await;
            }
            drop(stdin);
        };
        let run = async { tokio::join!(write, child.wait_with_output()).1 };
        let slow = |_| ProgramError::Slow { program: program.clone(), timeout: self.config.timeout };
        let output = timeout(self.config.timeout, run).await.map_err(slow)?.map_err(failed)?;
        if output.status.success() {
            return Ok(output);
        }
        let message = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
        let message = message.chars().take(COMPLAINT_MAX).collect();
        Err(ProgramError::Failed { program, status: output.status, message })
    }
}
