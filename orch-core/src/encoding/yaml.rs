//! Objects as YAML: the 1.2 core schema, with octal numbers as in `defaultMode: 0755`.

use std::marker::PhantomData;

use serde::de::{DeserializeSeed, IgnoredAny};
use serde_saphyr::{DefaultMessageFormatter, Error, MessageFormatter as _, Options};

use super::error::{DecodeError, Place};
use super::explain::{
    expected_in_words, from_serde_message, not_as_expected, path_text, shorten, unknown_field, unknown_variant,
};
use super::type_meta::Typed;
use super::{OBJECT_BYTES_MAX, YAML_DEPTH_MAX, check_size};
use crate::kind::Object;

/// How many values and fields one document may have, aliases replaced.
const NODES_MAX: usize = 200_000;
/// How many of those may come from aliases: real manifests repeat a handful of lines.
const ALIASED_NODES_MAX: usize = 20_000;

/// Reads an object from a YAML text of one document.
///
/// # Errors
/// [`DecodeError`], as [`from_json`](super::from_json); also when aliases multiply the text.
pub fn from_yaml<T: Object>(text: &str) -> Result<T, DecodeError> {
    check_size(text.as_bytes(), OBJECT_BYTES_MAX)?;
    read(text, Typed::new())
}

/// Reads one YAML document.
pub(super) fn read<'de, S: DeserializeSeed<'de>>(text: &'de str, seed: S) -> Result<S::Value, DecodeError> {
    let mut track = serde_path_to_error::Track::new();
    let result = serde_saphyr::with_deserializer_from_str_with_options(text, options(), |parser| {
        seed.deserialize(serde_path_to_error::Deserializer::new(parser, &mut track))
    });
    result.map_err(|error| explain(text, &error, path_text(&track.path())))
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: YAML_DEPTH_MAX,
            flow_nesting_limit: YAML_DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_recorded_anchor_events: NODES_MAX,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: ALIASED_NODES_MAX },
        legacy_octal_numbers: true,
        strict_booleans: true,
        // `value: 8080` where text is wanted is refused, as Kubernetes does, instead of guessed.
        no_schema: true,
        with_snippet: false,
    }
}

fn explain(text: &str, error: &Error, path: String) -> DecodeError {
    let location = error.location();
    let (line, column) = location.map_or((1, 0), |at| (at.line() as usize, at.column() as usize));
    let place = Place { path, line, column };
    let mut error = error.without_snippet();
    while let Error::AliasError { error: inner, .. } = error {
        error = inner.without_snippet();
    }
    let found = || found_at(text, error);
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            unknown_field(place, field, expected.iter().map(|&name| name.to_owned()).collect())
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => unknown_variant(place, variant, expected),
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => not_as_expected(place, unexpected, expected),
        Error::InvalidScalar { ty, .. } => {
            invalid(place, format!("expected {}, found {}", expected_in_words(ty), found()))
        }
        Error::Unexpected { expected, .. } => {
            invalid(place, format!("expected {}, found {}", expected_in_words(expected), found()))
        }
        Error::InvalidBooleanStrict { .. } => invalid(place, format!("expected true or false, found {}", found())),
        Error::NullIntoString { .. } => invalid(place, "expected text, found null".to_owned()),
        Error::QuotingRequired { value, .. } => {
            let value = shorten(value);
            invalid(place, format!("expected text, found {value}; if it is meant as text, quote it: {value:?}"))
        }
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            invalid(place, format!("the field {:?} is given twice", shorten(key)))
        }
        Error::Budget { breach: serde_saphyr::budget::BudgetBreach::Depth { .. }, .. } => {
            DecodeError::TooDeep { place: Place { path: String::new(), ..place }, limit: YAML_DEPTH_MAX }
        }
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => DecodeError::TooMuch { place, message: message(error) },
        _ => syntax_or_invalid(text, place, error),
    }
}

/// The parser has one form for its own complaints and those of the types read; only its own come again when nothing
/// is read.
fn syntax_or_invalid(text: &str, place: Place, error: &Error) -> DecodeError {
    let message = message(error);
    let again = serde_saphyr::with_deserializer_from_str_with_options(text, options(), |parser| {
        PhantomData::<IgnoredAny>.deserialize(parser)
    });
    match again {
        Ok(_) => from_serde_message(place, &message),
        Err(_) if message.contains("recursion limit") || message.contains("nesting") => {
            DecodeError::TooDeep { place: Place { path: String::new(), ..place }, limit: YAML_DEPTH_MAX }
        }
        Err(_) => DecodeError::Syntax { place: Place { path: String::new(), ..place }, format: "YAML", message },
    }
}

fn message(error: &Error) -> String {
    shorten_message(&DefaultMessageFormatter.format_message(error))
}

/// A parser's sentence with perhaps a long piece of the text in it.
fn shorten_message(message: &str) -> String {
    match message.char_indices().nth(400) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

fn invalid(place: Place, message: String) -> DecodeError {
    DecodeError::Invalid { place, message }
}

/// The rest of the line at which the parser stopped, as what was found there.
fn found_at(text: &str, error: &Error) -> String {
    let Some(at) = error.location() else { return "something else".to_owned() };
    let line = text.lines().nth((at.line() as usize).saturating_sub(1)).unwrap_or_default();
    let rest: String = line.chars().skip((at.column() as usize).saturating_sub(1)).collect();
    let value = rest.split(" #").next().unwrap_or_default().trim();
    let in_flow = rest.split(", ").next().unwrap_or_default().trim_end().trim_end_matches([']', '}', ',']);
    match value.chars().next() {
        None | Some(':') => "nothing".to_owned(),
        Some('[' | '-') if value.starts_with("- ") || value.starts_with('[') => "a list".to_owned(),
        Some('{') => "an object".to_owned(),
        Some(_) if value.ends_with(':') || value.contains(": ") => "an object".to_owned(),
        Some('"' | '\'') => shorten(in_flow),
        Some(_) => format!("{:?}", shorten(in_flow)),
    }
}
