//! [`Scalar`]: how much of a resource, to a thousandth.

use std::fmt;

/// How much of a resource, in thousandths, never below zero: fixed-point, as offers and what is taken of them are added
/// and subtracted for ever, and floating point would drift.
///
/// ```
/// use orch_core::allocator::Scalar;
///
/// let half = Scalar::from_f64(0.5).expect("a number");
/// assert_eq!((half.millis(), half.to_string().as_str()), (500, "0.5"));
/// assert_eq!(Scalar::from_f64(f64::NAN), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scalar(i64);

impl Scalar {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many whole ones; less than none is none.
    #[must_use]
    pub const fn from_units(units: i64) -> Self {
        Self::from_millis(units.saturating_mul(1_000))
    }

    /// So many thousandths; less than none is none.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(if millis < 0 { 0 } else { millis })
    }

    /// The nearest thousandth; `None` for what is no number, is below zero or is beyond 2^53 thousandths, where a
    /// floating-point number does not tell a thousandth from the next.
    #[must_use]
    pub fn from_f64(value: f64) -> Option<Self> {
        const MOST: f64 = (1_u64 << 53) as f64;
        let millis = (value * 1_000.0).round();
        (0.0..=MOST).contains(&millis).then_some(Self(millis as i64))
    }

    /// In thousandths.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// The nearest floating-point number.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// Whether there is nothing of it.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, or nothing.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self::from_millis(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0 / 1_000)?;
        match self.0 % 1_000 {
            0 => Ok(()),
            rest => write!(f, ".{}", format!("{rest:03}").trim_end_matches('0')),
        }
    }
}
