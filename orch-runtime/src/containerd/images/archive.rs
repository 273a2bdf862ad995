//! [`Archive`]: the files of a tar archive, one after the other, as its bytes come.

use std::io::{self, Write as _};

use bytes::{Buf as _, Bytes, BytesMut};
use flate2::write::MultiGzDecoder;
use futures::StreamExt as _;
use orch_core::runtime::{ArchiveStream, ImageError};

use super::tar::{BLOCK, Header, Kind, text};

/// So much is decompressed at once: it may become a thousand times as much.
const COMPRESSED_PIECE: usize = 16 << 10;
/// The most of a header that says more about the next one.
const EXTENSION_LIMIT: u64 = 64 << 10;
/// More files than any archive of images has.
const MOST_FILES: usize = 50_000;

/// The files of a tar archive, compressed by gzip or not.
pub(super) struct Archive {
    source: ArchiveStream,
    gzip: Option<MultiGzDecoder<Vec<u8>>>,
    /// What came and is not decompressed yet.
    compressed: Bytes,
    buffer: BytesMut,
    has_ended: bool,
    /// So many bytes may still come.
    allowed: u64,
    files: usize,
    /// What is left of the file that is being read, and up to the next block.
    left: u64,
    padding: usize,
}

impl Archive {
    pub(super) async fn open(source: ArchiveStream, limit: u64) -> Result<Self, ImageError> {
        let (gzip, compressed, buffer) = (None, Bytes::new(), BytesMut::new());
        let (has_ended, files, left, padding) = (false, 0, 0, 0);
        let mut archive = Self { source, gzip, compressed, buffer, has_ended, allowed: limit, files, left, padding };
        while archive.buffer.len() < 2 && archive.fill().await? {}
        if archive.buffer.starts_with(&[0x1f, 0x8b]) {
            archive.compressed = std::mem::take(&mut archive.buffer).freeze();
            archive.gzip = Some(MultiGzDecoder::new(Vec::new()));
        }
        Ok(archive)
    }

    /// The next file; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Header>, ImageError> {
        while self.chunk().await?.is_some() {}
        let (mut pax, mut path, mut link) = (Vec::new(), None, None);
        loop {
            self.files += 1;
            if self.files > MOST_FILES {
                return Err(invalid(format!("it has more than {MOST_FILES} files")));
            }
            self.need(BLOCK).await?;
            let block = self.buffer.split_to(BLOCK);
            let block = block.first_chunk().ok_or_else(cut)?;
            let Some(mut header) = Header::parse(block).map_err(invalid)? else { return Ok(None) };
            if let Kind::Pax | Kind::LongPath | Kind::LongLink = header.kind {
                let bytes = self.extension(header.size).await?;
                match header.kind {
                    Kind::Pax => pax = bytes,
                    Kind::LongPath => path = Some(text(&bytes)),
                    _ => link = Some(text(&bytes)),
                }
                continue;
            }
            header.extended(&pax).map_err(invalid)?;
            header.path = path.unwrap_or(header.path);
            header.link = link.unwrap_or(header.link);
            self.enter(header.size);
            return Ok(Some(header));
        }
    }

    /// The next bytes of the file that was told last; `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, ImageError> {
        if self.left == 0 {
            let padding = std::mem::take(&mut self.padding);
            self.need(padding).await?;
            self.buffer.advance(padding);
            return Ok(None);
        }
        self.need(1).await?;
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.buffer.len());
        self.left -= length as u64;
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    fn enter(&mut self, size: u64) {
        self.left = size;
        self.padding = (BLOCK - (size % BLOCK as u64) as usize) % BLOCK;
    }

    async fn extension(&mut self, size: u64) -> Result<Vec<u8>, ImageError> {
        if size > EXTENSION_LIMIT {
            return Err(invalid(format!("the path of a file in it has {size} bytes")));
        }
        self.enter(size);
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// Reads on until there are so many bytes.
    async fn need(&mut self, length: usize) -> Result<(), ImageError> {
        while self.buffer.len() < length {
            if !self.fill().await? {
                return Err(cut());
            }
        }
        Ok(())
    }

    /// Reads something, if there is more.
    async fn fill(&mut self) -> Result<bool, ImageError> {
        if self.compressed.is_empty() {
            match self.source.next().await {
                Some(Ok(bytes)) => self.compressed = bytes,
                Some(Err(error)) => return Err(failed(error)),
                None if self.has_ended => return Ok(false),
                None => {
                    self.has_ended = true;
                    return self.decompress_end();
                }
            }
        }
        let before = self.buffer.len();
        match &mut self.gzip {
            None => self.buffer.extend_from_slice(&std::mem::take(&mut self.compressed)),
            Some(gzip) => {
                let piece = self.compressed.split_to(self.compressed.len().min(COMPRESSED_PIECE));
                gzip.write_all(&piece).map_err(not_gzip)?;
                self.buffer.extend_from_slice(&std::mem::take(gzip.get_mut()));
            }
        }
        self.count(self.buffer.len() - before)?;
        Ok(true)
    }

    fn decompress_end(&mut self) -> Result<bool, ImageError> {
        let Some(gzip) = self.gzip.take() else { return Ok(false) };
        let last = gzip.finish().map_err(not_gzip)?;
        self.count(last.len())?;
        self.buffer.extend_from_slice(&last);
        Ok(true)
    }

    fn count(&mut self, bytes: usize) -> Result<(), ImageError> {
        let left = self.allowed.checked_sub(bytes as u64);
        self.allowed = left.ok_or_else(|| invalid("it is larger than images may be on this node".to_owned()))?;
        Ok(())
    }
}

pub(super) fn invalid(message: String) -> ImageError {
    ImageError::Invalid { message }
}

fn cut() -> ImageError {
    invalid("the archive ends in the middle: it was not copied to its end".to_owned())
}

fn not_gzip(error: io::Error) -> ImageError {
    invalid(format!("it cannot be decompressed: {error}"))
}

fn failed(error: io::Error) -> ImageError {
    let message = format!("the archive cannot be read: {error}");
    ImageError::Unavailable { message, transient: true, source: Some(Box::new(error)) }
}
