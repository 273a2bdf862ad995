//! Objects as JSON and YAML.

use crate::kind::Object;

/// Why an object could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the object as JSON")]
pub struct EncodeError(#[from] serde_json::Error);

/// Why text is no object.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the object: {0}")]
pub struct DecodeError(#[from] serde_json::Error);

impl From<EncodeError> for DecodeError {
    fn from(error: EncodeError) -> Self {
        Self(error.0)
    }
}

/// Writes an object.
///
/// # Errors
/// See [`EncodeError`].
pub fn to_json<T: Object>(object: &T) -> Result<Vec<u8>, EncodeError> {
    Ok(serde_json::to_vec(object)?)
}

/// Reads an object.
///
/// # Errors
/// See [`DecodeError`].
pub fn from_json<T: Object>(text: &[u8]) -> Result<T, DecodeError> {
    Ok(serde_json::from_slice(text)?)
}
