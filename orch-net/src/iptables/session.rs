//! [`Session`]: a program that makes one change after another.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// How long a program that has just started may take to answer. One that does not answers nobody.
const GREETING: Duration = Duration::from_secs(1);

/// How much of what a program complains of is kept.
const COMPLAINT_MAX: usize = 4_000;

/// `iptables-restore`, waiting for the next change. It is killed when this is dropped.
///
/// To start one for each change would cost a few milliseconds, and as many again when it ends: Linux then waits until nothing
/// in the kernel uses any more what the change replaced. The program makes a change when it reads `COMMIT`, and when it is
/// told to be verbose it repeats comments. So a comment behind a change comes back when the change is made.
#[derive(Debug)]
pub(super) struct Session {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    stderr: ChildStderr,
    /// How many comments were sent.
    comments: u64,
}

/// Why a change was not made, or not wholly.
#[derive(Debug)]
pub(super) enum Ended {
    /// The program ended, and said this.
    Failed(ExitStatus, String),
    /// It cannot be spoken to.
    Unreachable(io::Error),
}

impl Session {
    /// Starts a program. `None` if it does not repeat comments, as very old ones may not.
    pub(super) async fn start(mut command: Command) -> Result<Option<Self>, Ended> {
        let mut child = command.arg("--verbose").spawn().map_err(Ended::Unreachable)?;
        let lost = || Ended::Unreachable(io::ErrorKind::BrokenPipe.into());
        let stdin = child.stdin.take().ok_or_else(lost)?;
        let stdout = BufReader::new(child.stdout.take().ok_or_else(lost)?);
        let stderr = child.stderr.take().ok_or_else(lost)?;
        let mut session = Self { child, stdin, stdout, stderr, comments: 0 };
        match timeout(GREETING, session.make("")).await {
            Ok(made) => made.map(|()| Some(session)),
            Err(_) => Ok(None),
        }
    }

    /// Whether it still waits.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Makes a change. After an error, or when the future is dropped, the session is of no more use.
    pub(super) async fn make(&mut self, change: &str) -> Result<(), Ended> {
        self.comments += 1;
        let comment = format!("# {}\n", self.comments);
        let Self { stdin, stdout, stderr, .. } = self;
        let write = async {
            // One that ended early says itself why.
            let _ = stdin.write_all(change.as_bytes()).await;
            let _ = stdin.write_all(comment.as_bytes()).await;
            let _ = stdin.flush().await;
        };
        let mut complaints = Vec::new();
        let ((), is_made) = tokio::join!(write, is_repeated(&comment, stdout, stderr, &mut complaints));
        if is_made.map_err(Ended::Unreachable)? {
            return Ok(());
        }
        let status = self.child.wait().await.map_err(Ended::Unreachable)?;
        let rest = (COMPLAINT_MAX - complaints.len().min(COMPLAINT_MAX)) as u64;
        let _ = (&mut self.stderr).take(rest).read_to_end(&mut complaints).await;
        Err(Ended::Failed(status, String::from_utf8_lossy(&complaints).into_owned()))
    }
}

/// Whether the comment comes back before the program closes its output.
async fn is_repeated(
    comment: &str,
    stdout: &mut BufReader<ChildStdout>,
    stderr: &mut ChildStderr,
    complaints: &mut Vec<u8>,
) -> io::Result<bool> {
    let (mut line, mut chunk, mut may_complain) = (Vec::new(), [0; 1024], true);
    loop {
        tokio::select! { biased;
            // What it reads it leaves in `line` when the other one is first.
            read = stdout.read_until(b'\n', &mut line) => {
                if read? == 0 {
                    return Ok(false);
                }
                if line == comment.as_bytes() {
                    return Ok(true);
                }
                line.clear();
            }
            // A pipe that nobody reads would hold the program up.
            read = stderr.read(&mut chunk), if may_complain => {
                let length = read?;
                may_complain = length > 0;
                let room = COMPLAINT_MAX.saturating_sub(complaints.len());
                complaints.extend_from_slice(&chunk[..length.min(room)]);
            }
        }
    }
}
