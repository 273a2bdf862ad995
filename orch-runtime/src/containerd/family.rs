//! [`Family`]: a process and everything that it started, to be killed.

use std::collections::BTreeSet;
use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// More rounds than any family has that does not grow without end.
const MOST_ROUNDS: usize = 100;

/// A process that leads a session of its own, and everything that it started.
#[derive(Clone, Debug)]
pub(super) struct Family {
    leader: i32,
    /// When the leader was started, which tells it from a later process of its number.
    since: Option<u64>,
}

/// What `/proc/PID/stat` tells, see proc_pid_stat(5).
struct Stat {
    pid: i32,
    state: char,
    parent: i32,
    session: i32,
    started: u64,
}

impl Family {
    pub(super) fn of(leader: u32) -> Self {
        let leader = leader.cast_signed();
        Self { leader, since: stat(leader).map(|stat| stat.started) }
    }

    /// Kills the leader, its descendants, and what is left of its session.
    pub(super) fn kill(&self) {
        for _ in 0..MOST_ROUNDS {
            let members = self.members();
            if members.is_empty() {
                return;
            }
            for member in members {
                // It may have ended by itself.
                let _ = kill(Pid::from_raw(member), Signal::SIGKILL);
            }
        }
    }

    fn members(&self) -> Vec<i32> {
        // Nothing that it started is older, and a number that leads again leads another family.
        let Some(since) = self.since else { return Vec::new() };
        if stat(self.leader).is_some_and(|stat| stat.started != since) {
            return Vec::new();
        }
        let all: Vec<Stat> = processes().filter(|stat| stat.started >= since).collect();
        let mut family = BTreeSet::from([self.leader]);
        family.extend(all.iter().filter(|stat| stat.session == self.leader).map(|stat| stat.pid));
        loop {
            let before = family.len();
            let children: Vec<i32> =
                all.iter().filter(|stat| family.contains(&stat.parent)).map(|stat| stat.pid).collect();
            family.extend(children);
            if family.len() == before {
                break;
            }
        }
        let alive = |stat: &&Stat| family.contains(&stat.pid) && !matches!(stat.state, 'Z' | 'X');
        all.iter().filter(alive).map(|stat| stat.pid).collect()
    }
}

fn processes() -> impl Iterator<Item = Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| stat(entry.ok()?.file_name().to_str()?.parse().ok()?))
}

/// The second field is the program's name in parentheses, and may itself hold spaces and parentheses.
fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    Some(Stat {
        pid,
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}
