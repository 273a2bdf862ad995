//! What containers use: counted by the kernel where they have a group of their own, else summed up over their processes.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::{SysconfVar, sysconf};
use orch_core::runtime::{ContainerStats, NetworkStats};

use super::attempt::{Attempt, Phase};
use super::identity::{self, Stat};
use super::pod::Pod;
use super::record;
use crate::cgroup::{self, Usage};
use crate::log_file;

/// What an attempt uses, if it runs. What cannot be read is left out: it may be ending.
pub(super) fn of(attempt: &Attempt) -> Option<ContainerStats> {
    let usage = match (attempt.phase(), &attempt.cgroup) {
        (Phase::Running(_), Some(cgroup)) => cgroup.usage(),
        (Phase::Running(_), None) => of_processes(attempt).unwrap_or_default(),
        (Phase::Starting, _) => Usage::default(),
        (Phase::Ended(_) | Phase::NeverStarted, _) => return None,
    };
    Some(ContainerStats {
        root_bytes: disk_bytes(&attempt.folder.work()).ok(),
        log_bytes: log_file::disk_bytes(&attempt.folder.0).ok(),
        ..usage.stats(attempt.id.clone())
    })
}

/// What went over a pod's network, if it has one of its own and something runs in it.
pub(super) fn network_of(pod: &Pod) -> Option<NetworkStats> {
    let pid = |attempt: &Attempt| match attempt.phase() {
        Phase::Running(process) => u32::try_from(process.pid).ok(),
        _ => None,
    };
    let attempts = pod.attempts().into_iter().filter(|_| pod.record.own_network);
    { attempts }.find_map(|attempt| cgroup::network_of(pid(&attempt)?).ok())
}

/// The sum over everything that its shim started. What processes used that have ended counts as long as those live that
/// waited for them.
fn of_processes(attempt: &Attempt) -> io::Result<Usage> {
    let Some(shim) = record::read::<identity::ProcessIdentity>(&attempt.folder.shim())? else {
        return Ok(Usage::default());
    };
    let processes = identity::descendants(shim.pid)?;
    let sum = |of: fn(&Stat) -> u64| processes.iter().map(of).sum::<u64>();
    let constant = |name| sysconf(name).ok().flatten().and_then(|value| u64::try_from(value).ok());
    let (tick, page) = (constant(SysconfVar::CLK_TCK), constant(SysconfVar::PAGE_SIZE));
    let memory = page.map(|page| sum(|stat| stat.resident_pages) * page);
    Ok(Usage {
        cpu_nanos: tick.filter(|tick| *tick > 0).map(|tick| sum(|stat| stat.ticks) * (1_000_000_000 / tick)),
        memory_bytes: memory,
        working_set_bytes: memory,
        rss_bytes: None,
        processes: Some(sum(|stat| stat.threads)),
    })
}

/// What a folder takes on the disk, with everything in it. Links are not followed.
fn disk_bytes(folder: &Path) -> io::Result<u64> {
    let mut bytes = fs::symlink_metadata(folder)?.blocks() * 512;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            match entry.metadata() {
                Ok(metadata) => {
                    bytes += metadata.blocks() * 512;
                    folders.extend(metadata.is_dir().then(|| entry.path()));
                }
                // The program removed it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(bytes)
}
