//! [`ApiVersion`]: which version of the Docker Engine API is spoken.

use std::fmt;

use super::error::Failure;
use super::wire;

/// A version of the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ApiVersion(u32, u32);

/// Docker 20.10: the first that knows everything that is asked for here.
const OLDEST: ApiVersion = ApiVersion(1, 41);
/// Docker 25: the last of which it was read what has changed.
const NEWEST: ApiVersion = ApiVersion(1, 44);

/// The first that knows the size of a terminal when a command is created.
pub(super) const CONSOLE_SIZE: ApiVersion = ApiVersion(1, 42);

impl ApiVersion {
    /// What paths begin with.
    pub(super) fn prefix(self) -> String {
        format!("/v{self}")
    }

    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self(major.parse().ok()?, minor.parse().ok()?))
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// The version that both sides speak.
pub(super) fn choose(version: &wire::Version) -> Result<ApiVersion, Failure> {
    let name = &version.version;
    let Some(daemons) = ApiVersion::parse(&version.api_version) else {
        let why = format!("{:?} is not a version of the API: is it Docker?", version.api_version);
        return Err(Failure::of_answer("GET /version", why));
    };
    if daemons < OLDEST {
        let message = format!(
            "Docker {name} is too old: it speaks version {daemons} of its API, and at least {OLDEST} is needed: \
             install Docker 20.10 or later"
        );
        return Err(Failure::of_own(message));
    }
    let oldest = version.min_api_version.as_deref().and_then(ApiVersion::parse).unwrap_or_default();
    // Daemons give up old versions with time: then the oldest that this one still speaks is the nearest.
    Ok(NEWEST.min(daemons).max(oldest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(api: &str, min: &str) -> Result<String, String> {
        let version = wire::Version {
            version: "1.2.3".to_owned(),
            api_version: api.to_owned(),
            min_api_version: Some(min.to_owned()),
        };
        choose(&version).map(ApiVersion::prefix).map_err(|failure| failure.message)
    }

    #[test]
    fn the_newest_that_both_know_is_spoken() {
        for (api, min, prefix) in [("1.41", "1.12", "/v1.41"), ("1.48", "1.24", "/v1.44"), ("1.60", "1.50", "/v1.50")] {
            assert_eq!(chosen(api, min).as_deref(), Ok(prefix));
        }
        let error = chosen("1.40", "1.12").expect_err("too old");
        assert!(error.contains("Docker 1.2.3 is too old") && error.contains("20.10 or later"), "{error}");
        assert!(chosen("x", "").is_err());
    }
}
