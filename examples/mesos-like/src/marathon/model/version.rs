//! [`Version`]: when something became what it is.

use std::fmt;
use std::str::FromStr;

use orch_core::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// When something became what it is, in milliseconds since 1970: both its version and a time. In JSON it is a time in UTC with
/// milliseconds, as in `2026-01-02T03:04:05.678Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Version(pub i64);

impl Version {
    /// So many seconds later.
    #[must_use]
    pub fn after(self, seconds: u64) -> Self {
        self.after_millis(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000))
    }

    /// So many milliseconds later.
    #[must_use]
    pub fn after_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

impl From<Timestamp> for Version {
    fn from(time: Timestamp) -> Self {
        Self(time.as_millisecond())
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl TryFrom<String> for Version {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whatever is out of range was not made by a clock.
        let time = Timestamp::from_millisecond(self.0).unwrap_or_default();
        write!(f, "{time:.3}")
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = text.parse::<Timestamp>();
        time.map(Self::from).map_err(|_| format!("{text:?} is not a version: it is like 2026-01-02T03:04:05.678Z"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_with_milliseconds_and_read_again() {
        for (millis, text) in [(0, "1970-01-01T00:00:00.000Z"), (1_767_323_045_678, "2026-01-02T03:04:05.678Z")] {
            assert_eq!((Version(millis).to_string(), text.parse()), (text.to_owned(), Ok(Version(millis))));
        }
        assert!("yesterday".parse::<Version>().is_err());
    }
}
