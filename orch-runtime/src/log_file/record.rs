//! [`Record`]: one line of a log file.

use std::io::BufRead as _;

use orch_core::clock::Timestamp;

/// The most of a line that is in one record. It bounds the memory of readers.
pub(super) const LONGEST_CONTENT: usize = 16 << 10;

/// Where output came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Standard output, or both where they are one.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A line of a log file, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// As [`stamp`] writes it.
    pub(super) time: &'a [u8],
    pub(super) origin: Origin,
    /// Whether the line ends here.
    pub(super) full: bool,
    pub(super) content: &'a [u8],
}

impl<'a> Record<'a> {
    /// Takes a line apart, without its line feed; `None` for what is no record.
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let (time, rest) = line.split_at_checked(STAMP)?;
        let (origin, rest) = if let Some(rest) = rest.strip_prefix(b" stdout ") {
            (Origin::Stdout, rest)
        } else {
            (Origin::Stderr, rest.strip_prefix(b" stderr ")?)
        };
        let (full, content) = match rest {
            [b'F', b' ', content @ ..] => (true, content),
            [b'P', b' ', content @ ..] => (false, content),
            _ => return None,
        };
        time.ends_with(b"Z").then_some(Self { time, origin, full, content })
    }
}

/// The length of a [`stamp`].
const STAMP: usize = "2026-03-01T12:00:00.123456789Z".len();

/// A time as records have it. All are of one length, so that they are ordered as their text is.
pub(super) fn stamp(time: Timestamp) -> String {
    format!("{:.9}", time.max(Timestamp::UNIX_EPOCH))
}

/// Appends the records of what was written at one time. What is left of a line at the end is a part: the program may have
/// a prompt there, and wait for an answer.
pub(super) fn append(records: &mut Vec<u8>, stamp: &str, origin: Origin, mut bytes: &[u8]) {
    let origin = match origin {
        Origin::Stdout => " stdout ",
        Origin::Stderr => " stderr ",
    };
    let mut record = |tag: &str, content: &[u8]| {
        for part in [stamp.as_bytes(), origin.as_bytes(), tag.as_bytes(), content, b"\n"] {
            records.extend_from_slice(part);
        }
    };
    while !bytes.is_empty() {
        let (line, rest) = bytes.split_at(line_length(bytes));
        let (mut content, tag) = line.strip_suffix(b"\n").map_or((line, "P "), |content| (content, "F "));
        while let Some((part, more)) = content.split_at_checked(LONGEST_CONTENT).filter(|(_, more)| !more.is_empty()) {
            record("P ", part);
            content = more;
        }
        record(tag, content);
        bytes = rest;
    }
}

/// The length of the first line, with its line feed if it has one.
pub(super) fn line_length(mut bytes: &[u8]) -> usize {
    // It searches as fast as the machine can, and reading from memory does not fail.
    bytes.skip_until(b'\n').unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_is_parsed_again() {
        let time = stamp("2026-03-01T12:00:00.5Z".parse().expect("a time"));
        let long = vec![b'x'; LONGEST_CONTENT + 1];
        let mut records = Vec::new();
        append(&mut records, &time, Origin::Stderr, b"one\n\n\0\xff");
        append(&mut records, &time, Origin::Stdout, &long);
        append(&mut records, &time, Origin::Stdout, &long[..LONGEST_CONTENT]);
        let lines: Vec<_> = records.strip_suffix(b"\n").expect("a line").split(|byte| *byte == b'\n').collect();
        let parsed: Vec<_> = lines.iter().map(|line| Record::parse(line).expect("a record")).collect();
        let shape: Vec<_> = parsed.iter().map(|record| (record.origin, record.full, record.content.len())).collect();
        let (out, err) = (Origin::Stdout, Origin::Stderr);
        let expected = [(err, true, 3), (err, true, 0), (err, false, 2), (out, false, 16384), (out, false, 1)];
        assert_eq!(shape[..5], expected);
        assert_eq!(shape[5..], [(out, false, 16384)]);
        assert!(parsed.iter().all(|record| record.time == b"2026-03-01T12:00:00.500000000Z"));
    }

    #[test]
    fn what_is_no_record_is_none() {
        for line in ["", "2026-03-01T12:00:00.500000000Z", "2026-03-01T12:00:00.500000000Z stdout X a", "\0\0\0\0"] {
            assert_eq!(Record::parse(line.as_bytes()), None, "{line:?}");
        }
    }
}
