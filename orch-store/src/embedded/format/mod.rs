//! What stands in the files: a header, then frames, which hold records.
//!
//! All numbers are little-endian. A checksum is a CRC-32 (IEEE 802.3), which finds every change of up to 32 bits in a row.
//!
//! **Header**, 68 bytes: `orchlog\n`; the version (4 bytes), and its complement; the kind of the file; whether its
//! writer synced each frame; 2 zeros; the store's identity (16); the segment (8); the revision that the store had
//! when the file was begun (8); of a log that follows another one, that one's length (8) and last checksum (4); the
//! checksum of these 64 bytes.
//!
//! **Frame**: what one write appended. A mark (4 bytes); the length of its records (8); a checksum of these and of the
//! frame's place: the file's header and the offset; the records; a checksum of all before in the frame, continuing that
//! of the frame before it; another mark (4). So a frame that is lost, repeated, moved or from another file is seen, and
//! whether a frame is cut off can be told from a length that is wrong.
//!
//! **Record**: see [`record`].

pub(super) mod frame;
pub(super) mod header;
pub(super) mod record;

/// Takes the first `N` bytes off a slice.
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*first)
}
