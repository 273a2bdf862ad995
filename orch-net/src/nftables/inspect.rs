//! [`Fingerprint`] and [`has_elements`]: whether the kernel still has what the proxy made.

use super::batch::TABLES;
use super::client::Client;
use super::config::TableName;
use super::elements::Elements;
use super::error::Refusal;
use super::family::Family;
use super::structure::{SETS, Set, Side};
use super::wire::{Message, Writer, attributes, find};

const GET_TABLE: u16 = 1;
const GET_CHAIN: u16 = 4;
const GET_RULE: u16 = 7;
const GET_ELEMENTS: u16 = 13;

/// The attribute that names the table, of everything in a table.
const TABLE: u16 = 1;

/// Everything of the tables apart from elements, as the kernel tells it. Chains and rules have numbers there that are not
/// used again, so that one which was taken out and put back is another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint(Vec<Vec<u8>>);

impl Fingerprint {
    pub(super) fn take(client: &Client, table: &TableName) -> Result<Self, Refusal> {
        let mut all = Vec::new();
        let name = table.to_string();
        let is_ours =
            |message: &Message<'_>| find(message.attributes(), &[TABLE]).is_some_and(|found| is_text(found, &name));
        let body = |message: &Message<'_>| message.attributes().to_vec();
        for family in Family::ALL {
            let list = |kind| (TABLES << 8 | kind, family.number());
            // Of a table it counts whether it is in use.
            let flags = client.list(
                "list tables",
                list(GET_TABLE),
                |_| {},
                |message| {
                    let flags = find(message.attributes(), &[2]).map(<[u8]>::to_vec);
                    is_ours(message).then(|| flags.unwrap_or_default())
                },
            )?;
            all.extend(flags);
            for (doing, kind) in [("list chains", GET_CHAIN), ("list rules", GET_RULE)] {
                let of_table = |writer: &mut Writer| {
                    if kind == GET_RULE {
                        writer.text(TABLE, &name)
                    }
                };
                let found =
                    client.list(doing, list(kind), of_table, |message| is_ours(message).then(|| body(message)))?;
                all.extend(found);
            }
            for set in [Set::Chain(Side::Service), Set::Chain(Side::Node)] {
                let mut elements = raw_elements(client, &name, family, set)?;
                elements.sort_unstable();
                all.extend(elements);
            }
        }
        Ok(Self(all))
    }
}

/// Whether the sets of a family hold these elements and no others, apart from what packets write and what names chains.
pub(super) fn has_elements(
    client: &Client,
    table: &TableName,
    family: Family,
    expected: &Elements,
) -> Result<bool, Refusal> {
    let mut found = 0;
    for set in SETS.into_iter().filter(|set| !matches!(set, Set::Kept(_) | Set::Chain(_))) {
        for element in raw_elements(client, &table.to_string(), family, set)? {
            let key = find(&element, &[1, 1]).unwrap_or_default().to_vec();
            let value = find(&element, &[2, 1]).unwrap_or_default();
            if expected.get(&(set, key)).is_none_or(|expected| expected != value) {
                return Ok(false);
            }
            found += 1;
        }
    }
    Ok(found == expected.len())
}

fn raw_elements(client: &Client, table: &str, family: Family, set: Set) -> Result<Vec<Vec<u8>>, Refusal> {
    let of_set = |writer: &mut Writer| {
        writer.text(1, table);
        writer.text(2, set.name());
    };
    let list = (TABLES << 8 | GET_ELEMENTS, family.number());
    let lists = client.list("list elements", list, of_set, |message| {
        let elements = find(message.attributes(), &[3])?;
        Some(attributes(elements).map(|(_, element)| element.to_vec()).collect::<Vec<_>>())
    });
    match lists {
        Ok(lists) => Ok(lists.into_iter().flatten().collect()),
        // The set is gone.
        Err(refusal) if refusal.errno == nix::errno::Errno::ENOENT => Ok(Vec::new()),
        Err(refusal) => Err(refusal),
    }
}

fn is_text(bytes: &[u8], text: &str) -> bool {
    bytes.strip_suffix(&[0]).unwrap_or(bytes) == text.as_bytes()
}
