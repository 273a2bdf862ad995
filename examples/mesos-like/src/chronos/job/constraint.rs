//! [`Constraint`]: where a job may run.

use serde_json::{Value, json};

use crate::pattern::Pattern;
use crate::resources::attribute_text;
use crate::wire::{Attribute, Offer, ValueType};

/// Where a job may run: what must be so of an agent's attribute, or of its hostname.
#[derive(Clone, Debug)]
pub struct Constraint {
    attribute: String,
    operator: Operator,
    value: String,
}

#[derive(Clone, Debug)]
enum Operator {
    /// The value is this one. `CLUSTER` with a value says the same.
    Equals(&'static str),
    Like(Pattern),
    Unlike(Pattern),
}

impl Constraint {
    /// Reads `["rack", "LIKE", "r[1-3]"]`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(value: &Value, path: &str) -> Result<Self, String> {
        let texts: Option<Vec<&str>> = value.as_array().and_then(|parts| parts.iter().map(Value::as_str).collect());
        let Some([attribute, operator, value]) = texts.as_deref() else {
            return Err(format!("{path}: a constraint has three texts, as in [\"rack\", \"EQUALS\", \"r1\"]"));
        };
        let pattern = || Pattern::new(value).map_err(|error| format!("{path}: {error}"));
        let operator = match *operator {
            "EQUALS" => Operator::Equals("EQUALS"),
            "CLUSTER" => Operator::Equals("CLUSTER"),
            "LIKE" => Operator::Like(pattern()?),
            "UNLIKE" => Operator::Unlike(pattern()?),
            other => return Err(format!("{path}: {other} is no operator: write EQUALS, CLUSTER, LIKE or UNLIKE")),
        };
        if attribute.is_empty() {
            return Err(format!("{path}: the attribute has no name"));
        }
        Ok(Self { attribute: (*attribute).to_owned(), operator, value: (*value).to_owned() })
    }

    /// As it was read.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let operator = match &self.operator {
            Operator::Equals(name) => name,
            Operator::Like(_) => "LIKE",
            Operator::Unlike(_) => "UNLIKE",
        };
        json!([self.attribute, operator, self.value])
    }

    /// Whether an agent's offer will do. An attribute that is not there is equal to and like nothing.
    #[must_use]
    pub fn allows(&self, offer: &Offer) -> bool {
        let values = match offer.attributes.iter().find(|attribute| attribute.name == self.attribute) {
            Some(attribute) => values(attribute),
            None if self.attribute == "hostname" => vec![offer.hostname.clone()],
            None => return matches!(self.operator, Operator::Unlike(_)),
        };
        match &self.operator {
            Operator::Equals(_) => values.contains(&self.value),
            Operator::Like(pattern) => values.iter().any(|value| pattern.matches(value)),
            Operator::Unlike(pattern) => !values.iter().any(|value| pattern.matches(value)),
        }
    }
}

impl PartialEq for Constraint {
    fn eq(&self, other: &Self) -> bool {
        self.to_json() == other.to_json()
    }
}

/// The values of an attribute, of which a set has several.
fn values(attribute: &Attribute) -> Vec<String> {
    match (attribute.r#type(), &attribute.set) {
        (ValueType::Set, Some(set)) => set.item.clone(),
        _ => vec![attribute_text(attribute)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::attributes;

    fn allows(constraint: Value) -> bool {
        let offer = Offer {
            hostname: "agent-1".to_owned(),
            attributes: attributes("rack:r1;level:2;zones:{a, b}").expect("attributes"),
            ..Offer::default()
        };
        Constraint::read(&constraint, "constraints[0]").expect("a constraint").allows(&offer)
    }

    #[test]
    fn constraints_hold_attributes_and_hostnames_against_values_and_patterns() {
        for (constraint, holds) in [
            (json!(["rack", "EQUALS", "r1"]), true),
            (json!(["rack", "EQUALS", "r"]), false),
            (json!(["rack", "CLUSTER", "r1"]), true),
            (json!(["rack", "LIKE", "r[1-3]"]), true),
            (json!(["rack", "LIKE", "r"]), false),
            (json!(["rack", "UNLIKE", "r[2-3]"]), true),
            (json!(["rack", "UNLIKE", "r1|r2"]), false),
            (json!(["level", "EQUALS", "2"]), true),
            (json!(["zones", "LIKE", "b"]), true),
            (json!(["zones", "UNLIKE", "b"]), false),
            (json!(["hostname", "LIKE", "agent-.*"]), true),
            (json!(["hostname", "EQUALS", "agent-2"]), false),
            (json!(["none", "EQUALS", "x"]), false),
            (json!(["none", "LIKE", ".*"]), false),
            (json!(["none", "UNLIKE", ".*"]), true),
        ] {
            assert_eq!(allows(constraint.clone()), holds, "{constraint}");
        }
    }

    #[test]
    fn what_is_no_constraint_is_refused() {
        for (constraint, part) in [
            (json!(["rack", "EQUALS"]), "three texts"),
            (json!(["rack", "UNIQUE", "x"]), "UNIQUE is no operator"),
            (json!(["rack", "LIKE", "("]), "is no regular expression"),
            (json!(["", "EQUALS", "x"]), "no name"),
            (json!("rack"), "three texts"),
        ] {
            let refused = Constraint::read(&constraint, "constraints[0]").expect_err("none");
            assert!(refused.starts_with("constraints[0]: ") && refused.contains(part), "{refused}");
        }
    }
}
