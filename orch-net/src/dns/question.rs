//! [`Question`]: what a message asks. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use domain::base::iana::{Class, Opcode, Rtype};
use domain::base::{Message, Name};

/// What a message asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) id: u16,
    /// Whether the client wants the server to ask others.
    pub(super) recursion: bool,
    /// As the client spelled it.
    pub(super) name: &'a Name<[u8]>,
    pub(super) rtype: Rtype,
    pub(super) class: Class,
    pub(super) edns: Option<Edns>,
}

/// What a client says that knows of more than the first DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edns {
    pub(super) version: u8,
    /// How long an answer over UDP may be.
    pub(super) room: usize,
    /// Whether signatures are wanted.
    pub(super) signatures: bool,
}

/// Why a message is no question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoQuestion {
    /// It is none that could be answered: too short, or an answer itself.
    NotAsked,
    /// It asks for something else than an answer.
    OtherOperation,
    /// It cannot be read.
    Malformed,
}

/// The length of what comes before the question.
pub(super) const HEADER: usize = 12;

/// Reads a message. The name of a question cannot point elsewhere, as nothing comes before it.
pub(super) fn read(message: &[u8]) -> Result<Question<'_>, NoQuestion> {
    let parsed = Message::from_slice(message).map_err(|_| NoQuestion::NotAsked)?;
    let header = parsed.header();
    if header.qr() {
        return Err(NoQuestion::NotAsked);
    }
    if header.opcode() != Opcode::QUERY {
        return Err(NoQuestion::OtherOperation);
    }
    let end = name_end(message).filter(|_| parsed.header_counts().qdcount() == 1).ok_or(NoQuestion::Malformed)?;
    let name = message.get(HEADER..end).and_then(|name| Name::from_slice(name).ok()).ok_or(NoQuestion::Malformed)?;
    let (Some(rtype), Some(class)) = (number(message, end), number(message, end + 2)) else {
        return Err(NoQuestion::Malformed);
    };
    let edns = parsed.opt().map(|opt| Edns {
        version: opt.version(),
        room: opt.udp_payload_size().into(),
        signatures: opt.dnssec_ok(),
    });
    let (rtype, class) = (Rtype::from_int(rtype), Class::from_int(class));
    Ok(Question { id: header.id(), recursion: header.rd(), name, rtype, class, edns })
}

/// Where the name of the question ends.
pub(super) fn name_end(message: &[u8]) -> Option<usize> {
    let mut at = HEADER;
    loop {
        match usize::from(*message.get(at)?) {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + length,
            _ => return None,
        }
    }
}

fn number(message: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]))
}

/// A name as text: in lower case, without a dot at its end. What no name in the table can have stands as `?`.
pub(super) struct Text {
    bytes: [u8; 256],
    length: usize,
}

impl Text {
    pub(super) fn of(name: &Name<[u8]>) -> Self {
        let mut text = Self { bytes: [0; 256], length: 0 };
        for label in name.iter().filter(|label| !label.is_root()) {
            if text.length > 0 {
                text.push(b'.');
            }
            label.iter().for_each(|byte| text.push(plain(byte)));
        }
        text
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    pub(super) fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

fn plain(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' { byte.to_ascii_lowercase() } else { b'?' }
}

/// The address that a name under `in-addr.arpa` or `ip6.arpa` stands for.
pub(super) fn address_of(name: &str) -> Option<IpAddr> {
    if let Some(rest) = name.strip_suffix(".in-addr.arpa") {
        let mut octets = [0; 4];
        let mut labels = rest.split('.');
        for octet in octets.iter_mut().rev() {
            let label = labels.next()?;
            *octet = label.parse().ok().filter(|number: &u8| number.to_string() == label)?;
        }
        return labels.next().is_none().then(|| Ipv4Addr::from(octets).into());
    }
    let mut address = 0_u128;
    let mut labels = name.strip_suffix(".ip6.arpa")?.split('.');
    for place in 0..32 {
        let label = labels.next().filter(|label| label.len() == 1)?;
        address |= u128::from(u8::from_str_radix(label, 16).ok()?) << (4 * place);
    }
    labels.next().is_none().then(|| Ipv6Addr::from(address).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_from_its_name_and_from_no_other() {
        let v6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(address_of(v6), "2001:db8::1".parse().ok());
        assert_eq!(address_of("4.3.2.1.in-addr.arpa"), "1.2.3.4".parse().ok());
        let short = v6.strip_prefix("1.").expect("it begins so");
        for name in ["3.2.1.in-addr.arpa", "5.4.3.2.1.in-addr.arpa", "04.3.2.1.in-addr.arpa", "x.3.2.1.in-addr.arpa"] {
            assert_eq!(address_of(name), None, "{name}");
        }
        for name in [short, &format!("0.{v6}"), &v6.replace('b', "g"), "in-addr.arpa", "+.3.2.1.in-addr.arpa", ""] {
            assert_eq!(address_of(name), None, "{name}");
        }
    }

    #[test]
    fn a_label_that_holds_a_dot_is_not_taken_for_two() {
        let name = Name::from_slice(b"\x03a.B\x02\xff_\x05Local\0").expect("a name");
        assert_eq!(Text::of(name).as_str(), "a?b.?_.local");
    }
}
