//! [`capabilities`]: what a container may do beyond what every process may.

use std::collections::BTreeSet;

use orch_core::runtime::Privileges;

/// What Docker gives every container, and what programs have come to expect.
const DEFAULT: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// All that Linux has, in the order of their numbers.
const ALL: [&str; 41] = [
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

/// The capabilities of a container, with their prefix; or which of those asked for does not exist.
pub(super) fn capabilities(privileges: &Privileges) -> Result<Vec<String>, String> {
    let mut given: BTreeSet<&str> = DEFAULT.into();
    if privileges.privileged {
        given = ALL.into();
    }
    for name in named(&privileges.drop_capabilities)? {
        given.remove(name);
    }
    given.extend(named(&privileges.add_capabilities)?);
    Ok(given.iter().map(|name| format!("CAP_{name}")).collect())
}

fn named(asked: &BTreeSet<String>) -> Result<BTreeSet<&'static str>, String> {
    let mut found = BTreeSet::new();
    for name in asked {
        if name == "ALL" {
            return Ok(ALL.into());
        }
        let Some(known) = ALL.into_iter().find(|known| known == name) else {
            return Err(format!("there is no capability {name:?}: write it as in NET_ADMIN, or ALL"));
        };
        found.insert(known);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(add: &[&str], drop: &[&str]) -> Result<Vec<String>, String> {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let privileges =
            Privileges { add_capabilities: set(add), drop_capabilities: set(drop), ..Privileges::default() };
        capabilities(&privileges)
    }

    #[test]
    fn they_are_dropped_before_others_are_added() {
        assert_eq!(of(&[], &[]).map(|given| given.len()), Ok(14));
        assert_eq!(of(&["NET_ADMIN"], &["ALL"]), Ok(vec!["CAP_NET_ADMIN".to_owned()]));
        assert_eq!(of(&["ALL"], &[]).map(|given| given.len()), Ok(41));
        assert!(of(&["CAP_CHOWN"], &[]).is_err_and(|message| message.contains("NET_ADMIN")));
    }
}
