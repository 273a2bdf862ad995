//! [`PodStats`]: what a pod uses.

use super::{ContainerId, PodUid};
use crate::clock::Timestamp;

/// What a pod uses. What a runtime cannot measure is `None`, never 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodStats {
    /// Which pod.
    pub pod: PodUid,
    /// When it was measured.
    pub at: Timestamp,
    /// What went over its network, where it has one of its own.
    pub network: Option<NetworkStats>,
    /// What each container uses that runs, ordered by name.
    pub containers: Vec<ContainerStats>,
}

/// What a running container uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerStats {
    /// Which attempt.
    pub id: ContainerId,
    /// Processor time since it was started, in nanoseconds of one core.
    pub cpu_nanos: Option<u64>,
    /// Memory, in bytes, with the pages of files that the kernel keeps for it.
    pub memory_bytes: Option<u64>,
    /// Memory that cannot be taken away without its noticing: all but the pages of files that were not used lately.
    pub working_set_bytes: Option<u64>,
    /// Memory that is backed by no file.
    pub rss_bytes: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
    /// What it wrote into its root file system, in bytes on the disk.
    pub root_bytes: Option<u64>,
    /// Its logs, in bytes on the disk.
    pub log_bytes: Option<u64>,
}

impl ContainerStats {
    /// Of a container of which nothing can be measured.
    #[must_use]
    pub fn unmeasured(id: ContainerId) -> Self {
        Self {
            id,
            cpu_nanos: None,
            memory_bytes: None,
            working_set_bytes: None,
            rss_bytes: None,
            processes: None,
            root_bytes: None,
            log_bytes: None,
        }
    }
}

/// What went over a network, since the sandbox was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkStats {
    /// Bytes received.
    pub received_bytes: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Packets that came damaged.
    pub receive_errors: u64,
    /// Packets that could not be sent.
    pub send_errors: u64,
}
