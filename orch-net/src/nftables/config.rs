//! [`NftablesConfig`], [`TableName`].

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How an [`NftablesProxy`](super::NftablesProxy) behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NftablesConfig {
    /// What its tables are called, one of IPv4 and one of IPv6; `orch-services` by default. Two proxies of one node need
    /// two names. Whatever stands in tables of this name is the proxy's own, and is removed.
    pub table: TableName,
    /// How many clients are remembered, of all service ports with affinity together, in each family; 65,536 by default.
    /// Beyond, further clients are led as if there were no affinity.
    pub clients_max: u32,
    /// How often the tables are looked through, whether they still are as the proxy made them, if anybody changed any
    /// table of the node meanwhile; 30 s by default. What was altered is put right then, or at the next sync.
    pub check_every: Duration,
}

impl Default for NftablesConfig {
    fn default() -> Self {
        let (table, check_every) = (TableName("orch-services".to_owned()), Duration::from_secs(30));
        Self { table, clients_max: 65_536, check_every }
    }
}

/// The name of a table: up to 31 letters, digits, `-` and `_`, and a letter first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName(String);

/// The name cannot be that of a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot be the name of a table: use up to 31 of a-z, A-Z, 0-9, - and _, and a letter first")]
pub struct InvalidTableName(String);

impl FromStr for TableName {
    type Err = InvalidTableName;

    fn from_str(text: &str) -> Result<Self, InvalidTableName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        if starts && text.len() <= 31 && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidTableName(text.to_owned()))
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_plain() {
        for good in ["orch", "a", "Orch-services_2"] {
            assert_eq!(good.parse::<TableName>().expect("a name").to_string(), good);
        }
        for bad in ["", "2", "-a", "a b", "a;", "a\0", "ä", &"a".repeat(32)] {
            let error = bad.parse::<TableName>().expect_err(bad);
            assert!(error.to_string().contains("a letter first"), "{error}");
        }
    }
}
