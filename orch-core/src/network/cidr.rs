//! [`Cidr`]: a range of addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses: those that begin with the same bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    base: IpAddr,
    bits: u8,
}

impl Cidr {
    /// The addresses whose first `bits` bits are those of `base`, which is the first of them.
    ///
    /// # Errors
    /// [`CidrError`] when there are not so many bits, or `base` is not the first address.
    pub fn new(base: IpAddr, bits: u8) -> Result<Self, CidrError> {
        let range = Self { base, bits };
        if bits > range.width() {
            return Err(CidrError::NoRange { text: range.to_string() });
        }
        let first = range.number_to_address(number(base) & !range.mask());
        if first != base {
            return Err(CidrError::NotTheFirst { text: range.to_string(), first });
        }
        Ok(range)
    }

    /// The addresses whose first `bits` bits are those of `address`, which may be any of them. `None` when there are not so
    /// many bits.
    #[must_use]
    pub fn around(address: IpAddr, bits: u8) -> Option<Self> {
        let range = Self { base: address, bits };
        let first = range.number_to_address(number(address) & !range.mask());
        Self::new(first, bits).ok()
    }

    /// How many bits all addresses of the range begin with.
    #[must_use]
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether it is a range of IPv4 addresses.
    #[must_use]
    pub fn is_ipv4(&self) -> bool {
        self.base.is_ipv4()
    }

    /// How many addresses are in it; of all IPv6 addresses, one less.
    #[must_use]
    pub fn size(&self) -> u128 {
        self.mask().saturating_add(1)
    }

    /// The address at a place in it, counted from 0.
    #[must_use]
    pub fn address(&self, place: u128) -> Option<IpAddr> {
        (place <= self.mask()).then(|| self.number_to_address(number(self.base) | place))
    }

    /// The place of an address in it, counted from 0.
    #[must_use]
    pub fn place(&self, address: IpAddr) -> Option<u128> {
        let inside = address.is_ipv4() == self.is_ipv4() && number(address) & !self.mask() == number(self.base);
        inside.then(|| number(address) & self.mask())
    }

    /// Whether the two have addresses in common; then one is a part of the other.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.place(other.base).is_some() || other.place(self.base).is_some()
    }

    /// How many ranges of `bits` bits it consists of, and the one at a place. `None` where there is none.
    #[must_use]
    pub fn part(&self, bits: u8, place: u128) -> Option<Self> {
        if bits < self.bits || bits > self.width() || place >= self.parts(bits) {
            return None;
        }
        let shift = u32::from(self.width() - bits);
        let offset = place.checked_shl(shift).unwrap_or(0);
        Some(Self { base: self.number_to_address(number(self.base) | offset), bits })
    }

    /// How many ranges of `bits` bits it consists of.
    #[must_use]
    pub fn parts(&self, bits: u8) -> u128 {
        match bits.checked_sub(self.bits) {
            Some(more) if bits <= self.width() => 1_u128.checked_shl(u32::from(more)).unwrap_or(u128::MAX),
            _ => 0,
        }
    }

    fn width(&self) -> u8 {
        if self.is_ipv4() { 32 } else { 128 }
    }

    /// The bits in which the addresses of the range differ.
    fn mask(&self) -> u128 {
        let free = self.width().saturating_sub(self.bits);
        1_u128.checked_shl(u32::from(free)).map_or(u128::MAX, |size| size - 1)
    }

    fn number_to_address(self, number: u128) -> IpAddr {
        match self.base {
            IpAddr::V4(_) => Ipv4Addr::from(u32::try_from(number & 0xffff_ffff).unwrap_or_default()).into(),
            IpAddr::V6(_) => Ipv6Addr::from(number).into(),
        }
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let parts = text.split_once('/').and_then(|(base, bits)| Some((base.parse().ok()?, bits.parse().ok()?)));
        let (base, bits) = parts.ok_or_else(|| CidrError::NoRange { text: text.to_owned() })?;
        Self::new(base, bits)
    }
}

/// Why text is no range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CidrError {
    /// It is none.
    #[error(
        "{text:?} is no range of addresses: write its first address and how many bits all have in common, as in 10.96.0.0/12"
    )]
    NoRange {
        /// The text as given.
        text: String,
    },
    /// An address in the middle of a range.
    #[error("{text} does not begin with its first address, which is {first}")]
    NotTheFirst {
        /// The range as given.
        text: String,
        /// Its first address.
        first: IpAddr,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().expect(text)
    }

    #[test]
    fn an_address_and_its_place_in_a_range_tell_each_other() {
        for (range, place, address) in [
            ("10.96.0.0/12", 0, "10.96.0.0"),
            ("10.96.0.0/12", 256, "10.96.1.0"),
            ("10.0.0.7/32", 0, "10.0.0.7"),
            ("0.0.0.0/0", 0xffff_ffff, "255.255.255.255"),
            ("fd00::/108", 17, "fd00::11"),
            ("::/0", u128::MAX, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            let address: IpAddr = address.parse().expect("an address");
            assert_eq!(cidr(range).address(place), Some(address), "{range}");
            assert_eq!(cidr(range).place(address), Some(place), "{range}");
        }
        assert_eq!(cidr("10.0.0.0/24").address(256), None);
        assert_eq!(cidr("10.0.0.0/24").place("10.0.1.0".parse().expect("an address")), None);
        assert_eq!(cidr("0.0.0.0/0").place("::".parse().expect("an address")), None);
        assert_eq!(Cidr::around([10, 0, 7, 9].into(), 23), Some(cidr("10.0.6.0/23")));
        assert_eq!(Cidr::around([10, 0, 7, 9].into(), 33), None);
        assert_eq!((cidr("10.0.0.0/24").size(), cidr("::/0").size()), (256, u128::MAX));
    }

    #[test]
    fn a_range_is_cut_into_parts_that_do_not_overlap() {
        let range = cidr("10.244.0.0/16");
        assert_eq!((range.parts(24), range.parts(16), range.parts(8), range.parts(33)), (256, 1, 0, 0));
        assert_eq!(range.part(24, 255).map(|part| part.to_string()).as_deref(), Some("10.244.255.0/24"));
        assert_eq!((range.part(24, 256), range.part(8, 0), range.part(33, 0)), (None, None, None));
        assert_eq!(cidr("fd00:10:244::/48").part(64, 2), Some(cidr("fd00:10:244:2::/64")));
        assert!(range.overlaps(&cidr("10.244.7.0/24")) && cidr("10.244.7.0/24").overlaps(&range));
        assert!(!cidr("10.244.6.0/24").overlaps(&cidr("10.244.7.0/24")));
    }

    #[test]
    fn what_is_no_range_is_refused_with_what_is_wrong() {
        for (text, said) in [
            ("", "as in 10.96.0.0/12"),
            ("10.0.0.0", "as in 10.96.0.0/12"),
            ("10.0.0.0/33", "as in 10.96.0.0/12"),
            ("::/129", "as in 10.96.0.0/12"),
            ("10.0.0.7/24", "does not begin with its first address, which is 10.0.0.0"),
        ] {
            let error = text.parse::<Cidr>().expect_err(text).to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
