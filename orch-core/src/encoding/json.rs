//! Objects as JSON.

use std::marker::PhantomData;

use serde::de::DeserializeSeed;
use serde_json::error::Category;

use super::duplicates::UniqueKeys;
use super::error::{DecodeError, EncodeError, Place};
use super::explain::{from_serde_message, path_text};
use super::type_meta::{Typed, WithTypeMeta};
use super::{JSON_DEPTH_MAX, OBJECT_BYTES_MAX, check_size};
use crate::kind::Object;

/// Writes an object, `apiVersion` and `kind` first.
///
/// # Errors
/// [`EncodeError`] when the type's own `Serialize` fails.
pub fn to_json<T: Object>(object: &T) -> Result<Vec<u8>, EncodeError> {
    Ok(serde_json::to_vec(&WithTypeMeta::new(object))?)
}

/// Reads an object that may come from anywhere.
///
/// # Errors
/// [`DecodeError`] when the text is no JSON, too large or too deep, has another `apiVersion` or `kind`, a field that
/// the kind does not have, a key twice, or a value of the wrong type.
pub fn from_json<T: Object>(text: &[u8]) -> Result<T, DecodeError> {
    check_size(text, OBJECT_BYTES_MAX)?;
    // Structs notice a field given twice by themselves; maps such as labels do not.
    check_keys(text)?;
    read(text, Typed::new())
}

/// Reads an object that [`to_json`] wrote: as [`from_json`], without the pass that looks for keys given twice.
pub(crate) fn from_own_json<T: Object>(text: &[u8]) -> Result<T, DecodeError> {
    check_size(text, OBJECT_BYTES_MAX)?;
    read(text, Typed::new())
}

/// Refuses a key given twice, at any depth.
pub(super) fn check_keys(text: &[u8]) -> Result<(), DecodeError> {
    read(text, PhantomData::<UniqueKeys>).map(|_| ())
}

/// Reads one JSON text. The path of an error costs time to know, so it is found by a second reading.
pub(super) fn read<'de, S>(text: &'de [u8], seed: S) -> Result<S::Value, DecodeError>
where
    S: DeserializeSeed<'de> + Clone,
{
    let mut parser = serde_json::Deserializer::from_slice(text);
    let first = seed.clone().deserialize(&mut parser).and_then(|value| parser.end().map(|()| value));
    first.map_err(|error| {
        let mut track = serde_path_to_error::Track::new();
        let mut parser = serde_json::Deserializer::from_slice(text);
        let again = seed.deserialize(serde_path_to_error::Deserializer::new(&mut parser, &mut track));
        match again {
            Err(error) => explain(&error, path_text(&track.path())),
            Ok(_) => explain(&error, String::new()),
        }
    })
}

fn explain(error: &serde_json::Error, path: String) -> DecodeError {
    let place = Place { path, line: error.line(), column: error.column() };
    let text = error.to_string();
    let suffix = format!(" at line {} column {}", error.line(), error.column());
    let message = text.strip_suffix(&suffix).unwrap_or(&text);
    match error.classify() {
        Category::Data => from_serde_message(place, message),
        // The only form in which the parser tells it; its limit is `JSON_DEPTH_MAX`.
        _ if message == "recursion limit exceeded" => {
            // Its path is as long as it is deep.
            DecodeError::TooDeep { place: Place { path: String::new(), ..place }, limit: JSON_DEPTH_MAX }
        }
        _ => DecodeError::Syntax {
            place: Place { path: String::new(), ..place },
            format: "JSON",
            message: message.replace("EOF while parsing", "the text ends inside"),
        },
    }
}
