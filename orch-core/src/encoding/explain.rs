//! Parsers' messages made readable for people who write manifests and not Rust.

use serde_path_to_error::{Path, Segment};

use super::error::{DecodeError, Place};
use super::suggestion::closest;

/// The path as a person would write it. A key that is no plain name is quoted: dots in it are no steps.
pub(super) fn path_text(path: &Path) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("[{index}]")),
            Segment::Map { key } if key.is_empty() || key.contains(|c: char| !c.is_alphanumeric() && c != '_') => {
                text.push_str(&format!("[{:?}]", shorten(key)));
            }
            Segment::Map { key } | Segment::Enum { variant: key } => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(&shorten(key));
            }
            Segment::Unknown => {}
        }
    }
    text
}

/// An error from the message that serde's own constructors write, the only form in which `serde_json` keeps them.
pub(super) fn from_serde_message(place: Place, message: &str) -> DecodeError {
    if let Some((field, expected)) = split(message, "unknown field `", "`, ") {
        return unknown_field(place, field, quoted(expected).map(str::to_owned).collect());
    }
    if let Some((variant, expected)) = split(message, "unknown variant `", "`, ") {
        let known: Vec<&str> = quoted(expected).collect();
        return unknown_variant(place, variant, &known);
    }
    for prefix in ["invalid type: ", "invalid value: "] {
        if let Some((found, expected)) = message.strip_prefix(prefix).and_then(|rest| rest.rsplit_once(", expected ")) {
            return not_as_expected(place, found, expected);
        }
    }
    let message = match split(message, "missing field `", "`").or_else(|| split(message, "duplicate field `", "`")) {
        Some((field, _)) if message.starts_with("missing") => format!("missing field {field:?}"),
        Some((field, _)) => format!("the field {field:?} is given twice"),
        None => message.to_owned(),
    };
    DecodeError::Invalid { place, message }
}

fn split<'a>(message: &'a str, before: &str, between: &str) -> Option<(&'a str, &'a str)> {
    message.strip_prefix(before)?.split_once(between)
}

/// The names in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

pub(super) fn unknown_field(place: Place, field: &str, allowed: Vec<String>) -> DecodeError {
    let suggestion = closest(field, allowed.iter().map(String::as_str)).map(Box::from);
    DecodeError::UnknownField { place, suggestion, allowed: allowed.into() }
}

pub(super) fn unknown_variant(place: Place, variant: &str, known: &[&str]) -> DecodeError {
    let hint =
        closest(variant, known.iter().copied()).map_or(String::new(), |name| format!("; did you mean {name:?}?"));
    let message = format!("expected one of {}, found {:?}{hint}", known.join(", "), shorten(variant));
    DecodeError::Invalid { place, message }
}

pub(super) fn not_as_expected(place: Place, found: &str, expected: &str) -> DecodeError {
    let message = format!("expected {}, found {}", expected_in_words(expected), found_in_words(found));
    DecodeError::Invalid { place, message }
}

pub(super) fn expected_in_words(expected: &str) -> &str {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, at least 0",
        "i8" => "a whole number from -128 to 127",
        "i16" => "a whole number from -32768 to 32767",
        "i32" => "a whole number from -2147483648 to 2147483647",
        "i64" | "isize" | "integer" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" | "string" => "text",
        "string scalar" => "a single value",
        "a boolean" | "bool" | "boolean" => "true or false",
        "a sequence" | "sequence" | "sequence start" => "a list",
        "a map" | "map" | "mapping" | "mapping start" => "an object",
        other if other.starts_with("struct ") => "an object",
        other => other,
    }
}

fn found_in_words(found: &str) -> String {
    let value = |prefix: &str| found.strip_prefix(prefix).map(|rest| rest.trim_matches('`'));
    match found {
        "map" => "an object".to_owned(),
        "sequence" => "a list".to_owned(),
        "unit value" | "null" | "Option value" => "null".to_owned(),
        _ => match value("integer ").or_else(|| value("floating point ")).or_else(|| value("boolean ")) {
            Some(value) => value.to_owned(),
            None => shorten(found.strip_prefix("string ").unwrap_or(found)),
        },
    }
}

/// As much of a text from outside as fits into a message, on one line.
pub(super) fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
