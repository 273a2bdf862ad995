//! [`Fingerprint`] and [`has_elements`]: whether the kernel still has what the proxy made.

use super::batch::TABLES;
use super::config::TableName;
use super::elements::{Elements, Value};
use super::structure::Set;
use crate::family::Family;
use crate::netlink::wire::{Message, Writer, attributes, find};
use crate::netlink::{Client, Refusal};

const GET_TABLE: u16 = 1;
const GET_CHAIN: u16 = 4;
const GET_RULE: u16 = 7;
const GET_ELEMENTS: u16 = 13;

/// How often a chain is in use.
const CHAIN_USE: u16 = 6;

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
        // How often a chain is in use changes with elements.
        let body = |message: &Message<'_>, left_out: Option<u16>| {
            let kept = attributes(message.attributes()).filter(|(kind, _)| Some(*kind) != left_out);
            kept.flat_map(|(kind, value)| [&kind.to_ne_bytes(), value].concat()).collect::<Vec<u8>>()
        };
        for family in Family::ALL {
            let list = |kind| (TABLES << 8 | kind, family.number());
            // Of a table only its flags count: it can be put to sleep.
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
            for (doing, kind, left_out) in [("list chains", GET_CHAIN, Some(CHAIN_USE)), ("list rules", GET_RULE, None)]
            {
                let of_table = |writer: &mut Writer| {
                    if kind == GET_RULE {
                        writer.text(TABLE, &name)
                    }
                };
                let found = client
                    .list(doing, list(kind), of_table, |message| is_ours(message).then(|| body(message, left_out)))?;
                all.extend(found);
            }
        }
        Ok(Self(all))
    }
}

/// Whether these sets of a family hold these elements and no others.
pub(super) fn has_elements(
    client: &Client,
    table: &TableName,
    family: Family,
    sets: impl Iterator<Item = Set>,
    expected: &Elements,
) -> Result<bool, Refusal> {
    let mut found = 0;
    for set in sets {
        for element in raw_elements(client, &table.to_string(), family, set)? {
            let key = find(&element, &[1, 1]).unwrap_or_default().to_vec();
            let is_expected = match expected.get(&(set, key)) {
                None => false,
                Some(Value::None) => true,
                Some(Value::Data(data)) => find(&element, &[2, 1]) == Some(data),
                Some(Value::Chain(chain)) => {
                    find(&element, &[2, 2, 2]).is_some_and(|found| is_text(found, &chain.name()))
                }
            };
            if !is_expected {
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
        writer.text(2, &set.name());
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
