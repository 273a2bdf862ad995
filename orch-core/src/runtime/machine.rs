//! [`Machine`]: what a node has, how much of it is used, and whom it asks for names.

use std::fmt::Debug;

use async_trait::async_trait;

use super::SandboxDns;
use crate::clock::Timestamp;
use crate::object::NodeSystemInfo;

/// What a node has, and how much of it is used: by pods, and by everything else on the machine; and whom it asks for
/// names.
#[async_trait]
pub trait Machine: Debug + Send + Sync + 'static {
    /// Measures it at this moment.
    ///
    /// # Errors
    /// [`std::io::Error`] when the operating system does not tell what every machine has: processors and memory.
    async fn measure(&self) -> std::io::Result<MachineStats>;

    /// Whom the machine itself asks for names at this moment, and how.
    ///
    /// # Errors
    /// [`std::io::Error`] when it does not tell.
    async fn resolver(&self) -> std::io::Result<SandboxDns>;
}

/// What a node has, and how much of it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineStats {
    /// When it was measured.
    pub at: Timestamp,
    /// Processors that can be used, in thousandths of a core.
    pub cpu_millis: u64,
    /// Processor time used since the machine was started, in nanoseconds of one core; all cores together.
    pub cpu_used_nanos: u64,
    /// Memory.
    pub memory: Supply,
    /// The file system that logs, volumes and images are on, in bytes.
    pub disk: Option<Supply>,
    /// The same in files.
    pub inodes: Option<Supply>,
    /// Processes and threads that there can be, and how many more.
    pub processes: Option<Supply>,
    /// Which machine it is. Versions of the programs that run on it are empty here.
    pub system: NodeSystemInfo,
}

/// How much there is of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Supply {
    /// In all.
    pub capacity: u64,
    /// What can still be had. Of memory: without taking from anybody what is used, as `MemAvailable` has it.
    pub available: u64,
}

impl Supply {
    /// What is used.
    #[must_use]
    pub fn used(self) -> u64 {
        self.capacity.saturating_sub(self.available)
    }
}
