//! [`Frame`]: a piece of a session, on one of its channels.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// What is written to the program. An empty frame is the end of it.
pub(crate) const CHANNEL_STDIN: u8 = 0;
/// What the program writes.
pub(crate) const CHANNEL_STDOUT: u8 = 1;
/// What it writes to standard error.
pub(crate) const CHANNEL_STDERR: u8 = 2;
/// Why the session ended before the program did.
pub(crate) const CHANNEL_ERROR: u8 = 3;
/// The terminal's new size: `COLUMNSxROWS`.
pub(crate) const CHANNEL_RESIZE: u8 = 4;
/// The exit code, in decimal digits.
pub(crate) const CHANNEL_EXIT: u8 = 5;

/// A piece of a session: channel and length stand before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) channel: u8,
    pub(crate) content: Bytes,
}

/// The largest piece that anybody sends.
const LARGEST: usize = 1 << 20;

impl Frame {
    pub(crate) fn new(channel: u8, content: impl Into<Bytes>) -> Self {
        Self { channel, content: content.into() }
    }

    /// The next piece, or the end.
    pub(crate) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let mut head = [0; 5];
        match from.read_exact(&mut head).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            result => result?,
        };
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if length > LARGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a piece of a session is too large"));
        }
        let mut content = vec![0; length];
        from.read_exact(&mut content).await?;
        Ok(Some(Self::new(head[0], content)))
    }

    /// Sends it, in as many pieces as it takes.
    pub(crate) async fn write(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let mut rest = self.content.clone();
        loop {
            let piece = rest.split_to(rest.len().min(LARGEST));
            let mut head = [self.channel, 0, 0, 0, 0];
            head[1..].copy_from_slice(&u32::try_from(piece.len()).unwrap_or(u32::MAX).to_be_bytes());
            to.write_all(&head).await?;
            to.write_all(&piece).await?;
            if rest.is_empty() {
                return to.flush().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_sent_arrives_whatever_its_size() {
        let sent = [Frame::new(CHANNEL_STDIN, ""), Frame::new(CHANNEL_STDOUT, vec![7; 2 * LARGEST + 1])];
        let mut line = Vec::new();
        for frame in &sent {
            frame.write(&mut line).await.expect("written");
        }
        let (mut from, mut found) = (&line[..], Vec::new());
        while let Some(frame) = Frame::read(&mut from).await.expect("read") {
            found.push((frame.channel, frame.content.len()));
        }
        assert_eq!(
            found,
            [(CHANNEL_STDIN, 0), (CHANNEL_STDOUT, LARGEST), (CHANNEL_STDOUT, LARGEST), (CHANNEL_STDOUT, 1)]
        );
    }

    #[tokio::test]
    async fn a_piece_that_does_not_end_is_refused() {
        assert!(Frame::read(&mut &[1, 255, 255, 255, 255, 0][..]).await.is_err());
    }
}
