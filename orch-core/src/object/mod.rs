//! The nouns: plain structs, wire-compatible with Kubernetes' for every field that they have.

mod metadata;
mod null;
mod time;

pub use metadata::{ObjectMeta, OwnerReference, Uid};
pub use time::{MicroTime, Time};
