//! As much of tar as images need: the format `ustar`, written.

/// An archive that says nothing of when and where it was made, so that the same content gives the same bytes.
#[derive(Debug, Default)]
pub(super) struct Tar(Vec<u8>);

/// The size of a header, and what contents are padded to.
const BLOCK: usize = 512;

impl Tar {
    pub(super) fn folder(mut self, path: &str, mode: u32) -> Self {
        self.header(&format!("{path}/"), mode, b'5', 0, "");
        self
    }

    pub(super) fn file(mut self, path: &str, mode: u32, content: &[u8]) -> Self {
        self.header(path, mode, b'0', content.len(), "");
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
        self
    }

    pub(super) fn link(mut self, path: &str, target: &str) -> Self {
        self.header(path, 0o777, b'2', 0, target);
        self
    }

    /// The archive.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 2 * BLOCK, 0);
        self.0
    }

    fn header(&mut self, path: &str, mode: u32, kind: u8, size: usize, target: &str) {
        assert!(path.len() < 100 && target.len() < 100, "`{path}` is longer than this writes");
        let mut header = [0; BLOCK];
        let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(0, path);
        put(100, &format!("{mode:07o}"));
        // Owner, group, size, and time.
        put(108, "0000000");
        put(116, "0000000");
        put(124, &format!("{size:011o}"));
        put(136, "00000000000");
        // The checksum counts itself as blanks.
        put(148, "        ");
        put(156, &char::from(kind).to_string());
        put(157, target);
        put(257, "ustar\x0000");
        let sum: u32 = header.iter().copied().map(u32::from).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend_from_slice(&header);
    }
}
