//! [`Secret`]: settings for containers that few may see.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::byte_string::ByteString;
use super::config_map::{validate_keys, validate_size};
use super::metadata::ObjectMeta;
use super::null::{is_default, null_as_default};
use crate::kind::{Kind, Object, Scope};
use crate::validation::Problems;

/// Settings for containers that few may see. `Debug` tells the keys and no value. A store keeps the values as they are
/// written here: who can read the store can read them.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Secret {
    /// What every object has.
    pub metadata: ObjectMeta,
    /// What the values are for; see [`secret_type`](Self::secret_type).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// The values.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, ByteString>,
    /// Values as text, for people who write manifests: one wins over that of its key in `data`. It is kept as it was
    /// written, so who reads asks [`value`](Self::value), which knows both; see also
    /// [`merge_string_data`](Self::merge_string_data).
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub string_data: BTreeMap<String, String>,
    /// A statement of who writes it that the values stay as they are, so that readers need not look again. A client
    /// does not compare an update with it.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub immutable: bool,
}

impl Secret {
    /// The type of secrets that name none.
    pub const OPAQUE: &str = "Opaque";

    /// What the values are for; [`OPAQUE`](Self::OPAQUE) by default.
    #[must_use]
    pub fn secret_type(&self) -> &str {
        self.r#type.as_deref().filter(|name| !name.is_empty()).unwrap_or(Self::OPAQUE)
    }

    /// The value of a key.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&[u8]> {
        let text = self.string_data.get(key).map(String::as_bytes);
        text.or_else(|| self.data.get(key).map(ByteString::as_bytes))
    }

    /// All values.
    pub fn values(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let data = self.data.iter().filter(|(key, _)| !self.string_data.contains_key(*key));
        let data = data.map(|(key, value)| (key.as_str(), value.as_bytes()));
        data.chain(self.string_data.iter().map(|(key, value)| (key.as_str(), value.as_bytes())))
    }

    /// Moves the values in `string_data` to `data`, as Kubernetes does when it takes a secret in.
    pub fn merge_string_data(&mut self) {
        let text = std::mem::take(&mut self.string_data);
        self.data.extend(text.into_iter().map(|(key, value)| (key, value.into())));
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("metadata", &self.metadata)
            .field("type", &self.r#type)
            .field("data", &self.data)
            .field("string_data", &self.string_data.keys().collect::<Vec<_>>())
            .field("immutable", &self.immutable)
            .finish()
    }
}

impl Object for Secret {
    const KIND: Kind = Kind { api_version: "v1", name: "Secret", collection: "secrets", scope: Scope::Namespaced };

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn validate(&self, problems: &mut Problems) {
        problems.field("data", |problems| validate_keys(self.data.keys(), problems));
        problems.field("stringData", |problems| validate_keys(self.string_data.keys(), problems));
        validate_size(self.values().map(|(_, value)| value.len()).sum(), problems);
    }

    fn same_spec(&self, other: &Self) -> bool {
        self.r#type == other.r#type
            && self.data == other.data
            && self.string_data == other.string_data
            && self.immutable == other.immutable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        serde_json::from_str(
            r#"{"metadata": {"name": "db"}, "data": {"user": "cm9vdA==", "password": "b2xk"},
                "stringData": {"password": "hunter2"}}"#,
        )
        .expect("a secret")
    }

    #[test]
    fn text_wins_over_bytes_before_and_after_it_is_merged() {
        let mut secret = secret();
        for _ in 0..2 {
            assert_eq!(secret.value("password"), Some(b"hunter2".as_slice()));
            assert_eq!(secret.value("user"), Some(b"root".as_slice()));
            let values: BTreeMap<_, _> = secret.values().collect();
            assert_eq!(values, BTreeMap::from([("password", b"hunter2".as_slice()), ("user", b"root")]));
            secret.merge_string_data();
        }
        assert!(secret.string_data.is_empty());
    }

    #[test]
    fn debug_tells_no_value() {
        let text = format!("{:?}", secret());
        assert!(text.contains("password") && text.contains("user"), "{text}");
        for value in ["hunter2", "root", "old", "cm9v", "b2xk"] {
            assert!(!text.contains(value), "{text}");
        }
    }
}
