//! [`capabilities`]: what a container may do beyond what every process may.

use orch_core::runtime::Privileges;

use crate::capability::{ALL, DEFAULT, NAMES, granted};

/// The capabilities of a container, with their prefix; or which of those asked for does not exist.
pub(super) fn capabilities(privileges: &Privileges) -> Result<Vec<String>, String> {
    let every = if privileges.privileged { ALL } else { DEFAULT };
    let given = granted(every, &privileges.drop_capabilities, &privileges.add_capabilities)?;
    let named = NAMES.iter().enumerate().filter(|(number, _)| given & (1 << number) != 0);
    Ok(named.map(|(_, name)| format!("CAP_{name}")).collect())
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
    fn they_are_named_as_the_runtime_specification_names_them() {
        let every = of(&[], &[]).expect("they exist");
        assert_eq!(every.len(), 14);
        for name in ["CAP_CHOWN", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_SETFCAP"] {
            assert!(every.iter().any(|given| given == name), "{name} is missing in {every:?}");
        }
        assert_eq!(of(&["NET_ADMIN"], &["ALL"]), Ok(vec!["CAP_NET_ADMIN".to_owned()]));
        assert_eq!(of(&["ALL"], &[]).map(|given| given.len()), Ok(41));
        let privileged = Privileges { privileged: true, ..Privileges::default() };
        assert_eq!(capabilities(&privileged).map(|given| given.len()), Ok(41));
        assert!(of(&["CAP_CHOWN"], &[]).is_err_and(|message| message.contains("NET_ADMIN")));
    }
}
