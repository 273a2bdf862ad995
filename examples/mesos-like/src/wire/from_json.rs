//! JSON to protobuf, as leniently as Mesos reads it: what is not known is passed over, null is unset, one stands for a
//! list of one, numbers and truth may be quoted, and a name that is not known is unset where it may be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::encoding::{WireType, encode_key, encode_varint};
use serde_json::{Map, Value};

use super::describe::{Field, Kind, Presence};
use super::error::WireError;
use super::required::DEPTH;

/// The protobuf of a message in JSON; `name` is what errors call it.
pub(super) fn read(json: &[u8], fields: &[Field], name: &'static str) -> Result<Vec<u8>, WireError> {
    let value: Value = serde_json::from_slice(json).map_err(|error| WireError::NoJson(error.to_string()))?;
    let unfit = |reason: String| WireError::Unfit { message: name, reason };
    let Value::Object(object) = value else {
        return Err(unfit(format!("Expecting a JSON object, not {}", what(&value))));
    };
    let (mut bytes, mut missing) = (Vec::with_capacity(json.len()), Vec::new());
    message(&object, fields, "", DEPTH, &mut bytes, &mut missing).map_err(unfit)?;
    match missing.is_empty() {
        true => Ok(bytes),
        false => Err(unfit(format!("Missing required fields: {}", missing.join(", ")))),
    }
}

fn message(
    object: &Map<String, Value>,
    fields: &[Field],
    path: &str,
    depth: usize,
    bytes: &mut Vec<u8>,
    missing: &mut Vec<String>,
) -> Result<(), String> {
    if depth == 0 {
        return Err(format!("more than {DEPTH} messages in each other at '{path}'"));
    }
    for field in fields {
        let at = || format!("{path}{}", field.name);
        let value = object.get(field.name).filter(|value| !value.is_null());
        let mut put = |value: &Value, at: &str, bytes: &mut Vec<u8>| one(field, value, at, depth, bytes, missing);
        match (field.presence, value) {
            (Presence::Required, None) => missing.push(at()),
            (_, None) => {}
            (Presence::Repeated, Some(Value::Array(values))) => {
                for (index, value) in values.iter().enumerate() {
                    put(value, &format!("{}[{index}]", at()), bytes)?;
                }
            }
            (Presence::Map, Some(Value::Object(entries))) => {
                for (name, value) in entries.iter().filter(|(_, value)| !value.is_null()) {
                    let mut entry = Vec::new();
                    delimited(1, name.as_bytes(), &mut entry);
                    one(&Field { number: 2, ..*field }, value, &at(), depth, &mut entry, missing)?;
                    delimited(field.number, &entry, bytes);
                }
            }
            (Presence::Map, Some(value)) => return Err(not_expected(value, &at())),
            (_, Some(value)) => {
                let unset = matches!((field.kind, value), (Kind::Enum(names), Value::String(name))
                    if field.presence == Presence::Optional && !names.iter().any(|(known, _)| known == name));
                if !unset {
                    put(value, &at(), bytes)?;
                }
            }
        }
    }
    Ok(())
}

/// One value of a field, with its key.
fn one(
    field: &Field,
    value: &Value,
    at: &str,
    depth: usize,
    bytes: &mut Vec<u8>,
    missing: &mut Vec<String>,
) -> Result<(), String> {
    let refused = || not_expected(value, at);
    match field.kind {
        Kind::Text => delimited(field.number, value.as_str().ok_or_else(refused)?.as_bytes(), bytes),
        Kind::Bytes => {
            let text = value.as_str().ok_or_else(refused)?;
            let decoded = STANDARD.decode(text).map_err(|error| format!("Failed to decode base64 of '{at}': {error}"));
            delimited(field.number, &decoded?, bytes);
        }
        Kind::Message(fields) => {
            let object = value.as_object().ok_or_else(refused)?;
            let mut body = Vec::new();
            message(object, fields(), &format!("{at}."), depth - 1, &mut body, missing)?;
            delimited(field.number, &body, bytes);
        }
        Kind::Double => {
            let number = match value {
                Value::Number(number) => number.as_f64(),
                Value::String(text) => text.trim().parse().ok(),
                _ => None,
            };
            encode_key(field.number, WireType::SixtyFourBit, bytes);
            bytes.extend_from_slice(&number.ok_or_else(refused)?.to_le_bytes());
        }
        Kind::Bool => {
            let truth = match value {
                Value::Bool(truth) => Some(*truth),
                Value::String(text) => text.parse().ok(),
                _ => None,
            };
            varint(field.number, truth.ok_or_else(refused)?.into(), bytes);
        }
        Kind::Int(least, most) => {
            let number = whole(value).filter(|number| (least..=most).contains(number));
            varint(field.number, number.ok_or_else(refused)?.cast_unsigned(), bytes);
        }
        Kind::Uint(most) => {
            let large = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
            let number = large.or_else(|| u64::try_from(whole(value)?).ok()).filter(|number| *number <= most);
            varint(field.number, number.ok_or_else(refused)?, bytes);
        }
        Kind::Enum(names) => {
            let known = match value {
                Value::String(text) => names.iter().find(|(name, _)| name == text),
                Value::Number(number) => names.iter().find(|(_, known)| number.as_i64() == Some((*known).into())),
                _ => return Err(refused()),
            };
            let (_, number) = known.ok_or_else(|| format!("Failed to find enum for '{at}': {value}"))?;
            varint(field.number, u64::from(number.unsigned_abs()), bytes);
        }
    }
    Ok(())
}

/// A whole number, also if it is written as one with a fraction of nothing, or quoted.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| integral(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn integral(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

fn varint(number: u32, value: u64, bytes: &mut Vec<u8>) {
    encode_key(number, WireType::Varint, bytes);
    encode_varint(value, bytes);
}

fn delimited(number: u32, body: &[u8], bytes: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, bytes);
    encode_varint(body.len() as u64, bytes);
    bytes.extend_from_slice(body);
}

fn not_expected(value: &Value, at: &str) -> String {
    format!("Not expecting {} for field '{at}'", what(value))
}

fn what(value: &Value) -> &'static str {
    match value {
        Value::Null => "a JSON null",
        Value::Bool(_) => "a JSON boolean",
        Value::Number(_) => "a JSON number",
        Value::String(_) => "a JSON string",
        Value::Array(_) => "a JSON array",
        Value::Object(_) => "a JSON object",
    }
}
