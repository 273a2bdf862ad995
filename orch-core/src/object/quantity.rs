//! [`Quantity`]: an amount of a resource, such as `500m` of a CPU or `1.5Gi` of memory.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An amount of a resource: a number with an optional suffix, exact, as Kubernetes writes it.
///
/// Suffixes are `n u m k M G T P E` (powers of 1000), `Ki Mi Gi Ti Pi Ei` (powers of 1024), or an exponent: `12e6`.
/// Values reach from -10^29 to 10^29 in steps of 10^-9; a finer value is rounded away from zero, so that whoever asks
/// for something gets something.
///
/// [`Display`](fmt::Display) writes the canonical form: an integer with the largest suffix that loses nothing, of the
/// family (decimal, binary, exponent) that was read. Two quantities are equal when their values are, however written.
/// Unlike Kubernetes, which silently caps binary quantities at 2^63 - 1, `8Ei` keeps its value.
///
/// ```
/// use orch_core::object::Quantity;
///
/// let half: Quantity = "0.5".parse()?;
/// assert_eq!(half.to_string(), "500m");
/// assert_eq!(half, Quantity::from_millis(500));
/// let memory: Quantity = "1.5Gi".parse()?;
/// assert_eq!((memory.to_string().as_str(), memory.value()), ("1536Mi", 1_610_612_736));
/// # Ok::<(), orch_core::object::QuantityError>(())
/// ```
///
/// Format and rounding follow the `k8s.io/apimachinery/pkg/api/resource` package.
#[derive(Clone, Copy, Default)]
pub struct Quantity {
    /// The value in units of 10^-9, at most [`LIMIT`] in magnitude.
    nanos: i128,
    family: Family,
}

/// How a quantity is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Family {
    /// Powers of 1000, with a letter.
    #[default]
    Decimal,
    /// Powers of 1024, with a letter and `i`.
    Binary,
    /// Powers of 1000, with an exponent.
    Exponent,
}

const NANOS_PER_UNIT: i128 = 1_000_000_000;
const NANOS_PER_MILLI: i128 = 1_000_000;
/// 10^29 units: the largest power of ten of which an `i128` can count the billionths.
const LIMIT: i128 = 10_i128.pow(38);

/// Each suffix of powers of 1000, from 10^-9 up.
const DECIMAL_SUFFIXES: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
/// Each suffix of powers of 1024, from 1024 up.
const BINARY_SUFFIXES: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

impl Quantity {
    /// So many whole units.
    #[must_use]
    pub const fn from_units(units: i64) -> Self {
        Self { nanos: units as i128 * NANOS_PER_UNIT, family: Family::Decimal }
    }

    /// So many thousandths: of a CPU, millicores.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self { nanos: millis as i128 * NANOS_PER_MILLI, family: Family::Decimal }
    }

    /// So many bytes, written with binary suffixes.
    #[must_use]
    pub const fn from_binary(bytes: i64) -> Self {
        Self { nanos: bytes as i128 * NANOS_PER_UNIT, family: Family::Binary }
    }

    /// Reads a quantity.
    ///
    /// # Errors
    /// [`QuantityError`] when the text is no quantity or its value is out of range.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let end = unsigned.bytes().position(|b| !b.is_ascii_digit() && b != b'.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + fraction.len() == 0 || fraction.contains('.') {
            return Err(QuantityError::NotANumber { text: shorten(text) });
        }
        let scale = Scale::of(suffix)
            .ok_or_else(|| QuantityError::UnknownSuffix { text: shorten(text), suffix: shorten(suffix) })?;
        let nanos = scale
            .nanos(whole.as_bytes(), fraction.as_bytes())
            .filter(|nanos| *nanos <= LIMIT)
            .ok_or_else(|| QuantityError::OutOfRange { text: shorten(text) })?;
        Ok(Self { nanos: if negative { -nanos } else { nanos }, family: scale.family })
    }

    /// Whether there is nothing of it.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// Whether it is less than nothing.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.nanos < 0
    }

    /// The value in whole units, rounded away from zero; beyond the range of an `i64`, its nearest end.
    #[must_use]
    pub fn value(self) -> i64 {
        self.rounded_to(NANOS_PER_UNIT)
    }

    /// The value in thousandths, rounded away from zero; beyond the range of an `i64`, its nearest end.
    #[must_use]
    pub fn millis(self) -> i64 {
        self.rounded_to(NANOS_PER_MILLI)
    }

    fn rounded_to(self, unit: i128) -> i64 {
        let rounded = self.nanos / unit + (self.nanos % unit).signum();
        i64::try_from(rounded).unwrap_or(if self.is_negative() { i64::MIN } else { i64::MAX })
    }

    /// The exact sum, written as `self` is, unless that is zero; `None` when it is out of range.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.with_nanos(self.nanos.checked_add(other.nanos)?, other)
    }

    /// The exact difference, written as `self` is, unless that is zero; `None` when it is out of range.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.with_nanos(self.nanos.checked_sub(other.nanos)?, other)
    }

    /// The sum as of [`checked_add`](Self::checked_add); beyond the range of quantities, its nearest end.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        let nanos = self.nanos.saturating_add(other.nanos).clamp(-LIMIT, LIMIT);
        self.with_nanos(nanos, other).unwrap_or(self)
    }

    fn with_nanos(self, nanos: i128, other: Self) -> Option<Self> {
        let family = if self.is_zero() { other.family } else { self.family };
        (-LIMIT..=LIMIT).contains(&nanos).then_some(Self { nanos, family })
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0");
        }
        let units = self.nanos / NANOS_PER_UNIT;
        // Kubernetes writes what is small or no whole number in the decimal family, and so never rounds.
        if self.family == Family::Binary && self.nanos % NANOS_PER_UNIT == 0 && units.abs() >= 1024 {
            let (mantissa, power) = divide_out(units, 1024, BINARY_SUFFIXES.len());
            return write!(f, "{mantissa}{}", power.checked_sub(1).map_or("", |index| BINARY_SUFFIXES[index]));
        }
        let (mantissa, power) = divide_out(self.nanos, 1000, usize::MAX);
        match DECIMAL_SUFFIXES.get(power) {
            Some(&suffix) if self.family != Family::Exponent || suffix.is_empty() => write!(f, "{mantissa}{suffix}"),
            _ => write!(f, "{mantissa}e{}", 3 * power as i64 - 9),
        }
    }
}

/// Divides by `base` while nothing is lost, at most `most` times: what remains, and how often. `number` is not zero.
fn divide_out(mut number: i128, base: i128, most: usize) -> (i128, usize) {
    let mut times = 0;
    while times < most && number % base == 0 {
        number /= base;
        times += 1;
    }
    (number, times)
}

impl fmt::Debug for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl Hash for Quantity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.nanos.hash(state);
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        Self::parse(text)
    }
}

/// What a suffix multiplies a number by: `10^exponent * factor`.
struct Scale {
    family: Family,
    exponent: i32,
    factor: i128,
}

impl Scale {
    fn of(suffix: &str) -> Option<Self> {
        if let Some(index) = DECIMAL_SUFFIXES.iter().position(|known| *known == suffix) {
            return Some(Self { family: Family::Decimal, exponent: 3 * index as i32 - 9, factor: 1 });
        }
        if let Some(index) = BINARY_SUFFIXES.iter().position(|known| *known == suffix) {
            return Some(Self { family: Family::Binary, exponent: 0, factor: 1 << (10 * (index + 1)) });
        }
        let exponent = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
        Some(Self { family: Family::Exponent, exponent, factor: 1 })
    }

    /// The number with these digits before and after the point, scaled, in units of 10^-9, rounded up; `None` when
    /// it does not fit.
    fn nanos(&self, whole: &[u8], fraction: &[u8]) -> Option<i128> {
        let digits = || whole.iter().chain(fraction).map(|digit| i128::from(digit - b'0'));
        if digits().all(|digit| digit == 0) {
            return Some(0);
        }
        let unit = self.factor * NANOS_PER_UNIT;
        let point = i64::try_from(whole.len()).ok()? + i64::from(self.exponent);
        let before = usize::try_from(point).unwrap_or(0);

        let mut units: i128 = 0;
        for digit in digits().take(before) {
            units = units.checked_mul(10)?.checked_add(digit)?;
        }
        // A number too large fails after at most 39 of these.
        for _ in 0..before.saturating_sub(whole.len() + fraction.len()) {
            if units == 0 {
                break;
            }
            units = units.checked_mul(10)?;
        }

        // From the last digit to the first: the rest is always less than `unit`, so nothing here can overflow.
        let (mut rest, mut rounded) = (0, false);
        let mut shift_in = |digit: i128| {
            let sum = digit * unit + rest;
            rounded |= sum % 10 != 0;
            rest = sum / 10;
        };
        let after: Vec<i128> = digits().skip(before).collect();
        after.into_iter().rev().for_each(&mut shift_in);
        // `unit` has at most 28 digits: more zeros than that between point and number change nothing.
        (point..0).take(30).for_each(|_| shift_in(0));

        units.checked_mul(unit)?.checked_add(rest)?.checked_add(i128::from(rounded))
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    /// Reads text, and numbers too: `cpu: 0.5` is common in manifests.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor)
    }
}

struct QuantityVisitor;

impl de::Visitor<'_> for QuantityVisitor {
    type Value = Quantity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quantity such as \"500m\", \"2\" or \"1.5Gi\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
        Quantity::parse(text).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u128<E: de::Error>(self, number: u128) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i128<E: de::Error>(self, number: i128) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Quantity, E> {
        // The shortest text that means this float is the text that was most likely written.
        self.visit_str(&number.to_string())
    }
}

/// Why text is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuantityError {
    /// No number at the beginning.
    #[error("{text:?} is not a quantity: expected a number and perhaps a suffix, such as \"500m\", \"2\" or \"1.5Gi\"")]
    NotANumber {
        /// The text as given.
        text: String,
    },
    /// A number followed by something that is no suffix.
    #[error(
        "{text:?} is not a quantity: {suffix:?} is no suffix; use one of n, u, m, k, M, G, T, P, E (powers of 1000) or \
         Ki, Mi, Gi, Ti, Pi, Ei (powers of 1024), such as \"500m\" or \"1.5Gi\""
    )]
    UnknownSuffix {
        /// The text as given.
        text: String,
        /// What follows the number.
        suffix: String,
    },
    /// A value too large.
    #[error("{text:?} is out of range: a quantity is at least \"-1e29\" and at most \"1e29\", such as \"64Gi\"")]
    OutOfRange {
        /// The text as given.
        text: String,
    },
}

/// As much of the text as fits into a message.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
