//! Random UUIDs, of version 4.

use std::fmt::Write as _;
use std::sync::LazyLock;

use orch_core::entropy::{Entropy, SeededEntropy};

static CHANCE: LazyLock<SeededEntropy> = LazyLock::new(SeededEntropy::from_os);

/// A random UUID in its usual form.
#[must_use]
pub fn random() -> String {
    text(&bytes(&*CHANCE))
}

/// The sixteen bytes of a random UUID.
pub fn bytes(entropy: &dyn Entropy) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&entropy.next_u64().to_be_bytes());
    bytes[8..].copy_from_slice(&entropy.next_u64().to_be_bytes());
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

/// A UUID in its usual form.
#[must_use]
pub fn text(bytes: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_usual_form_and_says_that_it_is_random() {
        let one = random();
        let lengths: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!((lengths, one.as_bytes()[14]), (vec![8, 4, 4, 4, 12], b'4'));
        assert_ne!(one, random());
    }
}
