//! [`IntOrString`]: a number, a percentage or a port's name.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::validation::{Problems, is_dns_label};

/// A number, or text that stands for one: a percentage such as `25%`, or the name of a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum IntOrString {
    /// The number itself.
    Int(i32),
    /// A percentage or a name.
    String(String),
}

impl IntOrString {
    /// The number meant, when a percentage is of `total` and is rounded up: 25 % of 10 is 3. It is what `maxSurge`
    /// asks for. `None` for text that is no percentage.
    #[must_use]
    pub fn of_total_rounded_up(&self, total: i32) -> Option<i32> {
        self.of_total(total, 99)
    }

    /// The number meant, when a percentage is of `total` and is rounded down: 25 % of 10 is 2. It is what
    /// `maxUnavailable` asks for. `None` for text that is no percentage.
    #[must_use]
    pub fn of_total_rounded_down(&self, total: i32) -> Option<i32> {
        self.of_total(total, 0)
    }

    fn of_total(&self, total: i32, round: i64) -> Option<i32> {
        if let Self::Int(number) = self {
            return Some(*number);
        }
        let hundredths = i64::from(self.percent()?) * i64::from(total.max(0));
        Some(i32::try_from((hundredths + round) / 100).unwrap_or(i32::MAX))
    }

    /// The number before the percent sign, if this is a percentage: digits and `%`, nothing else.
    #[must_use]
    pub fn percent(&self) -> Option<i32> {
        let Self::String(text) = self else { return None };
        let digits = text.strip_suffix('%')?;
        if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok() } else { None }
    }
}

/// Reports a port that is neither a number from 1 to 65535 nor a name that a port can have.
pub(super) fn validate_port(port: &IntOrString, problems: &mut Problems) {
    match port {
        IntOrString::Int(1..=65_535) => {}
        IntOrString::Int(number) => problems.report(format!("must be from 1 to 65535, got {number}")),
        IntOrString::String(name) => validate_port_name(name, problems),
    }
}

/// Reports a name that a port cannot have (RFC 6335, section 5.1, in small letters).
pub(super) fn validate_port_name(name: &str, problems: &mut Problems) {
    let named = is_dns_label(name) && name.bytes().any(|b| b.is_ascii_lowercase()) && !name.contains("--");
    if name.len() > 15 || !named {
        problems.report(format!(
            "must be at most 15 of a-z, 0-9 and single '-', with a letter, and no '-' at an end, got {name:?}"
        ));
    }
}

impl Default for IntOrString {
    fn default() -> Self {
        Self::Int(0)
    }
}

impl From<i32> for IntOrString {
    fn from(number: i32) -> Self {
        Self::Int(number)
    }
}

impl From<&str> for IntOrString {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl fmt::Display for IntOrString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => number.fmt(f),
            Self::String(text) => text.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for IntOrString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntOrStringVisitor)
    }
}

/// Written out rather than derived as untagged, so that an error says what was found and what was expected.
struct IntOrStringVisitor;

impl de::Visitor<'_> for IntOrStringVisitor {
    type Value = IntOrString;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number or a string such as \"25%\" or \"http\"")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<IntOrString, E> {
        let fits = i32::try_from(number);
        fits.map(IntOrString::Int).map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<IntOrString, E> {
        let fits = i32::try_from(number);
        fits.map(IntOrString::Int).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<IntOrString, E> {
        Ok(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_round_up_or_down_and_numbers_stand_for_themselves() {
        for (text, total, up, down) in [("25%", 10, 3, 2), ("25%", 3, 1, 0), ("0%", 7, 0, 0), ("100%", 7, 7, 7)] {
            let value = IntOrString::from(text);
            assert_eq!(value.of_total_rounded_up(total), Some(up), "{text} of {total}");
            assert_eq!(value.of_total_rounded_down(total), Some(down), "{text} of {total}");
        }
        assert_eq!(IntOrString::from(4).of_total_rounded_up(1), Some(4));
        assert_eq!(IntOrString::from("2147483647%").of_total_rounded_up(i32::MAX), Some(i32::MAX));
    }

    #[test]
    fn text_that_is_no_percentage_stands_for_no_number() {
        for text in ["http", "%", "+5%", "-5%", "5 %", "99999999999%", "1.5%"] {
            assert_eq!(IntOrString::from(text).of_total_rounded_up(10), None, "{text}");
        }
    }

    #[test]
    fn a_value_of_another_type_is_refused_with_what_was_expected() {
        let error = serde_json::from_str::<IntOrString>("true").expect_err("no number").to_string();
        assert!(error.contains("expected a whole number or a string"), "{error}");
        assert!(serde_json::from_str::<IntOrString>("2147483648").is_err());
    }
}
