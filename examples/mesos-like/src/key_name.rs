//! [`key_name`]: any text as the name of a key.

/// Any name as one that a key may have: ids have capitals, roles have slashes. No two names become the same. It may be too
/// long for a key.
#[must_use]
pub fn key_name(name: &str) -> String {
    /// As much of a name as one label of a key's takes beside its two ends.
    const LABEL: usize = 60;
    let mut escaped = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' => escaped.push(char::from(byte)),
            other => escaped.push_str(&format!("-{other:02x}")),
        }
    }
    let labels: Vec<String> = match escaped.is_empty() {
        true => vec!["n".to_owned()],
        false => escaped.as_bytes().chunks(LABEL).map(|part| format!("n{}n", String::from_utf8_lossy(part))).collect(),
    };
    labels.join(".")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use orch_core::key::Key;

    use super::*;

    #[test]
    fn any_name_has_a_key_of_its_own() {
        let long = "Ä".repeat(39);
        let names = ["", "*", "eng/web", "eng-web", "eng-2fweb", "A-S0", "a-s0", "nn", "n", &long];
        let key = |name: &str| format!("things.example.org/{}", key_name(name)).parse::<Key>().expect(name);
        let keys: BTreeSet<Key> = names.iter().map(|name| key(name)).collect();
        assert_eq!(keys.len(), names.len());
    }
}
