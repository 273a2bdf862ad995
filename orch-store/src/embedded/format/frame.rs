//! Frames: [`Chain`] writes them, [`FrameReader`] reads them, and [`judge`] says whether what is no frame is the end that
//! a crash left, or damage.

use std::io;
use std::ops::Range;

use super::header::{self, End};
use super::take;
use crate::embedded::disk::DiskFile;

/// How much of a frame stands before its records.
pub(in crate::embedded) const HEAD: usize = 16;
/// And after them.
const FOOT: usize = 8;

/// Each byte of the marks has several bits set, so that no flip of one makes the first or last bytes of a frame look like a
/// sector that was never written.
const BEGIN: [u8; 4] = [0xA5, 0x5A, 0xC3, 0x3C];
const FINISH: [u8; 4] = [0x3C, 0xC3, 0x5A, 0xA5];

/// What a disk writes wholly or not at all.
const SECTOR: u64 = 512;

/// Where the next frame of a file goes, and what its checksums continue.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) struct Chain {
    /// The checksum of the file's header.
    file: u32,
    end: End,
}

impl Chain {
    /// Of a file that has a header and no frame yet.
    pub(in crate::embedded) fn new(header: &[u8; header::LEN]) -> Self {
        // That of all before its checksum: of any bytes with their checksum it would be the same number.
        let file = crc32fast::hash(&header[..header::LEN - 4]);
        Self { file, end: End { len: header::LEN as u64, checksum: file } }
    }

    /// Where the file ends.
    pub(in crate::embedded) fn end(&self) -> End {
        self.end
    }

    /// Makes a frame of records that stand behind [`HEAD`] bytes which are still free.
    pub(in crate::embedded) fn seal(&mut self, frame: &mut Vec<u8>) {
        let records = (frame.len() - HEAD) as u64;
        frame[..4].copy_from_slice(&BEGIN);
        frame[4..12].copy_from_slice(&records.to_le_bytes());
        let checksum = self.head(self.end.len, &frame[..12]);
        frame[12..HEAD].copy_from_slice(&checksum.to_le_bytes());
        self.end.checksum = self.body(frame);
        frame.extend(self.end.checksum.to_le_bytes());
        frame.extend(FINISH);
        self.end.len += frame.len() as u64;
    }

    fn head(&self, offset: u64, bytes: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.file);
        hasher.update(&offset.to_le_bytes());
        hasher.update(bytes);
        hasher.finalize()
    }

    fn body(&self, bytes: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.end.checksum);
        hasher.update(bytes);
        hasher.finalize()
    }

    /// How long the records of the frame are that begins so at `offset`, if one does.
    fn records_at(&self, offset: u64, head: &[u8]) -> Option<u64> {
        let head = head.get(..HEAD)?;
        let mut rest = &head[4..];
        let records = u64::from_le_bytes(take(&mut rest)?);
        let checksum = u32::from_le_bytes(take(&mut rest)?);
        (head.starts_with(&BEGIN) && self.head(offset, &head[..12]) == checksum).then_some(records)
    }
}

/// Why there is no next frame.
#[derive(Debug)]
pub(in crate::embedded) enum Fault {
    Io(io::Error),
    /// The last frame was being written when the machine or the program stopped.
    Torn,
    Damaged(&'static str),
}

/// Reads the frames of a file one by one.
#[derive(Debug)]
pub(in crate::embedded) struct FrameReader<'a> {
    file: &'a dyn DiskFile,
    /// Whether each frame was synced before the next was appended.
    synced: bool,
    len: u64,
    chain: Chain,
    window: Window,
}

impl<'a> FrameReader<'a> {
    /// Reads what follows the header.
    pub(in crate::embedded) fn new(file: &'a dyn DiskFile, synced: bool, chain: Chain) -> io::Result<Self> {
        Ok(Self { file, synced, len: file.len()?, chain, window: Window::default() })
    }

    /// After the last frame that was read.
    pub(in crate::embedded) fn chain(&self) -> Chain {
        self.chain
    }

    /// The records of the next frame; `None` where the file ends.
    pub(in crate::embedded) fn next(&mut self) -> Result<Option<&[u8]>, Fault> {
        let offset = self.chain.end.len;
        if offset == self.len {
            return Ok(None);
        }
        let head = self.window.get(self.file, offset, HEAD).map_err(Fault::Io)?;
        let frame_len = self.chain.records_at(offset, head).and_then(|records| records.checked_add(FRAME_OVERHEAD));
        let Some(frame_len) = frame_len.filter(|frame_len| *frame_len <= self.len - offset) else {
            return Err(self.fault());
        };
        let frame_len = usize::try_from(frame_len).map_err(|_| Fault::Damaged("a frame is larger than memory"))?;
        let frame = self.window.get(self.file, offset, frame_len).map_err(Fault::Io)?;
        let whole = frame.len() == frame_len && foot(frame) == (self.chain.body(&frame[..frame_len - FOOT]), FINISH);
        if !whole {
            return Err(self.fault());
        }
        let (checksum, _) = foot(frame);
        self.chain.end = End { len: offset + frame_len as u64, checksum };
        // The same once more, for the borrow checker: it stands in the window already.
        let frame = self.window.get(self.file, offset, frame_len).map_err(Fault::Io)?;
        Ok(Some(&frame[HEAD..frame_len - FOOT]))
    }

    /// What is wrong with what stands here.
    fn fault(&self) -> Fault {
        let offset = self.chain.end.len;
        let Ok(len) = usize::try_from(self.len - offset) else { return Fault::Damaged("it is larger than memory") };
        let mut window = Window::default();
        match window.get(self.file, offset, len) {
            Ok(tail) => judge(tail, &self.chain, self.synced),
            Err(error) => Fault::Io(error),
        }
    }
}

const FRAME_OVERHEAD: u64 = (HEAD + FOOT) as u64;

fn foot(frame: &[u8]) -> (u32, [u8; 4]) {
    let mut foot = frame.get(frame.len().saturating_sub(FOOT)..).unwrap_or_default();
    let checksum = take(&mut foot).map_or(0, u32::from_le_bytes);
    (checksum, take(&mut foot).unwrap_or_default())
}

/// What to make of the end of a file, `tail`, where a frame should begin and there is no whole one.
///
/// A crash in the middle of an append leaves a file that ends early, or whole sectors of what was appended unwritten,
/// that is zero: as etcd's log judges its last entry. Anything else was not left by a crash. Since only the last frame
/// is not synced yet, neither was anything with more behind it.
///
/// What cannot be told apart: a whole sector of the very last frame that the disk lost after it was synced.
fn judge(tail: &[u8], chain: &Chain, synced: bool) -> Fault {
    let offset = chain.end.len;
    let len = tail.len();
    if let Some(records) = chain.records_at(offset, tail) {
        let frame_len = records.saturating_add(FRAME_OVERHEAD);
        return if (len as u64) < frame_len {
            Fault::Torn
        } else if synced && len as u64 > frame_len {
            Fault::Damaged("a frame does not match its checksum, and others follow")
        } else if has_unwritten_sector(tail, offset, 0..usize::try_from(frame_len).unwrap_or(len)) {
            Fault::Torn
        } else {
            Fault::Damaged("the last frame does not match its checksum")
        };
    }
    let begins_well = tail.iter().zip(BEGIN).all(|(found, expected)| *found == expected);
    if len < HEAD && begins_well {
        return Fault::Torn;
    }
    if !has_unwritten_sector(tail, offset, 0..HEAD.min(len)) {
        return Fault::Damaged("what stands here is no frame");
    }
    let later = |start: usize| chain.records_at(offset + start as u64, &tail[start..]).is_some();
    if synced && (1..len).any(later) {
        return Fault::Damaged("a frame is missing, and others follow");
    }
    Fault::Torn
}

/// Whether all there is in `tail`, which stands at `offset` of a file, of a sector with some of `part` is zero.
fn has_unwritten_sector(tail: &[u8], offset: u64, part: Range<usize>) -> bool {
    let mut start = 0;
    while start < part.end {
        let in_sector = (SECTOR - (offset + start as u64) % SECTOR) as usize;
        let end = (start + in_sector).min(tail.len());
        if end > part.start && tail[start..end].iter().all(|byte| *byte == 0) {
            return true;
        }
        start += in_sector;
    }
    false
}

/// A part of a file that was read, to make many small reads one.
#[derive(Debug, Default)]
struct Window {
    bytes: Vec<u8>,
    start: u64,
}

impl Window {
    const LEN: usize = 1 << 18;

    /// So many bytes of the file, or fewer where it ends.
    fn get(&mut self, file: &dyn DiskFile, offset: u64, len: usize) -> io::Result<&[u8]> {
        let within = offset.checked_sub(self.start).and_then(|start| usize::try_from(start).ok());
        let start = match within.filter(|start| start.checked_add(len).is_some_and(|end| end <= self.bytes.len())) {
            Some(start) => start,
            None => {
                self.fill(file, offset, len.max(Self::LEN))?;
                0
            }
        };
        let end = (start + len).min(self.bytes.len());
        Ok(&self.bytes[start..end])
    }

    fn fill(&mut self, file: &dyn DiskFile, offset: u64, len: usize) -> io::Result<()> {
        let there = usize::try_from(file.len()?.saturating_sub(offset)).unwrap_or(usize::MAX);
        self.bytes.clear();
        self.bytes.resize(len.min(there), 0);
        self.start = offset;
        let mut filled = 0;
        while filled < self.bytes.len() {
            match file.read_at(&mut self.bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.bytes.clear();
                    return Err(error);
                }
            }
        }
        self.bytes.truncate(filled);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of these records behind a chain.
    fn frame(chain: &mut Chain, records: &[u8]) -> Vec<u8> {
        let mut frame = [&[0; HEAD], records].concat();
        chain.seal(&mut frame);
        frame
    }

    fn chain() -> Chain {
        Chain::new(&[7; header::LEN])
    }

    #[derive(Debug)]
    struct Bytes(Vec<u8>);

    impl DiskFile for Bytes {
        fn len(&self) -> io::Result<u64> {
            Ok(self.0.len() as u64)
        }

        fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
            // As short as a read may be.
            let rest = &self.0[offset as usize..];
            let count = rest.len().min(into.len()).min(100);
            into[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        }

        fn append(&mut self, _: &[u8]) -> io::Result<()> {
            Err(io::ErrorKind::ReadOnlyFilesystem.into())
        }

        fn truncate(&mut self, _: u64) -> io::Result<()> {
            Err(io::ErrorKind::ReadOnlyFilesystem.into())
        }

        fn sync(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn read(frames: &[&[u8]]) -> (Vec<Vec<u8>>, Option<Fault>) {
        let file = Bytes([&[7; header::LEN], &*frames.concat()].concat());
        let mut reader = FrameReader::new(&file, true, chain()).expect("it is in memory");
        let mut read = Vec::new();
        loop {
            match reader.next() {
                Ok(Some(records)) => read.push(records.to_vec()),
                Ok(None) => return (read, None),
                Err(fault) => return (read, Some(fault)),
            }
        }
    }

    #[test]
    fn frames_are_read_as_they_were_written() {
        let mut chain = chain();
        let long = vec![1; Window::LEN + 10];
        let frames = [frame(&mut chain, b"one"), frame(&mut chain, &long), frame(&mut chain, b"three")];
        let (records, fault) = read(&frames.each_ref().map(Vec::as_slice));
        assert_eq!(records, [b"one".to_vec(), long, b"three".to_vec()]);
        assert!(fault.is_none(), "{fault:?}");
    }

    #[test]
    fn an_earlier_frame_in_the_place_of_a_later_one_is_found_by_what_follows() {
        let (mut first, mut second) = (chain(), chain());
        let (old, new) = (frame(&mut first, b"old"), frame(&mut second, b"new"));
        let next = frame(&mut second, b"next");
        let (_, fault) = read(&[&old, &next]);
        assert!(matches!(fault, Some(Fault::Damaged(_))), "{fault:?}");
        assert!(read(&[&new, &next]).1.is_none());
    }

    #[test]
    fn a_zero_sector_is_torn_at_the_end_and_damage_anywhere_else() {
        let mut chain = chain();
        let (one, two) = (frame(&mut chain, &[1; 2_000]), frame(&mut chain, &[2; 2_000]));
        let zeroed = |frame: &[u8], offset: usize| {
            let mut zeroed = frame.to_vec();
            let start = (header::LEN + offset).next_multiple_of(512) - header::LEN - offset;
            zeroed[start..start + 512].fill(0);
            zeroed
        };
        let (records, fault) = read(&[&one, &zeroed(&two, one.len())]);
        assert!(records.len() == 1 && matches!(fault, Some(Fault::Torn)), "{fault:?}");
        let (records, fault) = read(&[&zeroed(&one, 0), &two]);
        assert!(records.is_empty() && matches!(fault, Some(Fault::Damaged(_))), "{fault:?}");
    }
}
