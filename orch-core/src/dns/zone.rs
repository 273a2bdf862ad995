//! [`Zone`]: the domain of a cluster.

use std::fmt;
use std::str::FromStr;

use crate::validation::is_dns_subdomain;

/// The domain of a cluster, under which its services and pods have names: `cluster.local` by default.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zone(String);

/// With the longest names of a port, a service and a namespace before it, a name has 253 characters.
const LENGTH_MAX: usize = 253 - "_._sctp...svc.".len() - 3 * 63;

impl Zone {
    /// In lower case, without a dot at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the zone in `name`, which is in lower case and without a dot at its end; empty for the zone
    /// itself. `None` if the name is not in the zone.
    #[must_use]
    pub fn strip<'a>(&self, name: &'a str) -> Option<&'a str> {
        let rest = name.strip_suffix(self.as_str())?;
        if rest.is_empty() { Some(rest) } else { rest.strip_suffix('.') }
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self("cluster.local".to_owned())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Zone {
    type Err = InvalidZone;

    fn from_str(text: &str) -> Result<Self, InvalidZone> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if is_dns_subdomain(&name) && name.len() <= LENGTH_MAX { Ok(Self(name)) } else { Err(InvalidZone) }
    }
}

/// A text that is no zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a domain of at most {LENGTH_MAX} characters, so that every name in it has room, such as cluster.local"
)]
pub struct InvalidZone;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_cut_off_at_a_dot_only() {
        let zone: Zone = "Cluster.Local.".parse().expect("a zone");
        assert_eq!(zone, Zone::default());
        for (name, rest) in [
            ("cluster.local", Some("")),
            ("web.shop.svc.cluster.local", Some("web.shop.svc")),
            ("mycluster.local", None),
            ("local", None),
            ("", None),
        ] {
            assert_eq!(zone.strip(name), rest, "{name}");
        }
    }

    #[test]
    fn a_zone_leaves_room_for_the_longest_name_in_it() {
        let label = "a".repeat(63);
        let longest = format!("{}.{}", "b".repeat(25), "c".repeat(24));
        let zone: Zone = longest.parse().expect("just short enough");
        assert_eq!(format!("_{label}._sctp.{label}.{label}.svc.{zone}").len(), 253);
        for bad in ["", ".", "a b", "-a", &format!("{longest}d"), "a..b"] {
            assert_eq!(bad.parse::<Zone>(), Err(InvalidZone), "{bad:?}");
        }
    }
}
