//! [`RuntimeFixture`]: what the suite needs to know of an implementation.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use orch_core::runtime::{ContainerId, ContainerSpec, PodUid, Runtime};

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

    /// Whether the runtime can do this here. What it cannot, it must say, as the ability's documentation tells; so each is
    /// checked, one way or the other. By default it can do everything.
    fn can(&self, ability: Ability) -> bool {
        let _ = ability;
        true
    }

    /// Takes away what the containers of a pod share, as somebody else on the machine might, and leaves its containers.
    /// `false`, which is the default, where nobody can.
    async fn destroy_sandbox(&self, pod: &PodUid) -> bool {
        let _ = pod;
        false
    }

    /// Kills a running container by signal 9, as somebody else might. `false`, which is the default, where nobody can.
    async fn kill_behind_back(&self, id: &ContainerId) -> bool {
        let _ = id;
        false
    }

    /// Removes a running container, as somebody else might. `false`, which is the default, where nobody can.
    async fn remove_behind_back(&self, id: &ContainerId) -> bool {
        let _ = id;
        false
    }
}

/// What not every runtime can do on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Ability {
    /// To give mounts. If not: a start error that names the target.
    Mounts,
    /// To run as another user and group, with further groups. If not: a start error that names the user or the group.
    Users,
    /// To add and drop capabilities. If not: a start error that names the capability.
    Capabilities,
    /// To make the root file system read-only. If not: a start error that says `read-only`.
    ReadOnlyRoot,
    /// To give a terminal. If not: a start error that says `terminal`.
    Terminal,
    /// To give an input. If not: a start error that says `input`.
    Input,
    /// To give a host name. If not, containers see the node's.
    Hostname,
    /// To give whom a pod asks for names, and names in `/etc/hosts`. If not, containers see what the node has.
    Names,
    /// To limit the number of processes. If not, they are not limited.
    ProcessLimit,
    /// To tell that a container ended because it used too much memory. If not, it ends in another way, not with 0.
    OutOfMemory,
    /// To measure what containers use. If not, every figure is `None`.
    Stats,
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
    /// It tries to start 300 processes that run until they are killed, writes the line `ready` when it has them or can
    /// start no more, and runs.
    ForksWithoutEnd,
    /// It uses a processor as much as it can, until it is asked to end.
    UsesProcessor,
    /// It takes more and more memory, without end.
    UsesMemory,
    /// It writes what it is, as lines of a name and a value, and ends with 0: `uid 7`, `gid 7`, `groups 7 8` (as `id -G`
    /// does), `capabilities 00000000a80425fb` (`CapEff` of `/proc/self/status`), `no_new_privs 1` (`NoNewPrivs`),
    /// `hostname NAME`, `terminal yes` or `no` (whether its input is one), `root writable` or `read-only` (by the first
    /// option of `/` in `/proc/self/mounts`).
    ShowsItself,
    /// It writes what is in a file, and ends with 0; with 1 if the file cannot be read.
    ShowsFile {
        /// Its path.
        path: &'static str,
    },
    /// It writes the line `written` into a file, and ends with 0; with 1 if it cannot.
    WritesFile {
        /// Its path.
        path: &'static str,
    },
    /// It copies its standard input to its standard output, and ends with 0 at the end of the input.
    Echoes,
    /// It accepts TCP connections, one after the other, and sends back what comes, until it is asked to end. It listens on
    /// the address in the environment variable `POD_IP`, or on 127.0.0.1 where the pod has a loopback device of its own.
    Serves {
        /// The port.
        port: u16,
    },
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
    /// It starts a process that leaves its process group and runs until it is killed, writes the line `ready`, and so runs.
    Forks,
    /// It writes as fast as it can, until it is killed.
    Floods,
    /// It copies its standard input to its standard output; at the end of the input it writes `done` to standard error, and
    /// returns 7.
    Echoes,
    /// For each line of its input it writes a line, `ROWS COLUMNS`: the size of the terminal that its input is, as
    /// `stty size` does.
    TellsTerminal,
    /// There is no such command.
    IsMissing,
}
