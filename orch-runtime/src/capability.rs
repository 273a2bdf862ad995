//! Linux capabilities by name.

use std::collections::BTreeSet;

/// The names, without `CAP_`, each at the place of its number. See capabilities(7).
pub(crate) const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// What Docker gives every container, and what programs have come to expect, a bit each.
pub(crate) const DEFAULT: u64 = 0xa804_25fb;

/// All that there are, a bit each.
pub(crate) const ALL: u64 = (1 << NAMES.len()) - 1;

/// The capabilities of a container, a bit each, from those that every container has: some are dropped, then some are
/// added.
///
/// # Errors
/// A message that names a capability that does not exist.
pub(crate) fn granted(every: u64, drop: &BTreeSet<String>, add: &BTreeSet<String>) -> Result<u64, String> {
    Ok(every & !set(drop)? | set(add)?)
}

fn set(names: &BTreeSet<String>) -> Result<u64, String> {
    names.iter().try_fold(0, |set, name| Ok(set | bits(name)?))
}

fn bits(name: &str) -> Result<u64, String> {
    if name == "ALL" {
        return Ok(ALL);
    }
    let number = NAMES.iter().position(|known| *known == name);
    number.map(|number| 1 << number).ok_or_else(|| {
        format!("there is no capability {name:?}: write it in capitals and without CAP_, as in NET_ADMIN")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn capabilities_are_dropped_before_others_are_added() {
        let every = DEFAULT;
        assert_eq!(granted(every, &names(&[]), &names(&[])), Ok(every));
        assert_eq!(granted(every, &names(&["ALL"]), &names(&["SYS_TIME"])), Ok(1 << 25));
        assert_eq!(granted(every, &names(&["CHOWN"]), &names(&[])), Ok(every & !1));
        assert_eq!(granted(0, &names(&["CHOWN"]), &names(&["ALL"])), Ok(0x1ff_ffff_ffff));
        for wrong in ["chown", "CAP_CHOWN", ""] {
            assert!(granted(every, &names(&[wrong]), &names(&[])).is_err_and(|error| error.contains("NET_ADMIN")));
        }
    }
}
