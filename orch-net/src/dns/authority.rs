//! [`Authority`]: what to do about a message. Pure.

use std::net::IpAddr;
use std::time::Duration;

use domain::base::iana::{Class, OptRcode, Rtype};
use orch_core::dns::{Found, NameTable, Zone};

use super::answer::{self, Content, Wording};
use super::question::{self, Edns, NoQuestion, Question, Text};

/// Answers for the names of a zone, from the table that it is shown with each question.
#[derive(Debug)]
pub(super) struct Authority {
    zone: Zone,
    wording: Wording,
}

/// What to do about a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Answer this.
    Answer(Vec<u8>),
    /// Ask others: it is a question for a name outside the zone.
    Forward,
    /// Say nothing.
    Silence,
}

/// How long a message over TCP may be.
pub(super) const ROOM_TCP: usize = 65_535;
/// How long an answer over UDP may be at most, whatever the client says: longer ones come in fragments, which get lost
/// and can be forged.
pub(super) const ROOM_UDP: usize = 1_232;
/// How long an answer over UDP may be where the client says nothing.
const ROOM_PLAIN: usize = 512;

impl Authority {
    pub(super) fn new(zone: &Zone, ttl: Duration) -> Self {
        Self { zone: zone.clone(), wording: Wording::new(zone, ttl) }
    }

    /// What to do about `message`, whose answer may have `room` bytes as far as the transport is concerned. Without a
    /// table nothing is known yet.
    pub(super) fn reply(&self, message: &[u8], table: Option<&NameTable>, room: usize, forwards: bool) -> Reply {
        let question = match question::read(message) {
            Ok(question) => question,
            Err(NoQuestion::NotAsked) => return Reply::Silence,
            Err(problem) => return answer::refuse_unread(message, problem).map_or(Reply::Silence, Reply::Answer),
        };
        let text = Text::of(question.name);
        let content = match self.content(&question, text.as_str(), table) {
            Some(content) => content,
            None if forwards && question.recursion => return Reply::Forward,
            None => Content::Failure(OptRcode::REFUSED),
        };
        let answer = self.wording.answer(&question, &content, room_for(&question, room), forwards);
        answer.map_or(Reply::Silence, Reply::Answer)
    }

    /// What the answer says; `None` if others may know.
    fn content<'a>(&self, question: &Question<'_>, name: &'a str, table: Option<&'a NameTable>) -> Option<Content<'a>> {
        if question.edns.is_some_and(|edns| edns.version > 0) {
            return Some(Content::Failure(OptRcode::BADVERS));
        }
        // ANY, transfers, and what asks for no record at all.
        let is_for_records = !(128..256).contains(&question.rtype.to_int()) && question.rtype != Rtype::OPT;
        if question.class != Class::IN || !is_for_records {
            return Some(Content::Failure(OptRcode::REFUSED));
        }
        let unknown = Some(Content::Failure(OptRcode::SERVFAIL));
        if let Some(name) = self.zone.strip(name) {
            let Some(table) = table else { return unknown };
            return Some(of_zone(question.rtype, name, table));
        }
        let address = question::address_of(name)?;
        let Some(table) = table else { return unknown };
        let is_known = table.names_of(address).is_some();
        is_known.then_some(if question.rtype == Rtype::PTR { Content::Names(table, address) } else { Content::Empty })
    }
}

/// How long the answer may be.
pub(super) fn room_for(question: &Question<'_>, room: usize) -> usize {
    if room > ROOM_UDP {
        room
    } else {
        question.edns.map_or(ROOM_PLAIN, |Edns { room: own, .. }| own.clamp(ROOM_PLAIN, room))
    }
}

fn of_zone<'a>(rtype: Rtype, name: &'a str, table: &'a NameTable) -> Content<'a> {
    let changes = table.changes();
    let is_address = |address: &IpAddr| match rtype {
        Rtype::A => address.is_ipv4(),
        Rtype::AAAA => address.is_ipv6(),
        _ => false,
    };
    let or_none = |addresses: &'a [IpAddr]| {
        if addresses.iter().any(is_address) { Content::Addresses(addresses) } else { Content::None { changes } }
    };
    match table.find(name) {
        Found::Nothing => Content::NoName { changes },
        Found::Version if rtype == Rtype::TXT => Content::Version,
        Found::Ancestor if name.is_empty() && rtype == Rtype::SOA => Content::Start { changes },
        Found::Host(addresses) => or_none(addresses),
        Found::Service { names, .. } if rtype != Rtype::SRV => or_none(&names.addresses),
        // Who names no port asks for all of them, as clients of older schemas do.
        Found::Service { service, names } if !names.ports.is_empty() => {
            Content::Ports { service, names, ports: &names.ports }
        }
        Found::Port { service, names, port } if rtype == Rtype::SRV => {
            Content::Ports { service, names, ports: std::slice::from_ref(port) }
        }
        Found::Pod(address) if is_address(&address) => Content::Address(address),
        Found::Version | Found::Ancestor | Found::Service { .. } | Found::Port { .. } | Found::Pod(_) => {
            Content::None { changes }
        }
    }
}

#[cfg(test)]
mod tests;
