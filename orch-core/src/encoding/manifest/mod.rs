//! Manifests: several objects in one text, of kinds that the caller lists.

mod documents;
mod error;
mod kinds;
mod list;
mod read;

pub use error::{ManifestError, ManifestErrors, ManifestProblem};
pub use kinds::Kinds;
pub use read::ManifestObject;
