//! [`Header`]: how a file begins.

use orch_core::revision::Revision;

use super::take;

/// Of the format. A change that older programs would misread gets a new one.
pub(in crate::embedded) const VERSION: u32 = 1;
/// How long a header is.
pub(in crate::embedded) const LEN: usize = 68;

const MAGIC: [u8; 8] = *b"orchlog\n";

/// What is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) enum FileKind {
    /// The changes since the segment began.
    Log,
    /// All that there was when the segment began.
    Checkpoint,
}

/// How a file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct Header {
    pub(in crate::embedded) kind: FileKind,
    /// Whether each frame was synced before the next was appended.
    pub(in crate::embedded) synced: bool,
    /// The same in all files of a store.
    pub(in crate::embedded) store: u128,
    pub(in crate::embedded) segment: u64,
    /// Of the last change before the file's first.
    pub(in crate::embedded) after: Revision,
    /// The log before this one, as it ended.
    pub(in crate::embedded) previous: End,
}

/// Where a file ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::embedded) struct End {
    pub(in crate::embedded) len: u64,
    pub(in crate::embedded) checksum: u32,
}

/// Why bytes are no header.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::embedded) enum NoHeader {
    Newer(u32),
    Damaged(&'static str),
}

impl Header {
    pub(in crate::embedded) fn encode(&self) -> [u8; LEN] {
        let kind = match self.kind {
            FileKind::Log => 1,
            FileKind::Checkpoint => 2,
        };
        let mut bytes = Vec::with_capacity(LEN);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((!VERSION).to_le_bytes());
        bytes.extend([kind, u8::from(self.synced), 0, 0]);
        bytes.extend(self.store.to_le_bytes());
        bytes.extend(self.segment.to_le_bytes());
        bytes.extend(self.after.0.to_le_bytes());
        bytes.extend(self.previous.len.to_le_bytes());
        bytes.extend(self.previous.checksum.to_le_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes.try_into().expect("the parts have the length of the whole")
    }

    pub(in crate::embedded) fn decode(bytes: &[u8]) -> Result<Self, NoHeader> {
        let mut rest = bytes;
        if take(&mut rest) != Some(MAGIC) {
            return Err(NoHeader::Damaged("it does not begin as a file of a store does"));
        }
        let number = |rest: &mut &[u8]| take(rest).map(u32::from_le_bytes);
        match (number(&mut rest), number(&mut rest)) {
            (Some(VERSION), Some(complement)) if complement == !VERSION => {}
            (Some(newer), Some(complement)) if complement == !newer && newer > VERSION => {
                return Err(NoHeader::Newer(newer));
            }
            _ => return Err(NoHeader::Damaged("its version is no number")),
        }
        Self::decode_rest(bytes, &mut rest).ok_or(NoHeader::Damaged("its header does not match its checksum"))
    }

    fn decode_rest(bytes: &[u8], rest: &mut &[u8]) -> Option<Self> {
        let (covered, checksum) = bytes.get(..LEN)?.split_last_chunk()?;
        if crc32fast::hash(covered) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let [kind, synced, 0, 0] = take(rest)? else { return None };
        let kind = match kind {
            1 => FileKind::Log,
            2 => FileKind::Checkpoint,
            _ => return None,
        };
        let synced = match synced {
            0 => false,
            1 => true,
            _ => return None,
        };
        let store = u128::from_le_bytes(take(rest)?);
        let segment = u64::from_le_bytes(take(rest)?);
        let after = Revision(u64::from_le_bytes(take(rest)?));
        let (len, checksum) = (u64::from_le_bytes(take(rest)?), u32::from_le_bytes(take(rest)?));
        Some(Self { kind, synced, store, segment, after, previous: End { len, checksum } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let previous = End { len: 4, checksum: 5 };
        Header { kind: FileKind::Log, synced: true, store: 1, segment: 2, after: Revision(3), previous }
    }

    #[test]
    fn a_header_is_read_as_it_was_written() {
        assert_eq!(Header::decode(&header().encode()), Ok(header()));
    }

    #[test]
    fn a_header_with_any_bit_flipped_or_cut_off_is_damaged() {
        let bytes = header().encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(Header::decode(&flipped), Err(NoHeader::Damaged(_))), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(matches!(Header::decode(&bytes[..len]), Err(NoHeader::Damaged(_))), "{len} bytes");
        }
    }

    #[test]
    fn a_newer_version_is_told_from_damage_whatever_else_its_header_has() {
        let mut bytes = header().encode();
        bytes[8..12].copy_from_slice(&7_u32.to_le_bytes());
        bytes[12..16].copy_from_slice(&(!7_u32).to_le_bytes());
        assert_eq!(Header::decode(&bytes), Err(NoHeader::Newer(7)));
        assert_eq!(Header::decode(&bytes[..16]), Err(NoHeader::Newer(7)));
    }
}
