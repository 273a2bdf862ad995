//! Protobuf to JSON, as Mesos writes it: names with underscores, what is unset left out or, where the protocol knows a
//! default, written as that; whole numbers as numbers; bytes in base64. All in one line.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::describe::{Field, Kind, Presence};
use super::required::delimited;

/// The JSON of a message that was encoded by ourselves.
pub(super) fn write(bytes: &[u8], fields: &[Field]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    message(bytes, fields, &mut text);
    text
}

/// What stands in a field.
#[derive(Clone, Copy)]
enum Found<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn message(bytes: &[u8], fields: &[Field], text: &mut String) {
    let found = found(bytes);
    let mut separator = '{';
    for field in fields {
        let mut values = found.iter().filter(|(number, _)| *number == field.number).map(|(_, value)| *value).peekable();
        let default = field.default.filter(|_| values.peek().is_none());
        if values.peek().is_none() && default.is_none() {
            continue;
        }
        text.push(separator);
        separator = ',';
        quoted(field.name, text);
        text.push(':');
        match (field.presence, default) {
            (_, Some(default)) => written_default(field.kind, default, text),
            (Presence::Repeated, None) => list(values, '[', ']', text, |value, text| one(field.kind, value, text)),
            (Presence::Map, None) => list(values, '{', '}', text, |value, text| entry(field.kind, value, text)),
            (_, None) => one(field.kind, values.last().unwrap_or(Found::Number(0)), text),
        }
    }
    text.push_str(if separator == '{' { "{}" } else { "}" });
}

/// The fields in the order in which they stand there. They were encoded by ourselves: what cannot be read is not there.
fn found(mut bytes: &[u8]) -> Vec<(u32, Found<'_>)> {
    let mut all = Vec::new();
    while let Ok((number, wire)) = decode_key(&mut bytes) {
        let value = match wire {
            WireType::Varint => decode_varint(&mut bytes).ok().map(Found::Number),
            WireType::LengthDelimited => delimited(&mut bytes).ok().map(Found::Bytes),
            WireType::SixtyFourBit => bytes.split_first_chunk::<8>().map(|(value, rest)| {
                bytes = rest;
                Found::Number(u64::from_le_bytes(*value))
            }),
            other => skip_field(other, number, &mut bytes, DecodeContext::default()).ok().and(None),
        };
        match value {
            Some(value) => all.push((number, value)),
            None => break,
        }
    }
    all
}

fn list<'a>(
    values: impl Iterator<Item = Found<'a>>,
    open: char,
    close: char,
    text: &mut String,
    each: impl Fn(Found<'a>, &mut String),
) {
    text.push(open);
    for (index, value) in values.enumerate() {
        if index > 0 {
            text.push(',');
        }
        each(value, text);
    }
    text.push(close);
}

fn one(kind: Kind, value: Found<'_>, text: &mut String) {
    match (kind, value) {
        (Kind::Text, Found::Bytes(bytes)) => quoted(&String::from_utf8_lossy(bytes), text),
        (Kind::Bytes, Found::Bytes(bytes)) => {
            text.push('"');
            STANDARD.encode_string(bytes, text);
            text.push('"');
        }
        (Kind::Message(fields), Found::Bytes(bytes)) => message(bytes, fields(), text),
        (Kind::Bool, Found::Number(number)) => text.push_str(if number == 0 { "false" } else { "true" }),
        (Kind::Double, Found::Number(bits)) => double(f64::from_bits(bits), text),
        // Two's complement: a negative number stands there as the large one of the same bits.
        (Kind::Int(..), Found::Number(number)) => drop(write!(text, "{}", number.cast_signed())),
        (Kind::Uint(_), Found::Number(number)) => drop(write!(text, "{number}")),
        (Kind::Enum(names), Found::Number(number)) => {
            let name = names.iter().find(|(_, known)| u64::try_from(*known) == Ok(number));
            quoted(name.map_or("UNKNOWN", |(name, _)| name), text);
        }
        _ => text.push_str("null"),
    }
}

/// An entry of a map: a message of a name and a value.
fn entry(kind: Kind, value: Found<'_>, text: &mut String) {
    let Found::Bytes(bytes) = value else { return text.push_str("\"\":null") };
    let (mut name, mut value) = (None, None);
    for (number, found) in found(bytes) {
        match number {
            1 => name = Some(found),
            _ => value = Some(found),
        }
    }
    one(Kind::Text, name.unwrap_or(Found::Bytes(&[])), text);
    text.push(':');
    one(kind, value.unwrap_or(Found::Bytes(&[])), text);
}

fn written_default(kind: Kind, default: &str, text: &mut String) {
    match kind {
        Kind::Text => quoted(default, text),
        Kind::Enum(names) => {
            let name = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(default));
            quoted(name.map_or(default, |(name, _)| name), text);
        }
        _ => text.push_str(default),
    }
}

fn double(value: f64, text: &mut String) {
    // What JSON has no number for, Mesos cannot write either.
    text.push_str(&serde_json::Number::from_f64(value).map_or_else(|| "null".to_owned(), |number| number.to_string()));
}

fn quoted(value: &str, text: &mut String) {
    // To write a string into memory cannot fail.
    text.push_str(&serde_json::to_string(value).unwrap_or_default());
}
