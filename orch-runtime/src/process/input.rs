//! What is sent to a program as its input, on its way to the shim: frames, so that its end and the size of a terminal
//! have a place beside the bytes.

use std::io::{self, Read};

use bytes::Bytes;
use orch_core::runtime::{Input, TerminalSize};

/// What is written at once into a pipe of which others may write, too, is not torn up to this length.
const LONGEST: usize = 4096;

const HEADER: usize = 3;

/// The frames of a piece of input.
pub(super) fn encode(input: &Input) -> Vec<Vec<u8>> {
    match input {
        Input::Bytes(bytes) => bytes.chunks(LONGEST - HEADER).map(|part| frame(b'b', part)).collect(),
        Input::End => vec![frame(b'e', &[])],
        Input::Resize(TerminalSize { columns, rows }) => {
            vec![frame(b'r', &[columns.to_le_bytes(), rows.to_le_bytes()].concat())]
        }
        _ => Vec::new(),
    }
}

fn frame(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("frames are short").to_le_bytes();
    [&[kind], &length[..], content].concat()
}

/// The next frame; `None` at the end of the source.
pub(super) fn decode(mut source: impl Read) -> io::Result<Option<Input>> {
    let mut header = [0; HEADER];
    match source.read_exact(&mut header) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let [kind, length @ ..] = header;
    let mut content = vec![0; usize::from(u16::from_le_bytes(length))];
    source.read_exact(&mut content)?;
    match (kind, &content[..]) {
        (b'b', _) => Ok(Some(Input::Bytes(Bytes::from(content)))),
        (b'e', []) => Ok(Some(Input::End)),
        (b'r', &[c, d, r, s]) => {
            let size = TerminalSize { columns: u16::from_le_bytes([c, d]), rows: u16::from_le_bytes([r, s]) };
            Ok(Some(Input::Resize(size)))
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "what came as input is no frame")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_comes_out_as_it_went_in() {
        let long = Bytes::from(vec![7; 10_000]);
        let size = TerminalSize { columns: 300, rows: 2 };
        let sent =
            [Input::Bytes(long.clone()), Input::Resize(size), Input::Bytes(Bytes::from_static(b"x")), Input::End];
        let frames: Vec<_> = sent.iter().flat_map(encode).collect();
        assert!(frames.iter().all(|frame| frame.len() <= LONGEST));
        let (bytes, mut came) = (frames.concat(), Vec::new());
        let mut source = &bytes[..];
        while let Some(input) = decode(&mut source).expect("frames") {
            match (came.last_mut(), input) {
                (Some(Input::Bytes(before)), Input::Bytes(more)) if before.len() + more.len() <= long.len() => {
                    *before = [&before[..], &more].concat().into();
                }
                (_, input) => came.push(input),
            }
        }
        assert_eq!(came, sent);
        assert!(decode(&b"?\0\0"[..]).is_err());
        assert!(decode(&b"b\xff\xffshort"[..]).is_err());
        assert_eq!(decode(&b""[..]).expect("the end"), None);
    }
}
