//! Resources as one number or text for each name, and attributes likewise.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Fields;
use crate::wire::{Attribute, Range, Resource, Scalar, ValueType};

/// Resources by their names, all that have the same name together.
#[must_use]
pub fn resources<'a>(resources: impl IntoIterator<Item = &'a Resource>) -> Value {
    let mut scalars = BTreeMap::from(["cpus", "gpus", "mem", "disk"].map(|name| (name.to_owned(), 0.0)));
    let mut ranges: BTreeMap<String, Vec<Range>> = BTreeMap::new();
    let mut sets: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for resource in resources {
        let revocable = if resource.revocable.is_some() { "_revocable" } else { "" };
        let name = format!("{}{revocable}", resource.name);
        match resource.r#type() {
            ValueType::Scalar => {
                *scalars.entry(name).or_default() += resource.scalar.as_ref().map_or(0.0, |scalar| scalar.value)
            }
            ValueType::Ranges => {
                ranges.entry(name).or_default().extend(resource.ranges.iter().flat_map(|ranges| ranges.range.clone()));
            }
            ValueType::Set => {
                sets.entry(name).or_default().extend(resource.set.iter().flat_map(|set| set.item.clone()))
            }
            ValueType::Text => {}
        }
    }
    let mut fields = Fields::default();
    for (name, value) in scalars {
        // Mesos counts in thousandths.
        fields.put(&name, (value * 1000.0).round() / 1000.0);
    }
    for (name, ranges) in ranges {
        fields.put(&name, ranges_text(ranges));
    }
    for (name, mut items) in sets {
        items.sort_unstable();
        items.dedup();
        fields.put(&name, set_text(&items));
    }
    fields.into()
}

/// Amounts by their names.
#[must_use]
pub fn quantities(amounts: &BTreeMap<String, Scalar>) -> Value {
    amounts.iter().map(|(name, amount)| (name.clone(), Value::from(amount.value))).collect()
}

/// Attributes by their names.
#[must_use]
pub fn attributes(attributes: &[Attribute]) -> Value {
    let mut fields = Fields::default();
    for attribute in attributes {
        let value: Value = match attribute.r#type() {
            ValueType::Scalar => attribute.scalar.as_ref().map_or(0.0, |scalar| scalar.value).into(),
            ValueType::Ranges => ranges_text(attribute.ranges.clone().unwrap_or_default().range).into(),
            ValueType::Set => set_text(&attribute.set.clone().unwrap_or_default().item).into(),
            ValueType::Text => attribute.text.clone().unwrap_or_default().value.into(),
        };
        fields.put(&attribute.name, value);
    }
    fields.into()
}

/// `[1-2, 5-9]`, in order, and what touches as one.
fn ranges_text(mut ranges: Vec<Range>) -> String {
    ranges.sort_unstable_by_key(|range| range.begin);
    let mut merged: Vec<Range> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.begin <= last.end.saturating_add(1) => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    let texts: Vec<String> = merged.iter().map(|range| format!("{}-{}", range.begin, range.end)).collect();
    format!("[{}]", texts.join(", "))
}

fn set_text(items: &[String]) -> String {
    format!("{{{}}}", items.join(", "))
}

/// For which role a resource is kept, if it is.
pub(crate) fn reserved_for(resource: &Resource) -> Option<&str> {
    let refined = resource.reservations.last().and_then(|reservation| reservation.role.as_deref());
    refined.or(resource.role.as_deref()).filter(|role| *role != "*")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::{Ranges, Set, Text};

    fn scalar(name: &str, value: f64, role: &str) -> Resource {
        let scalar = Some(Scalar { value });
        let role = Some(role.to_owned());
        Resource { name: name.to_owned(), r#type: ValueType::Scalar.into(), scalar, role, ..Resource::default() }
    }

    #[test]
    fn resources_of_one_name_are_shown_together_and_the_common_ones_always() {
        let range = vec![Range { begin: 5, end: 9 }, Range { begin: 1, end: 2 }, Range { begin: 3, end: 3 }];
        let ports = Resource {
            name: "ports".to_owned(),
            r#type: ValueType::Ranges.into(),
            ranges: Some(Ranges { range }),
            ..Resource::default()
        };
        let shown = resources(&[scalar("cpus", 0.1, "*"), scalar("cpus", 0.2, "web"), ports]);
        let expected = json!({"cpus": 0.3, "mem": 0.0, "disk": 0.0, "gpus": 0.0, "ports": "[1-3, 5-9]"});
        assert_eq!(shown, expected);
        assert_eq!(
            (reserved_for(&scalar("cpus", 1.0, "*")), reserved_for(&scalar("cpus", 1.0, "a/b"))),
            (None, Some("a/b"))
        );
    }

    #[test]
    fn attributes_are_shown_by_their_kind() {
        let attribute = |name: &str, kind: ValueType| Attribute {
            name: name.to_owned(),
            r#type: kind.into(),
            ..Attribute::default()
        };
        let text = Attribute { text: Some(Text { value: "r1".to_owned() }), ..attribute("rack", ValueType::Text) };
        let item = vec!["x".to_owned(), "y".to_owned()];
        let set = Attribute { set: Some(Set { item }), ..attribute("zones", ValueType::Set) };
        let size = Attribute { scalar: Some(Scalar { value: 2.5 }), ..attribute("size", ValueType::Scalar) };
        assert_eq!(attributes(&[text, set, size]), json!({"rack": "r1", "zones": "{x, y}", "size": 2.5}));
    }
}
