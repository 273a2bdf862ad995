//! [`Frames`]: standard output and error in one stream, as Docker sends them.
//!
//! Each frame is a header of 8 bytes (which stream, three zeros, the length in big endian) and its content.

use bytes::{Buf as _, Bytes, BytesMut};

/// Which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Channel {
    Stdout,
    Stderr,
}

/// A part of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) channel: Channel,
    /// Whether a frame begins with it.
    pub(super) begins: bool,
    pub(super) bytes: Bytes,
}

/// Takes a stream apart, however it is cut. Nothing is kept but what came last: a frame need not be complete.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: BytesMut,
    /// Which stream the frame is of, and how much of it is to come.
    frame: Option<(Channel, usize)>,
    begins: bool,
}

impl Frames {
    /// The length of a header.
    pub(super) const HEADER: usize = 8;

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next part; `None` until more comes.
    pub(super) fn next(&mut self) -> Result<Option<Piece>, String> {
        loop {
            let Some((channel, left)) = self.frame else {
                if self.bytes.len() < Self::HEADER {
                    return Ok(None);
                }
                let channel = match self.bytes[..4] {
                    [0 | 1, 0, 0, 0] => Channel::Stdout,
                    // What the daemon itself has to say is an error as well.
                    [2 | 3, 0, 0, 0] => Channel::Stderr,
                    _ => return Err(format!("{:?} is not the begin of a frame", &self.bytes[..Self::HEADER])),
                };
                self.bytes.advance(4);
                let length = self.bytes.get_u32();
                self.frame = Some((channel, usize::try_from(length).unwrap_or(usize::MAX)));
                self.begins = true;
                continue;
            };
            if left > 0 && self.bytes.is_empty() {
                return Ok(None);
            }
            let bytes = self.bytes.split_to(left.min(self.bytes.len())).freeze();
            self.frame = (bytes.len() < left).then(|| (channel, left - bytes.len()));
            let begins = std::mem::take(&mut self.begins);
            if !bytes.is_empty() {
                return Ok(Some(Piece { channel, begins, bytes }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_told_apart_however_they_are_cut() {
        let stream = b"\x01\0\0\0\0\0\0\x03out\x02\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\x05error\x01\0\0\0\0\0\0\x01!";
        for size in 1..=stream.len() {
            let mut frames = Frames::default();
            let (mut out, mut err, mut begins) = (Vec::new(), Vec::new(), 0);
            for part in stream.chunks(size) {
                frames.push(part);
                while let Some(piece) = frames.next().expect("frames") {
                    begins += u32::from(piece.begins);
                    match piece.channel {
                        Channel::Stdout => out.extend(piece.bytes),
                        Channel::Stderr => err.extend(piece.bytes),
                    }
                }
            }
            assert_eq!((&out[..], &err[..], begins), (&b"out!"[..], &b"error"[..], 3), "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let mut frames = Frames::default();
        frames.push(b"plain text");
        assert!(frames.next().is_err());
    }
}
