//! [`FakeProgram`] and [`FakeCommand`]: what a container of the fake does.

use std::time::Duration;

use orch_core::runtime::ExecOutput;

/// What a container does once it is started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FakeProgram {
    pub(super) start_error: Option<String>,
    pub(super) exit: Option<(Duration, i32)>,
    pub(super) ignores_stop: bool,
    pub(super) prints_environment: bool,
    pub(super) output: Vec<u8>,
}

impl FakeProgram {
    /// Runs until it is stopped. This is also what a container without a script does.
    #[must_use]
    pub fn runs() -> Self {
        Self::default()
    }

    /// Ends by itself with an exit code, after a span of `tokio::time`; 128 and more count as ended by a signal.
    #[must_use]
    pub fn exits(code: i32, after: Duration) -> Self {
        Self { exit: Some((after, code)), ..Self::default() }
    }

    /// Cannot be started, for this reason.
    #[must_use]
    pub fn refuses(message: impl Into<String>) -> Self {
        Self { start_error: Some(message.into()), ..Self::default() }
    }

    /// The same, but it does not end when asked to: stopping it takes the whole grace period.
    #[must_use]
    pub fn ignoring_stop(self) -> Self {
        Self { ignores_stop: true, ..self }
    }

    /// The same, but first it writes this.
    #[must_use]
    pub fn writing(self, output: impl Into<Vec<u8>>) -> Self {
        Self { output: output.into(), ..self }
    }

    /// The same, but first it writes its environment, a `NAME=value` a line.
    #[must_use]
    pub fn printing_environment(self) -> Self {
        Self { prints_environment: true, ..self }
    }
}

/// What a command does that is run beside a container.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FakeCommand {
    /// It ends at once, with this result. An exit code of 0 and no output is also what a command without a script gives.
    Ends(ExecOutput),
    /// It runs until its time is over.
    Hangs,
    /// It writes the value of this variable of the container's environment.
    PrintsVariable(String),
    /// There is no such command.
    Missing,
}
