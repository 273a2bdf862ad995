//! [`Wording`]: answers as bytes. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use domain::base::iana::{Class, OptRcode, Rcode, Rtype};
use domain::base::message_builder::{
    AdditionalBuilder, AnswerBuilder, PushError, RecordSectionBuilder, StaticCompressor,
};
use domain::base::{Message, MessageBuilder, Name, Serial, ToName, Ttl};
use domain::rdata::{A, Aaaa, Ptr, Soa, Srv, Txt};
use orch_core::dns::{NameTable, PortNames, SCHEMA_VERSION, ServiceNames, Zone};

use super::authority::ROOM_UDP;
use super::question::{NoQuestion, Question};

type Owned = Name<Vec<u8>>;
type Target = StaticCompressor<Vec<u8>>;

/// What an answer says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content<'a> {
    /// The question is not answered.
    Failure(OptRcode),
    /// There is no such name.
    NoName { changes: u64 },
    /// There is such a name, and nothing of the kind at it.
    None { changes: u64 },
    /// The same, of a name that is not in the zone.
    Empty,
    /// Those of these addresses that are of the kind.
    Addresses(&'a [IpAddr]),
    /// An address.
    Address(IpAddr),
    /// Where ports of a service are.
    Ports { service: &'a str, names: &'a ServiceNames, ports: &'a [PortNames] },
    /// What an address is called.
    Names(&'a NameTable, IpAddr),
    /// The version of the schema.
    Version,
    /// How the zone is kept.
    Start { changes: u64 },
}

/// Puts answers for a zone into bytes.
#[derive(Debug)]
pub(super) struct Wording {
    /// Names under `svc` are written before this.
    services: String,
    start: Option<Start>,
    ttl: Ttl,
}

/// The names in the record that says how the zone is kept.
#[derive(Debug)]
struct Start {
    zone: Owned,
    server: Owned,
    person: Owned,
}

/// The length of the record that belongs to EDNS.
const OPT: usize = 11;

impl Wording {
    pub(super) fn new(zone: &Zone, ttl: Duration) -> Self {
        let name = |text: String| text.parse::<Owned>().ok();
        let start = || {
            let (server, person) = (name(format!("ns.dns.{zone}"))?, name(format!("hostmaster.{zone}"))?);
            Some(Start { zone: name(zone.to_string())?, server, person })
        };
        let ttl = Ttl::from_secs(u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX).min(i32::MAX.unsigned_abs()));
        Self { services: format!("svc.{zone}"), start: start(), ttl }
    }

    /// The answer, in at most `room` bytes. What does not fit is left out, and the answer says so if it matters.
    /// Addresses begin at another one each time, as the client's number for the question has it.
    pub(super) fn answer(
        &self,
        question: &Question<'_>,
        content: &Content<'_>,
        room: usize,
        forwards: bool,
    ) -> Option<Vec<u8>> {
        let room_for_records = room.saturating_sub(if question.edns.is_some() { OPT } else { 0 });
        let mut answer = begin(question, content.code(), room_for_records)?;
        answer.header_mut().set_aa(!matches!(content, Content::Failure(_)));
        answer.header_mut().set_ra(forwards);
        let whole = self.records(&mut answer, question, content).is_ok();
        answer.header_mut().set_tc(!whole);
        let mut authority = answer.authority();
        if let (Content::NoName { changes } | Content::None { changes }, Some(start)) = (content, &self.start) {
            authority.push((&start.zone, Class::IN, self.ttl, self.soa(start, *changes))).ok()?;
        }
        let mut additional = authority.additional();
        if let (true, Content::Ports { service, names, ports }) = (whole, content) {
            // These only spare the client a question: what does not fit is no loss.
            let _ = self.addresses_of_targets(&mut additional, service, names, ports);
        }
        end(additional, question, content.code(), room)
    }

    fn records(
        &self,
        answer: &mut AnswerBuilder<Target>,
        question: &Question<'_>,
        content: &Content<'_>,
    ) -> Result<(), PushError> {
        let name = question.name;
        match content {
            Content::Failure(_) | Content::NoName { .. } | Content::None { .. } | Content::Empty => {}
            Content::Addresses(addresses) => {
                let is_wanted = |address: &&IpAddr| address.is_ipv4() == (question.rtype == Rtype::A);
                let (end, start) = addresses.split_at(usize::from(question.id) % addresses.len().max(1));
                for address in start.iter().chain(end).filter(is_wanted) {
                    self.push_address(answer, name, *address)?;
                }
            }
            Content::Address(address) => self.push_address(answer, name, *address)?,
            Content::Ports { service, ports, .. } => {
                for target in ports.iter().flat_map(|port| &port.targets) {
                    let Some(host) = self.name_of(target.host.as_deref(), service) else { continue };
                    answer.push((name, Class::IN, self.ttl, Srv::new(0, 100, target.port, host)))?;
                }
            }
            Content::Names(table, address) => {
                for host in table.names_of(*address).into_iter().flatten() {
                    let Some(host) = self.name_of(None, host) else { continue };
                    answer.push((name, Class::IN, self.ttl, Ptr::new(host)))?;
                }
            }
            Content::Version => {
                if let Ok(version) = Txt::<Vec<u8>>::build_from_slice(SCHEMA_VERSION.as_bytes()) {
                    answer.push((name, Class::IN, self.ttl, version))?;
                }
            }
            Content::Start { changes } => {
                if let Some(start) = &self.start {
                    answer.push((name, Class::IN, self.ttl, self.soa(start, *changes)))?;
                }
            }
        }
        Ok(())
    }

    /// The addresses of what the ports lead to, each host once.
    fn addresses_of_targets(
        &self,
        additional: &mut AdditionalBuilder<Target>,
        service: &str,
        names: &ServiceNames,
        ports: &[PortNames],
    ) -> Result<(), PushError> {
        let targets = ports.iter().flat_map(|port| &port.targets);
        let hosts: BTreeSet<Option<&str>> = targets.map(|target| target.host.as_deref()).collect();
        for host in hosts {
            let Some(name) = self.name_of(host, service) else { continue };
            for address in names.addresses_of(host) {
                self.push_address(additional, &name, *address)?;
            }
        }
        Ok(())
    }

    fn push_address(
        &self,
        section: &mut impl RecordSectionBuilder<Target>,
        name: impl ToName,
        address: IpAddr,
    ) -> Result<(), PushError> {
        match address {
            IpAddr::V4(address) => section.push((name, Class::IN, self.ttl, A::from(address))),
            IpAddr::V6(address) => section.push((name, Class::IN, self.ttl, Aaaa::from(address))),
        }
    }

    /// The whole name of a host of a service, or of the service.
    fn name_of(&self, host: Option<&str>, service: &str) -> Option<Owned> {
        let services = &self.services;
        let name = host.map_or_else(|| format!("{service}.{services}"), |host| format!("{host}.{service}.{services}"));
        name.parse().ok()
    }

    fn soa<'a>(&self, start: &'a Start, changes: u64) -> Soa<&'a Owned> {
        let seconds = Ttl::from_secs;
        let serial = Serial::from(u32::try_from(changes % (1 << 32)).unwrap_or_default());
        Soa::new(&start.server, &start.person, serial, seconds(7_200), seconds(1_800), seconds(86_400), self.ttl)
    }
}

impl Content<'_> {
    fn code(&self) -> OptRcode {
        match self {
            Self::Failure(code) => *code,
            Self::NoName { .. } => OptRcode::NXDOMAIN,
            _ => OptRcode::NOERROR,
        }
    }
}

/// An answer without records, in place of one that others could not give or that is too long: of that the whole is to
/// be had over TCP.
pub(super) fn without_records(question: &Question<'_>, code: OptRcode, too_long: bool, room: usize) -> Option<Vec<u8>> {
    let mut answer = begin(question, code, room)?;
    answer.header_mut().set_tc(too_long);
    answer.header_mut().set_ra(true);
    end(answer.additional(), question, code, room)
}

/// The answer to a message that is no question. Only its header is given back, for the rest is not understood.
pub(super) fn refuse_unread(message: &[u8], problem: NoQuestion) -> Option<Vec<u8>> {
    let asked = Message::from_slice(message).ok()?.header();
    let mut answer = MessageBuilder::from_target(Vec::new()).ok()?;
    let header = answer.header_mut();
    header.set_id(asked.id());
    header.set_qr(true);
    header.set_opcode(asked.opcode());
    header.set_rd(asked.rd());
    header.set_rcode(if problem == NoQuestion::OtherOperation { Rcode::NOTIMP } else { Rcode::FORMERR });
    Some(answer.finish())
}

/// An answer that repeats the question.
fn begin(question: &Question<'_>, code: OptRcode, room: usize) -> Option<AnswerBuilder<Target>> {
    let mut answer = MessageBuilder::from_target(StaticCompressor::new(Vec::with_capacity(512))).ok()?;
    answer.set_push_limit(room);
    let header = answer.header_mut();
    header.set_id(question.id);
    header.set_qr(true);
    header.set_rd(question.recursion);
    header.set_rcode(code.rcode());
    let mut answer = answer.question();
    answer.push((question.name, question.rtype, question.class)).ok()?;
    Some(answer.answer())
}

/// The answer with what belongs to EDNS, for a client that knows of it.
fn end(
    mut additional: AdditionalBuilder<Target>,
    question: &Question<'_>,
    code: OptRcode,
    room: usize,
) -> Option<Vec<u8>> {
    if let Some(edns) = question.edns {
        additional.as_builder_mut().set_push_limit(room);
        let opt = additional.opt(|opt| {
            opt.set_udp_payload_size(u16::try_from(ROOM_UDP).unwrap_or(u16::MAX));
            opt.set_rcode(code);
            opt.set_dnssec_ok(edns.signatures);
            Ok(())
        });
        opt.ok()?;
    }
    Some(additional.finish().into_target())
}
