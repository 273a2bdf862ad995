//! [`Client`]: runs the programs of iptables.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{ExitStatus, Output, Stdio};

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::config::IptablesConfig;
use super::error::ProgramError;
use super::session::{Ended, Session};
use crate::family::Family;

/// How programs make changes: others' rules stay, and they wait so many seconds for another program that holds the lock
/// of iptables.
const CHANGE: [&str; 3] = ["--noflush", "-w", "10"];

/// How much of what a program complains of is passed on.
const COMPLAINT_MAX: usize = 1_000;

/// Larger changes, in bytes, have a program of their own: one that stays would keep the memory that it took.
const SMALL: usize = 256 * 1024;

/// The programs of iptables.
#[derive(Debug)]
pub(super) struct Client {
    config: IptablesConfig,
    /// The programs that wait for the next change. Held while one is under way.
    sessions: Mutex<BTreeMap<Family, Waiting>>,
}

/// What makes the next change.
#[derive(Debug)]
enum Waiting {
    Session(Box<Session>),
    /// A new program each time, since this one does not say when a change is made.
    Nobody,
}

impl Client {
    pub(super) fn new(config: IptablesConfig) -> Self {
        Self { config, sessions: Mutex::default() }
    }

    pub(super) fn config(&self) -> &IptablesConfig {
        &self.config
    }

    /// All rules of a family, as `iptables-save` writes them. Tables that nobody used are not made by that.
    pub(super) async fn save(&self, family: Family) -> Result<String, ProgramError> {
        let output = self.run(family, "-save", &[], "").await?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Makes a change. Each table in it is changed in one step, one after another, and after one that failed none is.
    pub(super) async fn restore(&self, family: Family, input: &str) -> Result<(), ProgramError> {
        if input.len() <= SMALL {
            let (program, _) = self.command(family, "-restore");
            let made = timeout(self.config.timeout, self.make(family, input)).await;
            match made.map_err(|_| ProgramError::Slow { program: program.clone(), timeout: self.config.timeout })? {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(Ended::Unreachable(source)) => return Err(ProgramError::Run { program, source }),
                Err(Ended::Failed(status, message)) => return Err(failed(program, status, &message)),
            }
        }
        self.run(family, "-restore", &CHANGE, input).await.map(drop)
    }

    /// Makes a change by a program that waits for it. `false` if there can be none.
    async fn make(&self, family: Family, input: &str) -> Result<bool, Ended> {
        let mut sessions = self.sessions.lock().await;
        // Taken: if this future is dropped, the program is killed.
        let waiting = match sessions.remove(&family) {
            Some(Waiting::Session(mut session)) => session.is_alive().then_some(session),
            Some(Waiting::Nobody) => {
                sessions.insert(family, Waiting::Nobody);
                return Ok(false);
            }
            None => None,
        };
        let mut session = match waiting {
            Some(session) => session,
            None => {
                let (_, mut command) = self.command(family, "-restore");
                command.args(CHANGE);
                let Some(session) = Session::start(command).await? else {
                    sessions.insert(family, Waiting::Nobody);
                    return Ok(false);
                };
                Box::new(session)
            }
        };
        session.make(input).await?;
        sessions.insert(family, Waiting::Session(session));
        Ok(true)
    }

    /// Lets the programs end that wait.
    pub(super) async fn rest(&self) {
        self.sessions.lock().await.clear();
    }

    /// Whether the rules go to the old interface of the kernel, where each change writes all rules of a table anew.
    pub(super) async fn is_legacy(&self, family: Family) -> Result<bool, ProgramError> {
        let output = self.run(family, "", &["-V"], "").await?;
        Ok(!String::from_utf8_lossy(&output.stdout).contains("nf_tables"))
    }

    /// A program, by its name and ready to be started.
    fn command(&self, family: Family, what: &str) -> (String, Command) {
        let name = format!("{}{what}", if family == Family::V4 { "iptables" } else { "ip6tables" });
        let path = self.config.programs.as_ref().map_or_else(|| PathBuf::from(&name), |folder| folder.join(&name));
        let mut command = Command::new(&path);
        command.envs(&self.config.environment).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        (path.display().to_string(), command)
    }

    async fn run(&self, family: Family, what: &str, arguments: &[&str], input: &str) -> Result<Output, ProgramError> {
        let (program, mut command) = self.command(family, what);
        let unable = |source| ProgramError::Run { program: program.clone(), source };
        let mut child = command.args(arguments).spawn().map_err(unable)?;
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
        let output = timeout(self.config.timeout, run).await.map_err(slow)?.map_err(unable)?;
        if output.status.success() {
            return Ok(output);
        }
        Err(failed(program, output.status, &String::from_utf8_lossy(&output.stderr)))
    }
}

fn failed(program: String, status: ExitStatus, complaint: &str) -> ProgramError {
    let message = complaint.trim().replace('\n', "; ").chars().take(COMPLAINT_MAX).collect();
    ProgramError::Failed { program, status, message }
}
