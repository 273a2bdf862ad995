//! [`ConfigMap`]: settings for containers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::byte_string::ByteString;
use super::metadata::ObjectMeta;
use super::null::{is_default, null_as_default};
use crate::kind::{Kind, Object, Scope};
use crate::validation::{NAME_MAX, Problems};

/// How many bytes the values of a config map or secret may have together.
pub(super) const DATA_MAX: usize = 1024 * 1024;

/// Settings for containers, which see them as environment variables or files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigMap {
    /// What every object has.
    pub metadata: ObjectMeta,
    /// Values that are text.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, String>,
    /// Values that are any bytes; none has the key of one that is text.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub binary_data: BTreeMap<String, ByteString>,
    /// A statement of who writes it that the values stay as they are, so that readers need not look again. A client
    /// does not compare an update with it.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub immutable: bool,
}

impl ConfigMap {
    /// The value of a key, text or not.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&[u8]> {
        let text = self.data.get(key).map(String::as_bytes);
        text.or_else(|| self.binary_data.get(key).map(ByteString::as_bytes))
    }

    /// All values, text or not.
    pub fn values(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let text = self.data.iter().map(|(key, value)| (key.as_str(), value.as_bytes()));
        text.chain(self.binary_data.iter().map(|(key, value)| (key.as_str(), value.as_bytes())))
    }
}

impl Object for ConfigMap {
    const KIND: Kind =
        Kind { api_version: "v1", name: "ConfigMap", collection: "configmaps", scope: Scope::Namespaced };

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn validate(&self, problems: &mut Problems) {
        problems.field("data", |problems| validate_keys(self.data.keys(), problems));
        problems.field("binaryData", |problems| {
            validate_keys(self.binary_data.keys(), problems);
            for key in self.binary_data.keys().filter(|key| self.data.contains_key(*key)) {
                problems.key(key, |problems| problems.report("must differ from the keys of data"));
            }
        });
        validate_size(self.values().map(|(_, value)| value.len()).sum(), problems);
    }

    fn same_spec(&self, other: &Self) -> bool {
        (&self.data, &self.binary_data, self.immutable) == (&other.data, &other.binary_data, other.immutable)
    }
}

/// Reports keys that could not be the name of a file, or that begin with `..`.
pub(super) fn validate_keys<'a>(keys: impl Iterator<Item = &'a String>, problems: &mut Problems) {
    for key in keys {
        problems.key(key, |problems| validate_config_key(key, problems));
    }
}

/// Reports text that is no key of a config map or secret.
pub(super) fn validate_config_key(key: &str, problems: &mut Problems) {
    let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if key.is_empty() || key.len() > NAME_MAX || !key.bytes().all(letter) || key == "." || key.starts_with("..") {
        problems.report(format!(
            "must be at most {NAME_MAX} of A-Z, a-z, 0-9, '-', '_' and '.', not \".\", and not begin with \"..\", \
             got {key:?}"
        ));
    }
}

/// Reports values that have too many bytes together.
pub(super) fn validate_size(size: usize, problems: &mut Problems) {
    if size > DATA_MAX {
        let message = format!("must have values of at most {DATA_MAX} bytes together, got {size}");
        problems.field("data", |problems| problems.report(message));
    }
}
