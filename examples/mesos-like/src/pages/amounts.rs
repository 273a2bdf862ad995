//! [`Amounts`]: resources as people read them.

use std::collections::BTreeMap;

use crate::v0;
use crate::wire::{Resource, ValueType};

/// Amounts by the names of resources.
pub type Amounts = BTreeMap<String, f64>;

/// How much of each kind there is: of what is counted, not of ports.
#[must_use]
pub fn amounts<'a>(resources: impl IntoIterator<Item = &'a Resource>) -> Amounts {
    let mut amounts = Amounts::new();
    for resource in resources.into_iter().filter(|resource| resource.r#type() == ValueType::Scalar) {
        let amount = resource.scalar.as_ref().map_or(0.0, |scalar| scalar.value);
        *amounts.entry(resource.name.clone()).or_default() += amount;
    }
    amounts
}

/// The same in the order in which people look for them.
pub(super) fn in_order(amounts: &Amounts) -> Vec<(&str, f64)> {
    const FIRST: [&str; 4] = ["cpus", "gpus", "mem", "disk"];
    let mut all: Vec<(&str, f64)> = amounts.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    all.sort_by_key(|(name, _)| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    all
}

/// An amount of this resource: memory and disks are in megabytes.
#[must_use]
pub fn amount(name: &str, amount: f64) -> String {
    match name {
        "mem" | "disk" if amount.abs() >= 1024.0 * 1024.0 => format!("{} TB", rounded(amount / 1024.0 / 1024.0, 2)),
        "mem" | "disk" if amount.abs() >= 1024.0 => format!("{} GB", rounded(amount / 1024.0, 2)),
        "mem" | "disk" => format!("{} MB", rounded(amount, 0)),
        _ => rounded(amount, 3),
    }
}

/// Resources in a line: `0.5 cpus, 64 MB mem, ports [31000-31001]`.
#[must_use]
pub fn in_words(resources: &[Resource]) -> String {
    let amounts = amounts(resources);
    let counted = in_order(&amounts).into_iter().filter(|(_, value)| *value != 0.0);
    let counted = counted.map(|(name, value)| format!("{} {name}", amount(name, value)));
    let others = resources.iter().filter(|resource| resource.r#type() != ValueType::Scalar);
    let others = match v0::resources(others) {
        serde_json::Value::Object(fields) => fields,
        _ => serde_json::Map::new(),
    };
    let others = others.iter().filter_map(|(name, value)| Some(format!("{name} {}", value.as_str()?)));
    counted.chain(others).collect::<Vec<_>>().join(", ")
}

/// With as many digits as are there, at most so many behind the point.
fn rounded(number: f64, most: usize) -> String {
    let digits = format!("{number:.most$}");
    let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { &digits };
    if digits == "-0" { "0".to_owned() } else { digits.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::{Form, to_wire};

    #[test]
    fn resources_are_said_with_their_units() {
        let resources = to_wire(
            &"cpus:0.1;cpus(web):0.2;mem:1536;disk:64;ports:[1-2]".parse().expect("resources"),
            &Form::default(),
        );
        assert_eq!(in_words(&resources), "0.3 cpus, 1.5 GB mem, 64 MB disk, ports [1-2]");
        assert_eq!(
            (amount("mem", 3_145_728.0), amount("gpus", 2.0), rounded(-0.0001, 3)),
            ("3 TB".to_owned(), "2".to_owned(), "0".to_owned())
        );
        assert_eq!(in_words(&[]), "");
    }
}
