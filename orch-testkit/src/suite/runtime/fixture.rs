//! [`RuntimeFixture`]: what the suite needs to know of an implementation.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use orch_core::runtime::{ContainerSpec, Runtime};

/// A place where runtimes work, empty at first, and the means to say in its terms what a container does.
#[async_trait]
pub trait RuntimeFixture: Send + Sync + 'static {
    /// The implementation.
    type Runtime: Runtime;

    /// A runtime of this place. The suite drops one before it opens the next, which is then the same configuration
    /// in a new process, as far as one process can show it.
    async fn open(&self) -> Self::Runtime;

    /// A runtime on the same machine that has nothing to do with those of [`open`](Self::open).
    async fn open_stranger(&self) -> Self::Runtime;

    /// A container that does what `program` says.
    fn container(&self, program: Program) -> ContainerSpec;

    /// A command that does so beside a container.
    fn command(&self, command: Beside) -> Vec<String>;

    /// Every process that runs because of the containers of this place, in words for people. Empty where there are
    /// none to be seen.
    async fn processes(&self) -> BTreeSet<String>;

    /// Everything that exists because of the runtimes of this place: processes, files, addresses, records.
    async fn traces(&self) -> BTreeSet<String>;
}

/// What a container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Program {
    /// It runs until it is asked to end.
    Runs,
    /// It returns this exit code after a while.
    Exits {
        /// The exit code.
        code: i32,
        /// How long it runs.
        after: Duration,
    },
    /// It ends itself by signal 9.
    KillsItself,
    /// It writes the line `ready`, and does not end when asked to.
    IgnoresStop,
    /// It starts processes that leave its process group and do not end when asked to, writes the line `ready`, and runs.
    Forks,
    /// It writes `line 1`, `line 2`, …, a line each, and runs.
    WritesAndRuns {
        /// So many lines.
        lines: u32,
    },
    /// It writes so, with pauses, and ends with 0.
    WritesAndEnds {
        /// So many lines.
        lines: u32,
    },
    /// It writes its environment as lines `NAME=value`, and ends with 0.
    PrintsEnvironment,
    /// It writes as fast as it can, until it is asked to end.
    Floods,
    /// There is no such program.
    IsMissing,
}

/// What a command beside a container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Beside {
    /// It writes `out` to standard output, `err` to standard error, and returns this exit code.
    Ends {
        /// The exit code.
        code: i32,
    },
    /// It writes the value of the environment variable `GREETING`.
    Greets,
    /// It runs until it is killed.
    Hangs,
    /// There is no such command.
    IsMissing,
}
