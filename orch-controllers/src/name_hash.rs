//! Short names that follow from what they stand for: equal input, equal name, on every machine and in every version.

/// The letters of generated names: no vowels and no look-alikes, so that no words come of them. Kubernetes' own choice.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// 64-bit FNV-1a (Fowler, Noll, Vo; RFC 9923) over parts, each ended by a byte that occurs in no UTF-8 text.
pub(crate) fn hash(parts: &[&[u8]]) -> u64 {
    const OFFSET: u64 = 0xCBF2_9CE4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01B3;
    let bytes = parts.iter().flat_map(|part| part.iter().copied().chain([0xFF]));
    bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

/// The number in `length` letters.
pub(crate) fn letters(mut number: u64, length: usize) -> String {
    let base = ALPHABET.len() as u64;
    // FNV mixes upwards: its low bits follow from the low bits of the input alone.
    number ^= number >> 32;
    let mut text = String::with_capacity(length);
    for _ in 0..length {
        let letter = usize::try_from(number % base).map_or(b'b', |index| ALPHABET[index]);
        text.push(char::from(letter));
        number /= base;
    }
    text
}

/// `base`, a hyphen and `suffix`, with `base` cut so that the whole is a DNS label of at most 63 characters.
pub(crate) fn join(base: &str, suffix: &str) -> String {
    const LABEL_MAX: usize = 63;
    let length = base.len().min(LABEL_MAX - 1 - suffix.len());
    let base = base.get(..length).unwrap_or(base).trim_end_matches(['-', '.']);
    format!("{base}-{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_on_every_machine_and_in_every_version() {
        assert_eq!(hash(&[]), 0xCBF2_9CE4_8422_2325);
        assert_eq!(letters(hash(&[b"uid", b"0"]), 5), "84z8l");
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
    }

    #[test]
    fn a_long_name_is_cut_to_a_label() {
        assert_eq!(join("web", "abcde"), "web-abcde");
        let long = join(&"w".repeat(80), "abcde");
        assert_eq!((long.len(), &long[57..]), (63, "-abcde"));
    }
}
