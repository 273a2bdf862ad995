//! Objects as JSON and YAML: written with `apiVersion` and `kind` in front, read with both checked.
//!
//! Text comes from people and from the network, so every reader here has a limit on size and depth, refuses what it
//! does not know, and says by line and path what is wrong.

mod duplicates;
mod error;
mod explain;
mod json;
pub mod manifest;
mod suggestion;
mod type_meta;
mod yaml;

pub use error::{DecodeError, EncodeError, Place};
pub(crate) use json::from_own_json;
pub use json::{from_json, to_json};
pub use manifest::{Kinds, ManifestError, ManifestErrors, ManifestObject};
pub use yaml::from_yaml;

/// Longest text of one object: 1.5 MiB, what etcd stores under one key.
pub const OBJECT_BYTES_MAX: usize = 3 << 19;
/// Longest text of one request or manifest: 3 MiB.
pub const MANIFEST_BYTES_MAX: usize = 3 << 20;
/// How deep lists and objects may be nested in each other in JSON.
pub const JSON_DEPTH_MAX: usize = 128;
/// How deep lists and objects may be nested in each other in YAML. Its parser recurses and, in a build that is not
/// optimized, takes some 24 KiB of stack for a level: this many fit a thread of 1 MiB.
pub const YAML_DEPTH_MAX: usize = 32;

/// Refuses text that is longer than its reader allows.
fn check_size(text: &[u8], limit: usize) -> Result<(), DecodeError> {
    if text.len() > limit { Err(DecodeError::TooLarge { bytes: text.len(), limit }) } else { Ok(()) }
}
