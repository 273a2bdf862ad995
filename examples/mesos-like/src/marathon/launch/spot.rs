//! [`Spot`]: where an instance is or would be, as constraints look at it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::wire::{Attribute, Offer, ValueType};

/// Where an instance is or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spot {
    /// The agent's name.
    pub host: String,
    /// What the agent says of itself, as text.
    pub attributes: BTreeMap<String, String>,
    /// Its region.
    pub region: Option<String>,
    /// Its zone.
    pub zone: Option<String>,
}

impl Spot {
    /// Where an instance would be that takes an offer.
    #[must_use]
    pub fn of(offer: &Offer) -> Self {
        let domain = offer.domain.as_ref().and_then(|domain| domain.fault_domain.as_ref());
        Self {
            host: offer.hostname.clone(),
            attributes: offer.attributes.iter().map(|attribute| (attribute.name.clone(), text(attribute))).collect(),
            region: domain.map(|domain| domain.region.name.clone()),
            zone: domain.map(|domain| domain.zone.name.clone()),
        }
    }

    /// What stands there for a constraint's field.
    #[must_use]
    pub fn value(&self, field: &str) -> Option<Cow<'_, str>> {
        match field {
            "hostname" | "@hostname" => Some(Cow::from(&self.host)),
            "@region" => self.region.as_deref().map(Cow::from),
            "@zone" => self.zone.as_deref().map(Cow::from),
            name => self.attributes.get(name).map(Cow::from),
        }
    }
}

/// An attribute as text: `0.###`, `[1-2,5-6]`, `{a,b}`, or itself.
fn text(attribute: &Attribute) -> String {
    match attribute.r#type() {
        ValueType::Scalar => number(attribute.scalar.as_ref().map_or(0.0, |scalar| scalar.value)),
        ValueType::Ranges => {
            let ranges = attribute.ranges.iter().flat_map(|ranges| &ranges.range);
            let ranges: Vec<String> = ranges.map(|range| format!("{}-{}", range.begin, range.end)).collect();
            format!("[{}]", ranges.join(","))
        }
        ValueType::Set => {
            format!("{{{}}}", attribute.set.as_ref().map(|set| set.item.join(",")).unwrap_or_default())
        }
        ValueType::Text => attribute.text.as_ref().map(|text| text.value.clone()).unwrap_or_default(),
    }
}

/// A number with at most three digits behind the point, and none that say nothing.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Range, Ranges, Scalar, Set};

    #[test]
    fn attributes_are_compared_as_text() {
        for (value, expected) in [(1.0, "1"), (1.5, "1.5"), (0.12345, "0.123"), (100.0, "100"), (-2.5, "-2.5")] {
            assert_eq!(number(value), expected);
        }
        let mut attribute = Attribute { name: "a".to_owned(), ..Attribute::default() };
        attribute.scalar = Some(Scalar { value: 2.25 });
        attribute.set_type(ValueType::Scalar);
        assert_eq!(text(&attribute), "2.25");
        attribute.ranges = Some(Ranges { range: vec![Range { begin: 1, end: 2 }, Range { begin: 5, end: 6 }] });
        attribute.set_type(ValueType::Ranges);
        assert_eq!(text(&attribute), "[1-2,5-6]");
        attribute.set = Some(Set { item: vec!["x".to_owned(), "y".to_owned()] });
        attribute.set_type(ValueType::Set);
        assert_eq!(text(&attribute), "{x,y}");
    }
}
