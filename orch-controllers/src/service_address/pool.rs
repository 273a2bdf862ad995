//! [`Pool`]: the places of a range, and the order in which they are given.

use std::ops::RangeInclusive;

use orch_core::entropy::Entropy;
use orch_core::network::Cidr;

/// The places of a range, in two bands. What nobody asked for by name is given from the upper one as long as it has any,
/// so that whoever asks for a place of the lower one seldom finds it taken; KEP-3070 and KEP-3668.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pool {
    places: RangeInclusive<u128>,
    /// Where the upper band begins.
    upper: u128,
}

impl Pool {
    /// The addresses of a range, but for the first one, which stands for the range itself, and of IPv4 the last one,
    /// which reaches everybody. The lower band has a sixteenth of them, at least 16 and at most 256.
    pub(super) fn of_range(range: &Cidr) -> Self {
        let last = if range.is_ipv4() { range.size().saturating_sub(2) } else { range.size() - 1 };
        Self { places: 1..=last, upper: 1 + lower_band(range.size(), 16, 16, 256) }
    }

    /// The node ports. The lower band has a thirty-second of them, at least 16 and at most 128.
    pub(super) fn of_ports(ports: &RangeInclusive<u16>) -> Self {
        let (first, last) = (u128::from(*ports.start()), u128::from(*ports.end()));
        let size = (last + 1).saturating_sub(first);
        Self { places: first..=last, upper: first + lower_band(size, 32, 16, 128) }
    }

    pub(super) fn contains(&self, place: u128) -> bool {
        self.places.contains(&place)
    }

    pub(super) fn size(&self) -> u128 {
        (self.places.end() + 1).saturating_sub(*self.places.start())
    }

    /// A free place, if there is one: from a random one of the upper band on, then of the lower one.
    pub(super) fn pick(&self, is_free: impl Fn(u128) -> bool, entropy: &dyn Entropy) -> Option<u128> {
        let (first, last) = (*self.places.start(), *self.places.end());
        let upper = self.upper.min(last.saturating_add(1)).max(first);
        around(upper, last, entropy).chain(around(first, upper - 1, entropy)).find(|place| is_free(*place))
    }
}

/// Every number from `first` to `last` once, from a random one on.
fn around(first: u128, last: u128, entropy: &dyn Entropy) -> impl Iterator<Item = u128> + use<> {
    let size = (last + 1).saturating_sub(first);
    let start =
        if size == 0 { 0 } else { (u128::from(entropy.next_u64()) << 64 | u128::from(entropy.next_u64())) % size };
    (start..size).chain(0..start).map(move |step| first + step)
}

fn lower_band(size: u128, share: u128, least: u128, most: u128) -> u128 {
    if size <= least { 0 } else { (size / share).clamp(least, most) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use orch_core::entropy::SeededEntropy;

    use super::*;

    fn pool(range: &str) -> Pool {
        Pool::of_range(&range.parse().expect("a range"))
    }

    /// All places, in the order in which they are given.
    fn drained(pool: &Pool, seed: u64) -> Vec<u128> {
        let (entropy, mut given) = (SeededEntropy::new(seed), BTreeSet::new());
        let next = || {
            let place = pool.pick(|place| !given.contains(&place), &entropy)?;
            assert!(given.insert(place), "{place} was given twice");
            Some(place)
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn every_place_is_given_once_the_upper_band_first() {
        for (range, size, lower) in [("10.0.0.0/24", 254, 16), ("10.0.0.0/28", 14, 0), ("fd00::/122", 63, 16)] {
            let given = drained(&pool(range), 7);
            assert_eq!(given.len(), size, "{range}");
            assert!(given[..size - lower].iter().all(|place| *place > lower as u128), "{range}: {given:?}");
        }
        let ports = drained(&Pool::of_ports(&(30_000..=32_767)), 7);
        assert_eq!(ports.len(), 2768);
        assert!(ports[..2768 - 86].iter().all(|port| *port >= 30_086));
    }

    #[test]
    fn the_order_follows_from_the_seed() {
        let pool = pool("10.0.0.0/24");
        assert_eq!(drained(&pool, 1), drained(&pool, 1));
        assert_ne!(drained(&pool, 1), drained(&pool, 2));
    }

    #[test]
    fn ranges_without_a_place_give_none_and_the_largest_do_not_overflow() {
        for range in ["10.0.0.0/31", "10.0.0.1/32", "fd00::/128"] {
            assert!(drained(&pool(range), 1).is_empty(), "{range}");
            assert_eq!(pool(range).size(), 0, "{range}");
        }
        for range in ["0.0.0.0/0", "::/0"] {
            let all = pool(range);
            let place = all.pick(|_| true, &SeededEntropy::new(1)).expect("a place");
            assert!(all.contains(place) && place > 256, "{range}");
        }
    }
}
