//! [`Writer`] and [`attributes`]: netlink's own encoding, of messages and of attributes in attributes.

/// A message begins on such a boundary, and an attribute.
const ALIGNMENT: usize = 4;

/// Length, type, flags, sequence number and sender of a message.
const MESSAGE_HEADER: usize = 16;

/// Length and type of an attribute.
const ATTRIBUTE_HEADER: usize = 4;

/// Family, version and a number that netfilter puts before the attributes.
const NETFILTER_HEADER: usize = 4;

/// Marks an attribute that is made of attributes.
const NESTED: u16 = 0x8000;

/// Marks and byte order, which are no part of an attribute's type.
const TYPE_MASK: u16 = 0x3FFF;

/// Writes messages, one after another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Writer(Vec<u8>);

/// What stands before the attributes of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    /// The family of addresses.
    pub(crate) family: u8,
    /// What netfilter calls a resource.
    pub(crate) resource: u16,
}

impl Writer {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Writes a message with the attributes that `fill` writes.
    pub(crate) fn message(&mut self, header: Header, fill: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.0.extend_from_slice(&[0; 4]);
        self.0.extend_from_slice(&header.kind.to_ne_bytes());
        self.0.extend_from_slice(&header.flags.to_ne_bytes());
        self.0.extend_from_slice(&header.sequence.to_ne_bytes());
        self.0.extend_from_slice(&[0; 4]);
        self.0.extend_from_slice(&[header.family, 0]);
        self.0.extend_from_slice(&header.resource.to_be_bytes());
        fill(self);
        let length = u32::try_from(self.0.len() - start).unwrap_or(u32::MAX);
        self.0[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    /// Writes an attribute made of those that `fill` writes, which fit into 64 KiB.
    pub(crate) fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.0.extend_from_slice(&[0; 2]);
        self.0.extend_from_slice(&(kind | NESTED).to_ne_bytes());
        fill(self);
        self.set_length(start);
    }

    pub(crate) fn bytes(&mut self, kind: u16, value: &[u8]) {
        self.filled(kind, |bytes| bytes.extend_from_slice(value));
    }

    /// Writes an attribute with the value that `fill` appends.
    pub(crate) fn filled(&mut self, kind: u16, fill: impl FnOnce(&mut Vec<u8>)) {
        let start = self.0.len();
        self.0.extend_from_slice(&[0; 2]);
        self.0.extend_from_slice(&kind.to_ne_bytes());
        fill(&mut self.0);
        self.set_length(start);
        self.0.resize(self.0.len().next_multiple_of(ALIGNMENT), 0);
    }

    fn set_length(&mut self, start: usize) {
        let length = u16::try_from(self.0.len() - start).unwrap_or(u16::MAX);
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }
}

/// A message that was received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    /// What follows the header.
    pub(crate) body: &'a [u8],
}

impl<'a> Message<'a> {
    /// The attributes of a message of netfilter, as [`attributes`] and [`find`] read them.
    pub(crate) fn attributes(&self) -> &'a [u8] {
        self.body.get(NETFILTER_HEADER..).unwrap_or_default()
    }
}

/// The messages that were received together. What is cut off is left out.
pub(crate) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(u32::from_ne_bytes(*bytes.first_chunk()?)).ok()?;
        let message = bytes.get(..length)?;
        let (header, body) = message.split_at_checked(MESSAGE_HEADER)?;
        bytes = bytes.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
        Some(Message {
            kind: u16::from_ne_bytes(*header[4..].first_chunk()?),
            flags: u16::from_ne_bytes(*header[6..].first_chunk()?),
            sequence: u32::from_ne_bytes(*header[8..].first_chunk()?),
            body,
        })
    })
}

/// The attributes in `bytes`, by type. What is cut off is left out.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*bytes.first_chunk()?));
        let attribute = bytes.get(..length)?;
        let (header, value) = attribute.split_at_checked(ATTRIBUTE_HEADER)?;
        bytes = bytes.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
        Some((u16::from_ne_bytes(*header[2..].first_chunk()?) & TYPE_MASK, value))
    })
}

/// The attribute of a type, and in it the next, and so on.
pub(crate) fn find<'a>(bytes: &'a [u8], path: &[u16]) -> Option<&'a [u8]> {
    path.iter()
        .try_fold(bytes, |bytes, kind| attributes(bytes).find(|(found, _)| found == kind).map(|(_, value)| value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::default();
        let header = Header { kind: 0xA0C, flags: 5, sequence: 7, family: 2, resource: 10 };
        writer.message(header, |writer| {
            writer.bytes(1, b"orch\0");
            writer.nested(3, |writer| {
                writer.bytes(1, &[1, 2, 3, 4]);
                writer.bytes(2, &[9]);
            });
        });
        let received: Vec<_> = messages(writer.as_bytes()).collect();
        assert_eq!(received.len(), 1);
        assert_eq!((received[0].kind, received[0].flags, received[0].sequence), (0xA0C, 5, 7));
        assert_eq!(received[0].body[..4], [2, 0, 0, 10]);
        let attributes: Vec<_> = attributes(received[0].attributes()).collect();
        assert_eq!(attributes[0], (1, &b"orch\0"[..]));
        assert_eq!(find(attributes[1].1, &[1]), Some(&[1, 2, 3, 4][..]));
        assert_eq!(find(attributes[1].1, &[2]), Some(&[9][..]));
        assert_eq!(writer.as_bytes().len() % ALIGNMENT, 0);
    }

    proptest! {
        #[test]
        fn nothing_that_is_received_makes_a_reader_panic_or_loop(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for message in messages(&bytes) {
                for (_, value) in attributes(message.attributes()) {
                    prop_assert!(attributes(value).count() <= value.len());
                }
            }
        }
    }
}
