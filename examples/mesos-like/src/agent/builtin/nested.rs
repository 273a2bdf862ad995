//! Containers within that of an executor.

use sha2::{Digest as _, Sha256};

/// The id of a task's container within its executor's: a UUID that follows from both, so that it need not be written
/// down, and that nobody can make another one's.
pub(in crate::agent) fn id(executor: &str, task: &str) -> String {
    let digest = Sha256::digest(format!("{executor} {task}"));
    let mut bytes = [0_u8; 16];
    bytes.iter_mut().zip(digest).for_each(|(byte, from)| *byte = from);
    // As RFC 9562 marks a UUID of a scheme of one's own.
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [digits.get(..8), digits.get(8..12), digits.get(12..16), digits.get(16..20), digits.get(20..)];
    parts.into_iter().flatten().collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use orch_core::runtime::PodUid;

    use super::*;

    #[test]
    fn it_is_a_uuid_that_is_the_same_again_and_another_for_another_task() {
        let one = id("a", "task");
        assert!(one.len() == 36 && one.parse::<PodUid>().is_ok(), "{one}");
        assert_eq!(one, id("a", "task"));
        assert!(one != id("a", "other") && one != id("b", "task"));
    }
}
