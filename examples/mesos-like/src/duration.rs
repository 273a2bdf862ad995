//! Lengths of time as Mesos writes them: `15secs`, `1.5mins`, `500ms`.

use std::time::Duration;

/// The units, the longest first, with their nanoseconds.
const UNITS: [(&str, f64); 8] = [
    ("weeks", 604_800e9),
    ("days", 86_400e9),
    ("hrs", 3_600e9),
    ("mins", 60e9),
    ("secs", 1e9),
    ("ms", 1e6),
    ("us", 1e3),
    ("ns", 1.0),
];

/// Text is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no length of time: write a number and one of ns, us, ms, secs, mins, hrs, days, weeks, as in 15secs"
)]
pub struct DurationError {
    text: String,
}

/// The length of time that a text says.
///
/// # Errors
/// [`DurationError`] if it says none.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let wrong = || DurationError { text: text.to_owned() };
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?);
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    let (_, nanoseconds) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    Duration::try_from_secs_f64(number * nanoseconds / 1e9).map_err(|_| wrong())
}

/// A length of time as Mesos writes it: in the longest unit of which there is one at least.
#[must_use]
pub fn written_duration(duration: Duration) -> String {
    let nanoseconds = duration.as_secs_f64() * 1e9;
    let unit = UNITS.into_iter().find(|(_, unit)| nanoseconds >= *unit);
    let (name, unit) = unit.unwrap_or(("ns", 1.0));
    format!("{}{name}", nanoseconds / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_read_and_written_as_mesos_does() {
        for (text, milliseconds) in
            [("15secs", 15_000), ("1.5mins", 90_000), ("500ms", 500), ("2weeks", 1_209_600_000), ("1hrs", 3_600_000)]
        {
            let duration = parse_duration(text).expect(text);
            assert_eq!((duration, written_duration(duration)), (Duration::from_millis(milliseconds), text.to_owned()));
        }
        assert_eq!(written_duration(Duration::ZERO), "0ns");
        for wrong in ["", "15", "secs", "15 fortnights", "-1secs", "nansecs", "1e300weeks"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
