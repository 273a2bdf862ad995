//! [`Fields`]: reads JSON as clients of Chronos write it: numbers as text, nulls, fields that nobody knows.

use serde_json::{Map, Value};

/// The fields of an object, and what it is called in a refusal.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    fields: &'a Map<String, Value>,
    path: String,
}

impl<'a> Fields<'a> {
    /// The fields of a value.
    ///
    /// # Errors
    /// That it is no object.
    pub(super) fn of(value: &'a Value, path: &str) -> Result<Self, String> {
        let name = if path.is_empty() { "what was sent" } else { path };
        let fields = value.as_object().ok_or_else(|| format!("{name} is no JSON object"))?;
        Ok(Self { fields, path: path.to_owned() })
    }

    /// What stands in a field; nothing if it is null.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// How a field is called in a refusal.
    pub(super) fn name(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn wrong<T>(&self, name: &str, wanted: &str, found: &Value) -> Result<T, String> {
        Err(format!("{}: {found} is not {wanted}", self.name(name)))
    }

    /// Text, which may be written as a number.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Bool(flag)) => Ok(Some(flag.to_string())),
            Some(other) => self.wrong(name, "text", other),
        }
    }

    pub(super) fn text_or_empty(&self, name: &str) -> Result<String, String> {
        self.text(name).map(Option::unwrap_or_default)
    }

    /// True or false, which may be written as text.
    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, String> {
        match self.get(name) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) if text.is_empty() => Ok(default),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(other) => self.wrong(name, "true or false", other),
        }
    }

    /// An amount, which may be written as text; what is not above zero is the default.
    pub(super) fn amount(&self, name: &str, default: f64) -> Result<f64, String> {
        let amount = match self.get(name) {
            None => return Ok(default),
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) if text.trim().is_empty() => return Ok(default),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        match amount.filter(|amount: &f64| amount.is_finite() && *amount >= 0.0 && *amount <= 1e12) {
            Some(0.0) => Ok(default),
            Some(amount) => Ok(amount),
            None => self.wrong(name, "an amount", self.get(name).unwrap_or(&Value::Null)),
        }
    }

    /// A whole number, which may be written as text.
    pub(super) fn count(&self, name: &str, default: u64) -> Result<u64, String> {
        let count = match self.get(name) {
            None => return Ok(default),
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) if text.trim().is_empty() => return Ok(default),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        match count {
            Some(count) => Ok(count),
            None => self.wrong(name, "a whole number of zero or more", self.get(name).unwrap_or(&Value::Null)),
        }
    }

    /// What stands in a list, each read by its value and what it is called.
    pub(super) fn list<T>(
        &self,
        name: &str,
        read: impl Fn(&'a Value, &str) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => {
                let one = |(index, value)| read(value, &format!("{}[{index}]", self.name(name)));
                values.iter().enumerate().map(one).collect()
            }
            Some(other) => self.wrong(name, "a list", other),
        }
    }

    /// A list of texts.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        self.list(name, |value, path| match value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            other => Err(format!("{path}: {other} is not text")),
        })
    }

    /// Text that must be there.
    pub(super) fn needed(&self, name: &str) -> Result<String, String> {
        let text = self.text_or_empty(name)?;
        if text.is_empty() { Err(format!("{} is missing", self.name(name))) } else { Ok(text) }
    }
}
