//! [`Time`] and [`MicroTime`]: points in time as Kubernetes writes them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::clock::Timestamp;

/// A point in time, exact to the second: `2026-11-22T18:45:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Timestamp);

impl Time {
    /// The point in time as a timestamp.
    #[must_use]
    pub const fn timestamp(self) -> Timestamp {
        self.0
    }
}

impl From<Timestamp> for Time {
    fn from(timestamp: Timestamp) -> Self {
        Self(floor(timestamp, 1_000_000_000))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}", self.0)
    }
}

/// A point in time, exact to the microsecond: `2026-11-22T18:45:00.000000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MicroTime(Timestamp);

impl MicroTime {
    /// The point in time as a timestamp.
    #[must_use]
    pub const fn timestamp(self) -> Timestamp {
        self.0
    }
}

impl From<Timestamp> for MicroTime {
    fn from(timestamp: Timestamp) -> Self {
        Self(floor(timestamp, 1_000))
    }
}

impl fmt::Display for MicroTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.0)
    }
}

/// Rounds down, so that a written time is never later than what it records.
fn floor(timestamp: Timestamp, unit_nanoseconds: i128) -> Timestamp {
    let nanoseconds = timestamp.as_nanosecond();
    Timestamp::from_nanosecond(nanoseconds - nanoseconds.rem_euclid(unit_nanoseconds)).unwrap_or(Timestamp::MIN)
}

macro_rules! as_rfc3339 {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let timestamp: Timestamp = text.parse().map_err(|_| {
                    D::Error::custom(format_args!(
                        "invalid time {text:?}, expected RFC 3339 such as \"2026-11-22T18:45:00Z\""
                    ))
                })?;
                Ok(timestamp.into())
            }
        }
    };
}

as_rfc3339!(Time);
as_rfc3339!(MicroTime);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_cut_to_the_precision_they_are_written_with() {
        let timestamp: Timestamp = "2026-11-22T18:45:00.123456789Z".parse().expect("a timestamp");
        assert_eq!(Time::from(timestamp).to_string(), "2026-11-22T18:45:00Z");
        assert_eq!(MicroTime::from(timestamp).to_string(), "2026-11-22T18:45:00.123456Z");
        let before_1970: Timestamp = "1969-12-31T23:59:59.5Z".parse().expect("a timestamp");
        assert_eq!(Time::from(before_1970).to_string(), "1969-12-31T23:59:59Z");
    }
}
