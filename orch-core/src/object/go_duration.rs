//! [`GoDuration`]: a span of time as Go writes it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A span of time, written as Go writes it: `30s`, `1m30s`, `1.5s`, `200ms`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration(pub Duration);

/// The text is no span of time as Go writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a span of time such as \"30s\", \"1m30s\" or \"200ms\", with a unit behind each number")]
pub struct GoDurationError;

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

impl FromStr for GoDuration {
    type Err = GoDurationError;

    /// Reads what Go writes, up to its largest span of 292 years. Nothing here is negative.
    fn from_str(text: &str) -> Result<Self, GoDurationError> {
        if text == "0" {
            return Ok(Self::default());
        }
        let (mut rest, mut nanos) = (text, 0_u64);
        while !rest.is_empty() || text.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(GoDurationError)?;
            let (number, behind) = rest.split_at(end);
            let end = behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
            let (unit, behind) = behind.split_at(end);
            let (_, unit) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or(GoDurationError)?;
            let part = amount(number, unit).ok_or(GoDurationError)?;
            nanos = nanos.checked_add(part).ok_or(GoDurationError)?;
            rest = behind;
        }
        if nanos > i64::MAX.unsigned_abs() { Err(GoDurationError) } else { Ok(Self(Duration::from_nanos(nanos))) }
    }
}

/// So many units in nanoseconds; what is less than one is dropped.
fn amount(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let (mut sum, mut divisor) = (0_u128, 1_u128);
    // Of more digits, those behind are less than a nanosecond in any unit.
    for digit in fraction.bytes().take(18) {
        (sum, divisor) = (sum * 10 + u128::from(digit - b'0'), divisor * 10);
    }
    let part = u64::try_from(u128::from(unit) * sum / divisor).ok()?;
    whole.checked_mul(unit)?.checked_add(part)
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        match nanos {
            0 => return f.write_str("0s"),
            1..1_000 => return write!(f, "{nanos}ns"),
            1_000..1_000_000 => return write!(f, "{}\u{b5}s", decimal(nanos, 1_000, 3)),
            1_000_000..1_000_000_000 => return write!(f, "{}ms", decimal(nanos, 1_000_000, 6)),
            _ => {}
        }
        let (minutes, rest) = (nanos / 60_000_000_000, nanos % 60_000_000_000);
        match (minutes / 60, minutes % 60) {
            (0, 0) => {}
            (0, minutes) => write!(f, "{minutes}m")?,
            (hours, minutes) => write!(f, "{hours}h{minutes}m")?,
        }
        write!(f, "{}s", decimal(rest, 1_000_000_000, 9))
    }
}

/// A number of units with the digits behind the point that it needs.
fn decimal(nanos: u128, unit: u128, digits: usize) -> String {
    let text = format!("{}.{:0digits$}", nanos / unit, nanos % unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spans_are_written_as_go_writes_them() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1\u{b5}s"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (30_000_000_000, "30s"),
            (245_000_000_000, "4m5s"),
            (245_001_000_000, "4m5.001s"),
            (3_600_000_000_000, "1h0m0s"),
            (18_367_001_000_000, "5h6m7.001s"),
        ] {
            assert_eq!(GoDuration(Duration::from_nanos(nanos)).to_string(), text);
        }
        for (text, written) in [("0", "0s"), ("90s", "1m30s"), (".5s", "500ms"), ("1.h", "1h0m0s"), ("1us", "1\u{b5}s")]
        {
            assert_eq!(text.parse::<GoDuration>().expect("a span").to_string(), written);
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["", "1", "s", ".s", "-1s", "1x", "1s2", "1 s", "1..5s", "1h 2m", "99999999999h", "2562048h"] {
            assert_eq!(text.parse::<GoDuration>(), Err(GoDurationError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn spans_survive(nanos in 0..=i64::MAX.unsigned_abs()) {
            let span = GoDuration(Duration::from_nanos(nanos));
            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[0-9.]{0,30}[a-z\u{b5}]{0,2}[0-9.]{0,5}[hms]?") {
            let _ = text.parse::<GoDuration>();
        }
    }
}
