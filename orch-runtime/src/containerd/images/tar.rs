//! [`Header`]: what is before each file of a tar archive.

/// The unit of tar archives.
pub(super) const BLOCK: usize = 512;

/// What is before each file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) path: String,
    pub(super) link: String,
    pub(super) kind: Kind,
    pub(super) size: u64,
}

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    /// Another name of a file: relative to the archive, or to the folder that it is in.
    Hardlink,
    Symlink,
    /// It says more about the next one: in the format of POSIX, or its path, or its link's, in GNU's.
    Pax,
    LongPath,
    LongLink,
    Other,
}

impl Header {
    /// Reads a block; `None` for one of zeros, which ends the archive.
    pub(super) fn parse(block: &[u8; BLOCK]) -> Result<Option<Self>, String> {
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let told = number(&block[148..156])?;
        let counted = block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { *byte });
        let counted: u64 = counted.map(u64::from).sum();
        if told != counted {
            return Err("it is no tar archive, or damaged: the checksum of a header is wrong".to_owned());
        }
        let is_posix = block[257..263] == *b"ustar\0";
        let prefix = if is_posix { text(&block[345..500]) } else { String::new() };
        let name = text(&block[..100]);
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        let kind = match block[156] {
            0 | b'0' | b'7' => Kind::File,
            b'1' => Kind::Hardlink,
            b'2' => Kind::Symlink,
            b'x' => Kind::Pax,
            b'L' => Kind::LongPath,
            b'K' => Kind::LongLink,
            _ => Kind::Other,
        };
        Ok(Some(Self { path, link: text(&block[157..257]), kind, size: number(&block[124..136])? }))
    }

    /// Takes over what was said about it before.
    pub(super) fn extended(&mut self, pax: &[u8]) -> Result<(), String> {
        for (name, value) in records(pax)? {
            match name {
                "path" => self.path = value.to_owned(),
                "linkpath" => self.link = value.to_owned(),
                "size" => self.size = value.parse().map_err(|_| "the size of a file is no number".to_owned())?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// The records of an extended header: each its own length, a space, a name, `=`, a value and a line feed.
fn records(mut pax: &[u8]) -> Result<Vec<(&str, &str)>, String> {
    let broken = || "an extended header cannot be read".to_owned();
    let mut records = Vec::new();
    while !pax.is_empty() {
        let space = pax.iter().position(|byte| *byte == b' ').ok_or_else(broken)?;
        let length = std::str::from_utf8(&pax[..space]).ok().and_then(|length| length.parse::<usize>().ok());
        let length = length.filter(|length| (space + 2..=pax.len()).contains(length)).ok_or_else(broken)?;
        let record = pax[space + 1..length].strip_suffix(b"\n").ok_or_else(broken)?;
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(broken)?;
        // What is not text is none of what is read here.
        if let (Ok(name), Ok(value)) =
            (std::str::from_utf8(&record[..equals]), std::str::from_utf8(&record[equals + 1..]))
        {
            records.push((name, value));
        }
        pax = &pax[length..];
    }
    Ok(records)
}

/// Octal digits; or, for what is too large for them, a number of bytes with the first bit set.
fn number(field: &[u8]) -> Result<u64, String> {
    let broken = || "it is no tar archive, or damaged: a number in a header is none".to_owned();
    if field[0] & 0x80 != 0 {
        let (above, bytes) = field.split_last_chunk::<8>().ok_or_else(broken)?;
        let is_small =
            above.split_first().is_some_and(|(first, rest)| *first == 0x80 && rest.iter().all(|byte| *byte == 0));
        return if is_small { Ok(u64::from_be_bytes(*bytes)) } else { Err(broken()) };
    }
    let digits = text(field);
    let digits = digits.trim();
    if digits.is_empty() { Ok(0) } else { u64::from_str_radix(digits, 8).map_err(|_| broken()) }
}

/// Up to the first zero byte.
pub(super) fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(path: &str, size: &[u8]) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        block[..path.len()].copy_from_slice(path.as_bytes());
        block[124..124 + size.len()].copy_from_slice(size);
        block[156] = b'0';
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    #[test]
    fn headers_are_read_and_damaged_ones_refused() {
        let header = Header::parse(&block("a/b", b"0000012\0")).expect("a header").expect("not the end");
        assert_eq!((header.path.as_str(), header.kind, header.size), ("a/b", Kind::File, 10));
        let large = [&[0x80, 0, 0, 0][..], &(1_u64 << 40).to_be_bytes()].concat();
        assert_eq!(Header::parse(&block("a", &large)).expect("a header").expect("not the end").size, 1 << 40);
        let mut damaged = block("a", b"1");
        damaged[0] = b'b';
        assert!(Header::parse(&damaged).is_err());
        assert!(Header::parse(&[0xff; BLOCK]).is_err());
        assert_eq!(Header::parse(&[0; BLOCK]), Ok(None));
    }

    #[test]
    fn extended_headers_are_read() {
        let mut header = Header::parse(&block("a", b"1")).expect("a header").expect("not the end");
        header.extended(b"11 path=b/c\n13 size=12345\n").expect_err("a length that is wrong");
        header.extended(b"12 path=b/c\n14 size=12345\n").expect("records");
        assert_eq!((header.path.as_str(), header.size), ("b/c", 12345));
        for broken in [&b"x"[..], b"99 a=b\n", b"0 a=b\n", b"3 \n"] {
            assert!(header.extended(broken).is_err(), "{broken:?}");
        }
    }
}
