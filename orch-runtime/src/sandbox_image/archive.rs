//! Tar files, as far as an image of one file needs them.

const BLOCK: usize = 512;

/// A file of root's, of no particular time: the same content gives the same bytes.
pub(super) fn file(name: &str, mode: u32, content: &[u8]) -> Vec<u8> {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, format!("{mode:07o}").as_bytes());
    put(108, b"0000000"); // user
    put(116, b"0000000"); // group
    put(124, format!("{:011o}", content.len()).as_bytes());
    put(136, b"00000000000"); // time
    put(148, b"        "); // what the checksum is made with in its own place
    put(156, b"0"); // an ordinary file
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut file = header.to_vec();
    file.extend(content);
    file.resize(file.len().next_multiple_of(BLOCK), 0);
    file
}

/// Marks the end.
pub(super) fn finish(mut files: Vec<u8>) -> Vec<u8> {
    files.resize(files.len() + 2 * BLOCK, 0);
    files
}
