//! [`AddressRange`]: loopback addresses for pods.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A range inside `127.0.0.0/8`, written `127.11.0.0/16`. All of these addresses belong to every Linux machine, so
/// each pod can listen on the same port at an address of its own, without a namespace and without privileges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    base: Ipv4Addr,
    prefix: u8,
}

/// Why text is not an [`AddressRange`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a range of pod addresses: {problem}; write it like 127.11.0.0/16")]
pub struct AddressRangeError {
    text: String,
    problem: &'static str,
}

impl AddressRange {
    /// The address of this number, counted again from the first after the last: where to begin. Who shares a range without
    /// knowing of each other, as two programs on one machine may, begins at different places.
    pub(super) fn address(self, number: u64) -> Ipv4Addr {
        let size = 1_u64 << (32 - self.prefix);
        let offset = u32::try_from(number % size).expect("less than the size of a range");
        Ipv4Addr::from_bits(self.base.to_bits() + offset)
    }

    /// The first address after `last` that is not used, beginning anew after the end of the range: an address that
    /// was given back rests as long as possible. The first and the last address of the range are never given.
    pub(super) fn next_free(self, last: Option<Ipv4Addr>, used: &BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
        let base = self.base.to_bits();
        let size = 1_u32 << (32 - self.prefix);
        let last = last.map_or(0, |last| last.to_bits().wrapping_sub(base)).min(size - 2);
        let after = (last + 1..size - 1).chain(1..=last);
        after.map(|offset| Ipv4Addr::from_bits(base + offset)).find(|address| !used.contains(address))
    }
}

impl FromStr for AddressRange {
    type Err = AddressRangeError;

    fn from_str(text: &str) -> Result<Self, AddressRangeError> {
        let wrong = |problem| AddressRangeError { text: text.to_owned(), problem };
        let (base, prefix) = text.split_once('/').ok_or_else(|| wrong("it has no prefix length"))?;
        let base: Ipv4Addr = base.parse().map_err(|_| wrong("it does not begin with an IPv4 address"))?;
        let prefix: u8 = prefix.parse().map_err(|_| wrong("the prefix length is not a number"))?;
        if !base.is_loopback() || prefix < 8 {
            return Err(wrong("it is not inside 127.0.0.0/8"));
        }
        if prefix > 30 {
            return Err(wrong("it is too small: the prefix length may be 30 at most"));
        }
        if base.to_bits() & (u32::MAX >> prefix) != 0 {
            return Err(wrong("the address has bits after the prefix"));
        }
        Ok(Self { base, prefix })
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, 11, 0, last)
    }

    #[test]
    fn every_address_but_the_outer_two_is_given_once_and_the_one_given_back_last() {
        let range: AddressRange = "127.11.0.0/29".parse().expect("a range");
        let (mut used, mut last) = (BTreeSet::new(), None);
        while let Some(next) = range.next_free(last, &used) {
            used.insert(next);
            last = Some(next);
        }
        assert_eq!(used, (1..=6).map(address).collect());
        used.remove(&address(3));
        used.remove(&address(5));
        assert_eq!(range.next_free(Some(address(4)), &used), Some(address(5)));
        assert_eq!(range.next_free(Some(address(5)), &used), Some(address(3)));
    }

    #[test]
    fn wherever_one_begins_every_address_is_given() {
        let range: AddressRange = "127.11.0.0/29".parse().expect("a range");
        for number in (0..9).chain([u64::MAX]) {
            let (mut used, mut last) = (BTreeSet::new(), Some(range.address(number)));
            while let Some(next) = range.next_free(last, &used) {
                used.insert(next);
                last = Some(next);
            }
            assert_eq!(used, (1..=6).map(address).collect(), "from {number}");
        }
    }

    #[test]
    fn text_that_is_no_range_inside_loopback_is_refused() {
        for text in
            ["127.11.0.0", "10.0.0.0/16", "127.0.0.0/7", "127.11.0.1/16", "127.11.0.0/31", "x/16", "127.1.0.0/x"]
        {
            assert!(text.parse::<AddressRange>().is_err(), "{text}");
        }
    }
}
