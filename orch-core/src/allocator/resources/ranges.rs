//! [`Ranges`]: numbers of which each is there once, such as ports.

use std::fmt;

/// Numbers of which each is there once, such as ports: spans that neither overlap nor touch, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Of spans, first and last number each. One that ends before it begins is empty.
    #[must_use]
    pub fn new(spans: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut spans: Vec<_> = spans.into_iter().filter(|(first, last)| first <= last).collect();
        spans.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::with_capacity(spans.len());
        for (first, last) in spans {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    /// First and last number of each span.
    pub fn spans(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().copied()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of `other` are among these.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        let within = |span: (u64, u64)| self.0.iter().any(|mine| mine.0 <= span.0 && span.1 <= mine.1);
        other.spans().all(within)
    }

    /// These and `other`.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self::new(self.spans().chain(other.spans()))
    }

    /// These without those of `other`.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let mut left = Vec::with_capacity(self.0.len());
        let mut holes = other.0.iter().copied().peekable();
        for (mut first, last) in self.spans() {
            while holes.next_if(|hole| hole.1 < first).is_some() {}
            let mut open = true;
            while let Some(hole) = holes.peek().filter(|hole| open && hole.0 <= last).copied() {
                if first < hole.0 {
                    left.push((first, hole.0 - 1));
                }
                open = hole.1 < last;
                if open {
                    first = hole.1 + 1;
                    holes.next();
                }
            }
            if open {
                left.push((first, last));
            }
        }
        Self(left)
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spans: Vec<String> = self.spans().map(|(first, last)| format!("{first}-{last}")).collect();
        write!(f, "[{}]", spans.join(","))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn numbers(ranges: &Ranges) -> BTreeSet<u64> {
        ranges.spans().flat_map(|(first, last)| first..=last).collect()
    }

    proptest! {
        #[test]
        fn sums_and_differences_are_those_of_sets(
            one in prop::collection::vec((0_u64..40, 0_u64..40), 0..6),
            other in prop::collection::vec((0_u64..40, 0_u64..40), 0..6),
        ) {
            let (one, other) = (Ranges::new(one), Ranges::new(other));
            let (left, right) = (numbers(&one), numbers(&other));
            prop_assert_eq!(numbers(&one.plus(&other)), &left | &right);
            prop_assert_eq!(numbers(&one.minus(&other)), &left - &right);
            prop_assert_eq!(one.contains(&other), left.is_superset(&right));
            prop_assert_eq!(one.minus(&other).plus(&other), one.plus(&other));
        }
    }

    #[test]
    fn the_greatest_number_is_no_edge_to_fall_off() {
        let all = Ranges::new([(0, u64::MAX)]);
        let last = Ranges::new([(u64::MAX, u64::MAX)]);
        assert_eq!(all.minus(&last), Ranges::new([(0, u64::MAX - 1)]));
        assert_eq!(all.minus(&all), Ranges::default());
        assert_eq!(all.minus(&last).plus(&last), all);
    }
}
