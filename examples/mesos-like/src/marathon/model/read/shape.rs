//! [`Kind`]: what a field may be, by its form alone.

use serde_json::{Map, Value};

use super::findings::Findings;

/// What a field may be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A text.
    Text,
    /// A text; a number is taken for one.
    TextOrNumber,
    /// True or false.
    Flag,
    /// A number.
    Number,
    /// A whole number from 0 to this one.
    Whole(u64),
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// This text, or what is said about all others.
    Only(&'static str, &'static str),
    /// A list.
    List(&'static Kind),
    /// Any names, and what is under them.
    Map(&'static Kind),
    /// These names, and what is under them; some of them have to be there.
    Object(&'static [(&'static str, Kind)], &'static [&'static str]),
    /// The first if it has its form, otherwise the second.
    Either(&'static Kind, &'static Kind),
    /// Whatever it is: it is looked at later.
    Any,
    /// What only answers say: it is left out.
    Answer,
    /// What there is not, for this reason: it is left out if it says nothing.
    Absent(&'static str),
}

/// The largest number that is exact as a JSON number everywhere.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

/// The fields of an object, as the kinds want them, without those that say nothing. Those that are wrong are left out.
pub(super) fn fields(
    given: Map<String, Value>,
    kinds: &'static [(&'static str, Kind)],
    findings: &mut Findings,
) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in given {
        let mut wrong = Vec::new();
        match read_field(&name, value, kinds, "", &mut wrong) {
            Some(value) if wrong.is_empty() => drop(all.insert(name.clone(), value)),
            _ => {}
        }
        if !wrong.is_empty() {
            findings.unread(&name);
        }
        wrong.into_iter().for_each(|(path, error)| findings.add(&path, error));
    }
    all
}

/// Paths, and what is wrong there.
type Wrong = Vec<(String, String)>;

fn read_field(
    name: &str,
    value: Value,
    kinds: &'static [(&'static str, Kind)],
    path: &str,
    wrong: &mut Wrong,
) -> Option<Value> {
    let path = format!("{path}/{name}");
    match kinds.iter().find(|(known, _)| *known == name) {
        Some((_, kind)) => read(value, kind, &path, wrong),
        None => {
            let nearest = kinds.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            let hint = nearest.map(|(known, _)| format!(": is `{known}` meant?")).unwrap_or_default();
            wrong.push((path, format!("there is no such field{hint}")));
            None
        }
    }
}

/// A value as its kind wants it; none if it says nothing or is wrong.
fn read(value: Value, kind: &'static Kind, path: &str, wrong: &mut Wrong) -> Option<Value> {
    if value.is_null() {
        return None;
    }
    match (kind, value) {
        (Kind::Either(first, second), value) => {
            let kind = if has_form_of(&value, first) { first } else { second };
            read(value, kind, path, wrong)
        }
        (Kind::Any, value) => Some(value),
        (Kind::Answer, _) => None,
        (Kind::Absent(why), value) => {
            if !says_nothing(&value) {
                wrong.push((path.to_owned(), (*why).to_owned()));
            }
            None
        }
        (Kind::List(kind), Value::Array(all)) => {
            let of = |(index, value): (usize, Value)| {
                let path = format!("{path}({index})");
                if value.is_null() {
                    wrong.push((path, "there is nothing here: leave it out".to_owned()));
                    return None;
                }
                read(value, kind, &path, wrong)
            };
            Some(all.into_iter().enumerate().filter_map(of).collect())
        }
        (Kind::Map(kind), Value::Object(all)) => {
            let of =
                |(name, value): (String, Value)| Some((name.clone(), read(value, kind, &under(path, &name), wrong)?));
            Some(Value::Object(all.into_iter().filter_map(of).collect()))
        }
        (Kind::Object(kinds, required), Value::Object(all)) => {
            for name in required.iter().filter(|&&name| all.get(name).is_none_or(Value::is_null)) {
                wrong.push((under(path, name), "it has to be there".to_owned()));
            }
            let of = |(name, value): (String, Value)| {
                let value = read_field(&name, value, kinds, path, wrong)?;
                Some((name, value))
            };
            Some(Value::Object(all.into_iter().filter_map(of).collect()))
        }
        (kind, value) => match plain(value, kind) {
            Ok(value) => Some(value),
            Err(error) => {
                wrong.push((path.to_owned(), error));
                None
            }
        },
    }
}

fn under(path: &str, name: &str) -> String {
    format!("{path}/{name}")
}

/// A value without others in it.
fn plain(value: Value, kind: &Kind) -> Result<Value, String> {
    match (kind, value) {
        (Kind::Text | Kind::TextOrNumber, Value::String(text)) => Ok(Value::String(text)),
        (Kind::TextOrNumber, Value::Number(number)) => Ok(Value::String(number.to_string())),
        (Kind::Flag, Value::Bool(flag)) => Ok(Value::Bool(flag)),
        (Kind::Number, Value::Number(number)) => Ok(Value::Number(number)),
        (Kind::Whole(most), Value::Number(number)) => match whole(&number) {
            Some(whole) if whole <= *most => Ok(whole.into()),
            _ => Err(format!("{number} is not a whole number from 0 to {most}")),
        },
        (Kind::Choice(all), Value::String(text)) => {
            if all.contains(&text.as_str()) {
                Ok(Value::String(text))
            } else {
                Err(format!("{text:?} is none of {}", all.join(", ")))
            }
        }
        (Kind::Only(only, _), Value::String(text)) if text == *only => Ok(Value::String(text)),
        (Kind::Only(_, why), Value::String(text)) => Err(format!("{text:?}: {why}")),
        (Kind::Text, value @ (Value::Number(_) | Value::Bool(_))) => {
            Err(format!("a text is wanted, not {}: write \"{value}\"", form(&value)))
        }
        (kind, value) => Err(format!("{} is wanted, not {}", wanted(kind), form(&value))),
    }
}

fn whole(number: &serde_json::Number) -> Option<u64> {
    if let Some(whole) = number.as_u64() {
        return Some(whole);
    }
    let number = number.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=LARGEST_EXACT).contains(number))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and in range")]
    let whole = number as u64;
    Some(whole)
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

fn has_form_of(value: &Value, kind: &Kind) -> bool {
    match kind {
        Kind::Text | Kind::Choice(_) | Kind::Only(..) => value.is_string(),
        Kind::TextOrNumber => value.is_string() || value.is_number(),
        Kind::Flag => value.is_boolean(),
        Kind::Number | Kind::Whole(_) => value.is_number(),
        Kind::List(_) => value.is_array(),
        Kind::Map(_) | Kind::Object(..) => value.is_object(),
        Kind::Either(first, second) => has_form_of(value, first) || has_form_of(value, second),
        Kind::Any | Kind::Answer | Kind::Absent(_) => true,
    }
}

fn wanted(kind: &Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::TextOrNumber | Kind::Choice(_) | Kind::Only(..) => "a text",
        Kind::Flag => "true or false",
        Kind::Number => "a number",
        Kind::Whole(_) => "a whole number",
        Kind::List(_) => "a list",
        Kind::Map(_) | Kind::Object(..) => "an object",
        Kind::Either(..) | Kind::Any | Kind::Answer | Kind::Absent(_) => "something else",
    }
}

fn form(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
