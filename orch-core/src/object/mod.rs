//! The nouns: plain structs, wire-compatible with Kubernetes' for every field that they have.

mod metadata;
mod null;
pub mod quantity;
mod time;

pub use metadata::{ObjectMeta, OwnerReference, Uid};
pub use quantity::{Quantity, QuantityError};
pub use time::{MicroTime, Time};
