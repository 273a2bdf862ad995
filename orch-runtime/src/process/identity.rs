//! [`ProcessIdentity`]: which process, for certain; and looking for others in `/proc`.

use std::collections::BTreeSet;
use std::{fs, io};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// A process, told from every other that has or will have its number: by when it was started, and on which boot of
/// the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessIdentity {
    pub(super) pid: i32,
    /// In clock ticks since the boot.
    started: u64,
    boot: String,
}

impl ProcessIdentity {
    pub(super) fn own() -> io::Result<Self> {
        let pid = std::process::id().cast_signed();
        let stat = Stat::of(pid).ok_or_else(|| io::Error::other("cannot read /proc/self/stat"))?;
        Ok(Self { pid, started: stat.started, boot: boot_id()? })
    }

    /// Whether it runs: a process that ended and was not waited for does not.
    pub(super) fn is_alive(&self) -> bool {
        let same = |stat: &Stat| stat.started == self.started && stat.state != 'Z' && stat.state != 'X';
        self.is_of_this_boot() && Stat::of(self.pid).as_ref().is_some_and(same)
    }

    /// Sends it a signal, if it is alive.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        if self.is_alive() { gone_is_fine(kill(Pid::from_raw(self.pid), signal)) } else { Ok(()) }
    }

    /// Sends a signal to the process group that it leads, if it is alive.
    pub(super) fn signal_group(&self, signal: Signal) -> io::Result<()> {
        if self.is_alive() { gone_is_fine(killpg(Pid::from_raw(self.pid), signal)) } else { Ok(()) }
    }

    /// Kills what is left of the session that it leads or led, and tells whether anything was left.
    ///
    /// While a process of the session lives, the kernel gives the session's number to no other process. If the number
    /// leads again, the session is another's, and ours is gone.
    pub(super) fn kill_session(&self) -> io::Result<bool> {
        if !self.is_of_this_boot() || Stat::of(self.pid).is_some_and(|stat| stat.started != self.started) {
            return Ok(false);
        }
        let ours = |stat: &Stat| stat.session == self.pid && stat.started >= self.started && stat.state != 'Z';
        let members: Vec<Stat> = processes()?.into_iter().filter(ours).collect();
        for member in &members {
            gone_is_fine(kill(Pid::from_raw(member.pid), Signal::SIGKILL))?;
        }
        Ok(!members.is_empty())
    }

    fn is_of_this_boot(&self) -> bool {
        boot_id().is_ok_and(|boot| boot == self.boot)
    }
}

/// What `/proc/PID/stat` tells, see proc_pid_stat(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) pid: i32,
    pub(super) state: char,
    pub(super) parent: i32,
    session: i32,
    started: u64,
    /// Processor time, its own and of children that it waited for.
    pub(super) ticks: u64,
    pub(super) threads: u64,
    pub(super) resident_pages: u64,
}

impl Stat {
    fn of(pid: i32) -> Option<Self> {
        Self::parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The second field is the program's name in parentheses, and may itself hold spaces and parentheses.
    fn parse(pid: i32, text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Self {
            pid,
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            started: number(19)?,
            ticks: [11, 12, 13, 14].into_iter().filter_map(number).sum(),
            threads: number(17)?,
            resident_pages: number(21)?,
        })
    }
}

/// Every process of the machine that this one may see, ordered by nothing in particular.
pub(super) fn processes() -> io::Result<Vec<Stat>> {
    let pids = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(pids.filter_map(Stat::of).collect())
}

/// Everything that `ancestor` started, and what that started, and so on.
pub(super) fn descendants(ancestor: i32) -> io::Result<Vec<Stat>> {
    let all = processes()?;
    let mut family = BTreeSet::from([ancestor]);
    loop {
        let before = family.len();
        let children = all.iter().filter(|stat| family.contains(&stat.parent)).map(|stat| stat.pid);
        let children: Vec<i32> = children.collect();
        family.extend(children);
        if family.len() == before {
            return Ok(all.into_iter().filter(|stat| stat.pid != ancestor && family.contains(&stat.pid)).collect());
        }
    }
}

fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim_end().to_owned())
}

fn gone_is_fine(result: nix::Result<()>) -> io::Result<()> {
    match result {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_whose_name_looks_like_fields_is_read_right() {
        let text = "7 (a) R 1 (b) S 3 4 5 0 -1 1 2 3 4 5 6 7 8 9 20 0 1 0 284941 3133440 382 0";
        let stat = Stat {
            pid: 7,
            state: 'S',
            parent: 3,
            session: 5,
            started: 284_941,
            ticks: 6 + 7 + 8 + 9,
            threads: 1,
            resident_pages: 382,
        };
        assert_eq!(Stat::parse(7, text), Some(stat));
    }

    #[test]
    fn a_process_with_the_same_number_but_another_start_or_boot_is_another() {
        let own = ProcessIdentity::own().expect("an identity");
        assert!(own.is_alive());
        assert!(!ProcessIdentity { started: own.started + 1, ..own.clone() }.is_alive());
        assert!(!ProcessIdentity { boot: "another".into(), ..own }.is_alive());
    }
}
