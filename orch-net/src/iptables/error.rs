//! What goes wrong with the programs of iptables.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use orch_core::proxy::ProxyError;

/// Why a program did not do what it should.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProgramError {
    /// It could not be started, or spoken to.
    #[error("`{program}` cannot be run ({source}): install iptables, or name the folder that it is in")]
    Run { program: String, source: io::Error },
    /// It refused.
    #[error("`{program}` failed ({status}): {message}")]
    Failed { program: String, status: ExitStatus, message: String },
    /// It took too long, and was killed.
    #[error(
        "`{program}` did not end within {} s: another program may hold the lock of iptables, or the timeout is too short",
        timeout.as_secs()
    )]
    Slow { program: String, timeout: Duration },
}

impl ProgramError {
    /// Whether there is nothing that rules of this family could be in.
    pub(super) fn is_absence(&self) -> bool {
        match self {
            Self::Run { source, .. } => source.kind() == io::ErrorKind::NotFound,
            // The words of the legacy program, where the kernel lacks the family.
            Self::Failed { message, .. } => message.contains("Table does not exist"),
            Self::Slow { .. } => false,
        }
    }
}

impl From<ProgramError> for ProxyError {
    fn from(error: ProgramError) -> Self {
        let needs_a_person = error.is_absence() || error.to_string().contains("Permission denied");
        Self::Unavailable { message: error.to_string(), transient: !needs_a_person, source: Some(Box::new(error)) }
    }
}
