//! [`Fingerprint`]: what tells one object's content from another's.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use std::sync::{Mutex, PoisonError};

use orch_core::store::Value;

/// What tells one object's content from another's, without keeping it.
///
/// It is taken from the JSON, whatever the order of its fields and however it is laid out: a store far away may write
/// it anew. The revision is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// Of an object. One that cannot be written as JSON has that error's.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        value.encode().map_or_else(|error| Self(hash(error.to_string().as_bytes())), |text| Self::of_text(&text))
    }

    fn of_text(text: &[u8]) -> Self {
        match serde_json::from_slice::<serde_json::Value>(text) {
            Ok(mut object) => {
                if let Some(metadata) = object.get_mut("metadata").and_then(serde_json::Value::as_object_mut) {
                    metadata.remove("resourceVersion");
                }
                Self(hash(object.to_string().as_bytes()))
            }
            Err(_) => Self(hash(text)),
        }
    }
}

/// The fingerprints of texts seen before: a store returns the same ones over and over.
#[derive(Debug, Default)]
pub(super) struct Fingerprints {
    by_text: Mutex<HashMap<u64, Fingerprint>>,
}

impl Fingerprints {
    pub(super) fn of(&self, value: &Value) -> Fingerprint {
        let Ok(text) = value.encode() else { return Fingerprint::of(value) };
        let mut by_text = self.by_text.lock().unwrap_or_else(PoisonError::into_inner);
        *by_text.entry(hash(&text)).or_insert_with(|| Fingerprint::of_text(&text))
    }
}

/// Seeded always alike, so that a recording can be repeated to the letter.
fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:06x}", self.0 >> 40)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_fields_and_the_revision_do_not_matter_and_the_content_does() {
        let of = |text: &'static str| Fingerprint::of(&Value::from_json(text.as_bytes().into()));
        let plain = of(r#"{"metadata":{"name":"a"},"spec":{"x":1,"y":2}}"#);
        assert_eq!(plain, of(r#"{ "spec": {"y":2, "x":1}, "metadata":{"name":"a","resourceVersion":"7"}}"#));
        assert_ne!(plain, of(r#"{"metadata":{"name":"a"},"spec":{"x":1,"y":3}}"#));
    }
}
