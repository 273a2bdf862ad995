//! [`FakeProgram`] and [`FakeCommand`]: what a container of the fake does.

use std::path::PathBuf;
use std::time::Duration;

use orch_core::runtime::ExecOutput;

/// What a container does once it is started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FakeProgram {
    pub(super) start_error: Option<String>,
    pub(super) exit: Option<(Duration, i32)>,
    pub(super) ignores_stop: bool,
    pub(super) prints: Vec<Print>,
    pub(super) echoes: bool,
    pub(super) serves: Option<u16>,
    pub(super) usage: Option<FakeUsage>,
}

/// What a program writes at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Print {
    Bytes(Vec<u8>),
    Environment,
    Itself,
    File(PathBuf),
    IntoFile(PathBuf, Vec<u8>),
}

/// What a container uses while it runs, as [`stats`](orch_core::runtime::Runtime::stats) tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FakeUsage {
    /// Processor time, in thousandths of a core.
    pub cpu_millis: u64,
    /// Memory, all of it working set and backed by no file. If it is more than the container may use, the container ends
    /// at once, with [`OutOfMemory`](orch_core::runtime::ExitReason::OutOfMemory).
    pub memory_bytes: u64,
    /// Processes; at most as many as the container may have.
    pub processes: u64,
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
        self.printing(Print::Bytes(output.into()))
    }

    /// The same, but first it writes its environment, a `NAME=value` a line.
    #[must_use]
    pub fn printing_environment(self) -> Self {
        self.printing(Print::Environment)
    }

    /// The same, but first it writes what it is: its user, groups, capabilities and so on, a name and a value a line.
    #[must_use]
    pub fn printing_itself(self) -> Self {
        self.printing(Print::Itself)
    }

    /// The same, but first it writes what is in a file of its mounts. If it cannot be read, it ends with 1.
    #[must_use]
    pub fn printing_file(self, path: impl Into<PathBuf>) -> Self {
        self.printing(Print::File(path.into()))
    }

    /// The same, but first it writes into a file of its mounts. If it cannot, it ends with 1.
    #[must_use]
    pub fn writing_file(self, path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        self.printing(Print::IntoFile(path.into(), content.into()))
    }

    /// The same, but it writes what is sent as its input, and ends with 0 at the end of its input.
    #[must_use]
    pub fn echoing(self) -> Self {
        Self { echoes: true, ..self }
    }

    /// The same, but it accepts connections on a port, and sends back what comes.
    #[must_use]
    pub fn serving(self, port: u16) -> Self {
        Self { serves: Some(port), ..self }
    }

    /// The same, but what it uses can be measured. Of other programs it cannot.
    #[must_use]
    pub fn using(self, usage: FakeUsage) -> Self {
        Self { usage: Some(usage), ..self }
    }

    fn printing(mut self, print: Print) -> Self {
        self.prints.push(print);
        self
    }
}

/// What a command does that is run beside a container.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FakeCommand {
    /// It ends at once, with this result. An exit code of 0 and no output is also what a command without a script gives.
    Ends(ExecOutput),
    /// It writes this, and runs until its time is over.
    Hangs(Vec<u8>),
    /// It writes the value of this variable of the container's environment.
    PrintsVariable(String),
    /// It writes its input, and ends with this at the end of its input.
    Echoes(ExecOutput),
    /// It writes without end.
    Floods,
    /// For each line of its input it writes the rows and columns of its terminal.
    TellsTerminal,
    /// There is no such command.
    Missing,
}
