//! Records in a stream: the length in decimal digits, a line feed, and the bytes.

use bytes::{Buf as _, Bytes, BytesMut};

use super::error::WireError;

/// The digits of the longest length that is read.
const DIGITS: usize = 20;

/// A record.
#[must_use]
pub fn record(body: &[u8]) -> Bytes {
    let mut record = BytesMut::with_capacity(body.len() + DIGITS);
    record.extend_from_slice(body.len().to_string().as_bytes());
    record.extend_from_slice(b"\n");
    record.extend_from_slice(body);
    record.freeze()
}

/// Finds the records in a stream, however it is cut.
#[derive(Debug)]
pub struct RecordReader {
    pending: BytesMut,
    longest: usize,
}

impl RecordReader {
    /// A reader of records of so many bytes at most.
    #[must_use]
    pub fn new(longest: usize) -> Self {
        Self { pending: BytesMut::new(), longest }
    }

    /// More of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next record, if all of it is there.
    ///
    /// # Errors
    /// [`WireError::NoRecord`] if what comes next is none; the stream is of no use then.
    pub fn next_record(&mut self) -> Result<Option<Bytes>, WireError> {
        let head = &self.pending[..self.pending.len().min(DIGITS + 1)];
        let Some(end) = head.iter().position(|byte| *byte == b'\n') else {
            return match head.len() > DIGITS || head.iter().any(|byte| !byte.is_ascii_digit()) {
                true => Err(WireError::NoRecord("a record begins with its length in decimal digits".to_owned())),
                false => Ok(None),
            };
        };
        let length = std::str::from_utf8(&head[..end])
            .ok()
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse::<usize>().ok())
            .ok_or_else(|| WireError::NoRecord("a record begins with its length in decimal digits".to_owned()))?;
        if length > self.longest {
            return Err(WireError::NoRecord(format!(
                "a record of {length} bytes is longer than the {} that are read",
                self.longest
            )));
        }
        if self.pending.len() - end - 1 < length {
            return Ok(None);
        }
        self.pending.advance(end + 1);
        Ok(Some(self.pending.split_to(length).freeze()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn records_are_found_however_the_stream_is_cut(
            bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8),
            cut in 1_usize..9,
        ) {
            let stream: Vec<u8> = bodies.iter().flat_map(|body| record(body).to_vec()).collect();
            let mut reader = RecordReader::new(64);
            let mut found = Vec::new();
            for piece in stream.chunks(cut) {
                reader.push(piece);
                while let Some(body) = reader.next_record().unwrap() {
                    found.push(body.to_vec());
                }
            }
            prop_assert_eq!(found, bodies);
        }
    }

    #[test]
    fn what_is_no_length_or_too_long_is_refused_at_once() {
        for wrong in [&b"x"[..], b"-1\n", b"\n", b"123456789012345678901234", b"99\n"] {
            let mut reader = RecordReader::new(64);
            reader.push(wrong);
            assert!(reader.next_record().is_err(), "{wrong:?}");
        }
    }
}
