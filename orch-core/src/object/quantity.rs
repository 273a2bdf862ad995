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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(text: &str) -> String {
        Quantity::parse(text).unwrap_or_else(|error| panic!("{error}")).to_string()
    }

    /// The pairs of Kubernetes' own `quantity_test.go` and documentation, and those at the edges of our range.
    #[test]
    fn the_canonical_form_is_that_of_kubernetes() {
        for (text, expected) in [
            ("0", "0"),
            ("0Ki", "0"),
            ("-0.0", "0"),
            ("+1", "1"),
            ("-1", "-1"),
            ("1500m", "1500m"),
            ("1.5", "1500m"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("1.", "1"),
            ("1.G", "1G"),
            ("1000", "1k"),
            ("1024", "1024"),
            ("1024Ki", "1Mi"),
            ("1.5Gi", "1536Mi"),
            ("0.1Gi", "107374182400m"),
            ("0.5Ki", "512"),
            ("1.5Ki", "1536"),
            ("0.001Ki", "1024m"),
            ("1025Ki", "1025Ki"),
            ("100Ki", "100Ki"),
            ("-1024Ki", "-1Mi"),
            ("1e3", "1e3"),
            ("1E3", "1e3"),
            ("1E", "1E"),
            ("1e4", "10e3"),
            ("1e1", "10"),
            ("12e6", "12e6"),
            ("1e-3", "1e-3"),
            ("1.1E-3", "1100e-6"),
            ("1.2345", "1234500u"),
            ("18446744073709551616", "18446744073709551616"),
            ("1000E", "1e21"),
            ("8Ei", "8Ei"),
            ("1n", "1n"),
            ("0.9n", "1n"),
            ("-0.1n", "-1n"),
            ("1e-2147483648", "1e-9"),
            ("0e2147483647", "0"),
            ("0.000000001Ki", "1024n"),
            ("0.0000000001Ki", "103n"),
            ("100000000000E", "100e27"),
            ("-1e29", "-100e27"),
        ] {
            assert_eq!(canonical(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused_with_an_example() {
        let no_number =
            " is not a quantity: expected a number and perhaps a suffix, such as \"500m\", \"2\" or \"1.5Gi\"";
        for text in ["", "-", "+", ".", "Ki", "m", " 1", "--1", "1.2.3", "NaN", "inf", "ä"] {
            assert_eq!(Quantity::parse(text).unwrap_err().to_string(), format!("{text:?}{no_number}"));
        }
        for (text, suffix) in [
            ("1K", "K"),
            ("1GB", "GB"),
            ("1 Gi", " Gi"),
            ("1ki", "ki"),
            ("1e", "e"),
            ("1e1.5", "e1.5"),
            ("1e9999999999", "e9999999999"),
        ] {
            let error = Quantity::parse(text).unwrap_err();
            assert_eq!(error, QuantityError::UnknownSuffix { text: text.to_owned(), suffix: suffix.to_owned() });
        }
        assert_eq!(
            Quantity::parse("1GB").unwrap_err().to_string(),
            "\"1GB\" is not a quantity: \"GB\" is no suffix; use one of n, u, m, k, M, G, T, P, E (powers of 1000) or \
             Ki, Mi, Gi, Ti, Pi, Ei (powers of 1024), such as \"500m\" or \"1.5Gi\""
        );
        for text in ["1e30", "-1e30", "1e2147483647", "100000000001E", "100000000000.1E", "1000000000000Ei"] {
            assert_eq!(
                Quantity::parse(text).unwrap_err().to_string(),
                format!(
                    "{text:?} is out of range: a quantity is at least \"-1e29\" and at most \"1e29\", such as \"64Gi\""
                )
            );
        }
        let long = Quantity::parse(&"x".repeat(1_000_000)).unwrap_err().to_string();
        assert!(long.len() < 200, "a message is no copy of the input: {long}");
    }

    #[test]
    fn rounding_is_away_from_zero_and_stops_at_the_ends() {
        let read = |text| Quantity::parse(text).expect("a quantity");
        assert_eq!((read("1n").value(), read("1n").millis()), (1, 1));
        assert_eq!((read("-1n").value(), read("-1500m").value()), (-1, -2));
        assert_eq!((read("2").value(), read("1500m").millis()), (2, 1500));
        assert_eq!((read("1e29").value(), read("-1e29").millis()), (i64::MAX, i64::MIN));
        assert!(read("-1n").is_negative() && !read("0").is_negative() && read("-0").is_zero());
    }

    #[test]
    fn sums_are_exact_and_keep_the_family() {
        let read = |text| Quantity::parse(text).expect("a quantity");
        let sum = |a, b| read(a).checked_add(read(b)).map(|sum| sum.to_string());
        assert_eq!(sum("1Gi", "1024").as_deref(), Some("1048577Ki"));
        assert_eq!(sum("0", "1Gi").as_deref(), Some("1Gi"));
        assert_eq!(sum("0.1", "0.2").as_deref(), Some("300m"));
        assert_eq!(sum("1e29", "1n"), None);
        assert_eq!(read("1e29").saturating_add(read("1n")), read("1e29"));
        assert_eq!(read("-1").saturating_add(read("-1e29")), read("-1e29"));
        assert_eq!(read("-1e29").checked_sub(read("1n")), None);
        assert_eq!(read("1").checked_sub(read("1500m")), Some(Quantity::from_millis(-500)));
    }

    #[test]
    fn json_and_yaml_numbers_are_quantities_too() {
        for (text, expected) in [
            ("0.5", "500m"),
            ("2", "2"),
            ("-3", "-3"),
            ("\"1Gi\"", "1Gi"),
            ("1e3", "1k"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            let from_json: Quantity = serde_json::from_str(text).expect("a quantity");
            let from_yaml: Quantity = serde_saphyr::from_str(text).expect("a quantity");
            assert_eq!((from_json.to_string().as_str(), from_yaml.to_string().as_str()), (expected, expected));
        }
        let plain: Quantity = serde_saphyr::from_str("1.5Gi").expect("a quantity");
        assert_eq!(serde_json::to_string(&plain).expect("text"), "\"1536Mi\"");
        let error = serde_json::from_str::<Quantity>("true").unwrap_err().to_string();
        let expected = "invalid type: boolean `true`, expected a quantity such as \"500m\", \"2\" or \"1.5Gi\"";
        assert!(error.starts_with(expected), "{error}");
        assert!(serde_json::from_str::<Quantity>("null").is_err());
        assert!(serde_saphyr::from_str::<Quantity>(".inf").is_err());
    }

    /// A quantity as `sign digits * 10^-places * 10^exponent * 2^doublings`, small enough to compare as fractions.
    #[derive(Clone, Debug)]
    struct Written {
        digits: i64,
        places: usize,
        suffix: &'static str,
        exponent: i32,
        doublings: u32,
    }

    impl Written {
        fn text(&self) -> String {
            let places = self.places;
            let digits = format!("{:0width$}", self.digits.unsigned_abs(), width = places + 1);
            let (whole, fraction) = digits.split_at(digits.len() - places);
            format!("{}{whole}.{fraction}{}", if self.digits < 0 { "-" } else { "" }, self.suffix)
        }

        /// The exact value as a multiple of 10^-12.
        fn picos(&self) -> i128 {
            let scale = 12 + self.exponent - i32::try_from(self.places).expect("few places");
            (i128::from(self.digits) * 10_i128.pow(scale.try_into().expect("at least a pico"))) << self.doublings
        }

        /// The exact value rounded away from zero to 10^-9.
        fn nanos(&self) -> i128 {
            let picos = self.picos();
            picos / 1000 + (picos % 1000).signum()
        }
    }

    fn written() -> impl Strategy<Value = Written> {
        let suffix = prop_oneof![
            Just(("n", -9, 0)),
            Just(("m", -3, 0)),
            Just(("", 0, 0)),
            Just(("k", 3, 0)),
            Just(("E", 18, 0)),
            Just(("e3", 3, 0)),
            Just(("e-6", -6, 0)),
            Just(("E+2", 2, 0)),
            Just(("Ki", 0, 10)),
            Just(("Gi", 0, 30)),
            Just(("Ei", 0, 60)),
        ];
        (-50_000_i64..50_000, 0_usize..=3, suffix).prop_map(|(digits, places, (suffix, exponent, doublings))| Written {
            digits,
            places,
            suffix,
            exponent,
            doublings,
        })
    }

    proptest! {
        #[test]
        fn a_value_is_read_exactly_or_rounded_up_to_the_next_billionth(written in written()) {
            let quantity = Quantity::parse(&written.text()).expect("a quantity");
            prop_assert_eq!(quantity.nanos, written.nanos(), "{}", written.text());
        }

        #[test]
        fn the_order_is_that_of_the_values(a in written(), b in written()) {
            let (left, right) = (Quantity::parse(&a.text()).unwrap(), Quantity::parse(&b.text()).unwrap());
            prop_assert_eq!(left.cmp(&right), a.nanos().cmp(&b.nanos()));
            prop_assert_eq!(left == right, a.nanos() == b.nanos());
        }

        #[test]
        fn the_canonical_form_keeps_the_value_and_is_its_own_canonical_form(
            nanos in prop_oneof![-LIMIT..=LIMIT, (-5_000_i128..5_000).prop_map(|n| n << 90), (-2_000_i128..2_000)],
            family in prop_oneof![Just(Family::Decimal), Just(Family::Binary), Just(Family::Exponent)],
        ) {
            let quantity = Quantity { nanos, family };
            let text = quantity.to_string();
            let again = Quantity::parse(&text).expect("canonical forms are quantities");
            prop_assert_eq!(again, quantity);
            prop_assert_eq!(again.to_string(), text);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[-+]?[0-9.]{0,50}[a-zA-Z]{0,2}[-+]?[0-9]{0,12}") {
            let _ = Quantity::parse(&text);
        }
    }
}
