//! [`Account`]: a user of the machine that containers run as.

use std::ffi::CString;

use nix::unistd::{Uid, User, getgrouplist};

use super::launch::LaunchError;

/// A user of the machine that containers run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::agent) struct Account {
    pub(in crate::agent) uid: u32,
    pub(in crate::agent) gid: u32,
    pub(in crate::agent) groups: Vec<u32>,
}

impl Account {
    /// The user of this name; none if it is who this process runs as.
    pub(in crate::agent) fn named(name: &str) -> Result<Option<Self>, LaunchError> {
        let unknown = |why: String| LaunchError::failed(format!("Failed to get the user '{name}': {why}"));
        let user = User::from_name(name).map_err(|error| unknown(error.to_string()))?;
        let user = user.ok_or_else(|| unknown("this machine has no such user: make it, or name another".to_owned()))?;
        let own = Uid::effective();
        if user.uid == own {
            return Ok(None);
        }
        if !own.is_root() {
            return Err(LaunchError::failed(format!(
                "the agent runs as user {own} and cannot run anything as '{name}': run the agent as root, or name its own \
                 user"
            )));
        }
        let text = CString::new(name).map_err(|error| unknown(error.to_string()))?;
        let groups = getgrouplist(&text, user.gid).map_err(|error| unknown(error.to_string()))?;
        let groups = groups.into_iter().map(nix::unistd::Gid::as_raw).collect();
        Ok(Some(Self { uid: user.uid.as_raw(), gid: user.gid.as_raw(), groups }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_there_is_named_and_who_we_are_needs_nothing() {
        let error = Account::named("nobody-of-that-name").expect_err("there is none");
        assert!(error.message.contains("nobody-of-that-name"), "{error}");
        let own = User::from_uid(Uid::effective()).expect("users can be read").expect("there is one");
        assert_eq!(Account::named(&own.name), Ok(None));
    }
}
