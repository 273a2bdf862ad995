//! What things are called in containerd: [`sandbox_record`], [`container_record`].

use orch_core::runtime::{ContainerId, PodUid};
use sha2::{Digest as _, Sha256};

/// The longest name that containerd takes.
const LONGEST: usize = 76;

/// The record of a pod.
pub(super) fn sandbox_record(pod: &PodUid) -> String {
    fitting(pod.to_string(), pod.as_str())
}

/// The record, the task and the snapshot of an attempt. Labels have no dots, so no two attempts have the same.
pub(super) fn container_record(id: &ContainerId) -> String {
    fitting(format!("{}.{}.{}", id.pod, id.name, id.attempt), &id.to_string())
}

/// The same for an attempt of which an earlier start was interrupted: containerd may not be done with that one yet.
pub(super) fn another_record(id: &ContainerId, number: i128) -> String {
    fitting(format!("{}.{}.{}.{number}", id.pod, id.name, id.attempt), &format!("{id} {number}"))
}

/// containerd takes no names that are long, or have two separators beside one another. Names of two parts are given to
/// nothing else.
fn fitting(name: String, whole: &str) -> String {
    if name.len() <= LONGEST && !name.contains("--") { name } else { format!("h.{}", hash(whole)) }
}

/// The SHA-256 of a text in hexadecimal digits.
pub(super) fn hash(text: &str) -> String {
    hexadecimal(&Sha256::digest(text.as_bytes()))
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(pod: &str, name: &str, attempt: u32) -> ContainerId {
        ContainerId { pod: pod.parse().expect("a uid"), name: name.parse().expect("a name"), attempt }
    }

    #[test]
    fn names_are_readable_where_containerd_takes_them() {
        assert_eq!(container_record(&id("a-1", "web", 3)), "a-1.web.3");
        assert_eq!(sandbox_record(&"a-1".parse().expect("a uid")), "a-1");
        let long = "x".repeat(63);
        for name in [container_record(&id(&long, &long, u32::MAX)), container_record(&id("a--b", "web", 0))] {
            assert!(name.starts_with("h.") && name.len() == 66, "{name}");
        }
        assert_ne!(container_record(&id(&long, &long, 0)), container_record(&id(&long, &long, 1)));
    }
}
