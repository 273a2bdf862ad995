//! [`Expression`]: what rules are made of, encoded.
//!
//! An expression works on registers of four bytes. A key of several fields is loaded into registers that follow each
//! other. What a map had is never made part of a key: the program `nft`, up to 1.0.6 at least, cannot show that, and ends
//! with a failed assertion on any ruleset that has it.

use std::borrow::Cow;

use crate::family::Family;
use crate::netlink::wire::Writer;

/// A register of four bytes, by number from 0 to 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Register(pub(super) u32);

/// The kernel's number of the first register of four bytes.
const FIRST_REGISTER: u32 = 8;
/// The register of verdicts.
const VERDICT_REGISTER: u32 = 0;

/// A bit of the state of a connection: its destination is translated.
const DESTINATION_IS_TRANSLATED: u32 = 1 << 5;

/// One step of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// Loads bytes of the network's header.
    Network { to: Register, offset: u32, len: u32 },
    /// Loads the destination port.
    DestinationPort { to: Register },
    /// Loads the protocol.
    Protocol { to: Register },
    /// Loads whose the destination address is.
    DestinationKind { to: Register },
    /// Loads the address that the connection was made to.
    OriginalDestination { to: Register, family: Family },
    /// Loads the port that the connection was made to.
    OriginalPort { to: Register },
    /// Ends the rule unless the connection's destination is translated. Uses the register.
    IsTranslated { with: Register },
    /// Ends the rule unless the register has these bytes.
    Is { register: Register, value: Vec<u8> },
    /// Ends the rule if the register has these bytes.
    IsNot { register: Register, value: Vec<u8> },
    /// Loads a number by chance, below `below`.
    Random { to: Register, below: u32 },
    /// Ends the rule unless the set has the key.
    IsIn { set: Cow<'static, str>, key: Register },
    /// Loads these bytes.
    Set { to: Register, value: Vec<u8> },
    /// Loads what the map has for the key; ends the rule if it has nothing.
    Load { map: Cow<'static, str>, key: Register, to: Register },
    /// Goes where the map says; ends the rule if it has nothing.
    GoBy { map: Cow<'static, str>, key: Register },
    /// Puts a key into a set, for a while from now on. Ends the rule if there is no room.
    Remember { set: Cow<'static, str>, key: Register, milliseconds: u64 },
    /// Translates the destination.
    TranslateDestination { family: Family, address: Register, port: Register },
    /// Translates the source to an address of the node.
    Masquerade,
    /// Resets the connection.
    Reset,
    /// Refuses by a message that the port cannot be reached.
    Unreachable { family: Family },
    /// Goes on behind where this chain was called.
    Return,
    /// Calls a chain.
    Jump { chain: &'static str },
    /// Goes to a chain, and comes back behind where this one was called.
    GoTo { chain: Cow<'static, str> },
}

impl Expression {
    pub(super) fn write(&self, writer: &mut Writer) {
        match self {
            Self::Network { to, offset, len } => payload(writer, *to, 1, *offset, *len),
            Self::DestinationPort { to } => payload(writer, *to, 2, 2, 2),
            Self::Protocol { to } => named(writer, "meta", |data| {
                data.number(2, 16);
                data.number(1, register(*to));
            }),
            Self::DestinationKind { to } => named(writer, "fib", |data| {
                data.number(1, register(*to));
                data.number(2, 3);
                data.number(3, 1 << 1);
            }),
            Self::OriginalDestination { to, family } => original(writer, *to, family.connection_destination()),
            Self::OriginalPort { to } => original(writer, *to, 12),
            Self::IsTranslated { with } => is_translated(writer, *with),
            Self::Is { register, value } => compare(writer, *register, 0, value),
            Self::IsNot { register, value } => compare(writer, *register, 1, value),
            Self::Random { to, below } => named(writer, "numgen", |data| {
                data.number(1, register(*to));
                data.number(2, *below);
                data.number(3, 1);
                data.number(4, 0);
            }),
            Self::IsIn { set, key } => lookup(writer, set, *key, None),
            Self::Load { map, key, to } => lookup(writer, map, *key, Some(register(*to))),
            Self::Set { to, value } => named(writer, "immediate", |data| {
                data.number(1, register(*to));
                data.nested(2, |data| data.bytes(1, value));
            }),
            Self::GoBy { map, key } => lookup(writer, map, *key, Some(VERDICT_REGISTER)),
            Self::Remember { set, key, milliseconds } => named(writer, "dynset", |data| {
                data.text(1, set);
                // Update: it counts from now on, whether it is new or not.
                data.number(3, 1);
                data.number(4, register(*key));
                data.bytes(6, &milliseconds.to_be_bytes());
            }),
            Self::TranslateDestination { family, address, port } => named(writer, "nat", |data| {
                data.number(1, 1);
                data.number(2, family.number().into());
                data.number(3, register(*address));
                data.number(5, register(*port));
            }),
            // Ports by chance: two connections at once do not get the same one.
            Self::Masquerade => named(writer, "masq", |data| data.number(1, 1 << 4)),
            Self::Reset => named(writer, "reject", |data| data.number(1, 1)),
            Self::Unreachable { family } => named(writer, "reject", |data| {
                data.number(1, 0);
                data.bytes(2, &[family.port_unreachable()]);
            }),
            Self::Return => named(writer, "immediate", |data| {
                data.number(1, VERDICT_REGISTER);
                data.nested(2, |data| verdict(data, -5, None));
            }),
            Self::GoTo { chain } => named(writer, "immediate", |data| {
                data.number(1, VERDICT_REGISTER);
                data.nested(2, |data| go_to(data, chain));
            }),
            Self::Jump { chain } => named(writer, "immediate", |data| {
                data.number(1, VERDICT_REGISTER);
                data.nested(2, |data| verdict(data, -3, Some(chain)));
            }),
        }
    }
}

/// Writes the verdict to go to a chain and not to come back.
pub(super) fn go_to(writer: &mut Writer, chain: &str) {
    verdict(writer, -4, Some(chain));
}

fn verdict(writer: &mut Writer, code: i32, chain: Option<&str>) {
    writer.nested(2, |writer| {
        writer.bytes(1, &code.to_be_bytes());
        if let Some(chain) = chain {
            writer.text(2, chain);
        }
    });
}

fn register(register: Register) -> u32 {
    FIRST_REGISTER + register.0
}

fn named(writer: &mut Writer, name: &str, fill: impl FnOnce(&mut Writer)) {
    writer.nested(1, |writer| {
        writer.text(1, name);
        writer.nested(2, fill);
    });
}

fn payload(writer: &mut Writer, to: Register, base: u32, offset: u32, len: u32) {
    named(writer, "payload", |data| {
        data.number(1, register(to));
        data.number(2, base);
        data.number(3, offset);
        data.number(4, len);
    });
}

/// Loads from the connection as it was made, before any translation.
fn original(writer: &mut Writer, to: Register, key: u32) {
    named(writer, "ct", |data| {
        data.number(2, key);
        data.number(1, register(to));
        data.bytes(3, &[0]);
    });
}

fn is_translated(writer: &mut Writer, with: Register) {
    named(writer, "ct", |data| {
        data.number(2, 2);
        data.number(1, register(with));
    });
    named(writer, "bitwise", |data| {
        data.number(1, register(with));
        data.number(2, register(with));
        data.number(3, 4);
        data.nested(4, |data| data.bytes(1, &DESTINATION_IS_TRANSLATED.to_ne_bytes()));
        data.nested(5, |data| data.bytes(1, &[0; 4]));
    });
    compare(writer, with, 1, &[0; 4]);
}

fn compare(writer: &mut Writer, with: Register, operator: u32, value: &[u8]) {
    named(writer, "cmp", |data| {
        data.number(1, register(with));
        data.number(2, operator);
        data.nested(3, |data| data.bytes(1, value));
    });
}

fn lookup(writer: &mut Writer, set: &str, key: Register, to: Option<u32>) {
    named(writer, "lookup", |data| {
        data.text(1, set);
        data.number(2, register(key));
        if let Some(to) = to {
            data.number(3, to);
        }
    });
}
