//! Whether an instance may be somewhere, by one of its app's constraints.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::spot::{Spot, number};
use crate::marathon::model::{Constraint, Operator};
use crate::pattern::Pattern;

/// Whether an instance may be at a spot, where the others of its app are at those. `seen` are all spots that are known of, for
/// constraints that spread instances over groups of which nobody says how many there are.
pub(super) fn meets(constraint: &Constraint, spot: &Spot, others: &[Spot], seen: &[Spot]) -> bool {
    let Some(value) = spot.value(&constraint.field) else { return constraint.operator == Operator::Unlike };
    let (field, wanted) = (&constraint.field, constraint.value.as_deref());
    let alike = || others.iter().filter(|other| other.value(field).as_ref() == Some(&value)).count();
    match constraint.operator {
        Operator::Unique => alike() == 0,
        Operator::Cluster => match wanted {
            Some(wanted) => value == wanted,
            None => others.is_empty() || alike() == others.len(),
        },
        Operator::GroupBy => spreads(&value, field, wanted, others, seen),
        Operator::Like => matches(wanted, &value),
        Operator::Unlike => !matches(wanted, &value),
        Operator::MaxPer => wanted.and_then(|most| most.parse().ok()).is_some_and(|most: usize| alike() < most),
        Operator::Is => {
            wanted.is_some_and(|wanted| wanted == value || as_number(wanted).is_some_and(|wanted| wanted == value))
        }
    }
}

/// A group with the fewest; where it is said how many there are, one without any is preferred until so many are known.
fn spreads(value: &str, field: &str, wanted: Option<&str>, others: &[Spot], seen: &[Spot]) -> bool {
    let mut groups = BTreeMap::<Cow<'_, str>, usize>::new();
    for other in others {
        if let Some(group) = other.value(field) {
            *groups.entry(group).or_default() += 1;
        }
    }
    let here = groups.get(value).copied().unwrap_or_default();
    let fewest = match wanted.and_then(|count| count.parse::<usize>().ok()) {
        Some(count) if groups.len() < count => 0,
        Some(_) => groups.values().copied().min().unwrap_or_default(),
        None => {
            let known: BTreeSet<Cow<'_, str>> = seen.iter().filter_map(|spot| spot.value(field)).collect();
            let fewest = known.iter().map(|group| groups.get(group).copied().unwrap_or_default()).min();
            fewest.unwrap_or_default().min(groups.values().copied().min().unwrap_or_default())
        }
    };
    here <= fewest
}

fn matches(pattern: Option<&str>, value: &str) -> bool {
    // Patterns were compiled when the app was read.
    pattern.and_then(|pattern| Pattern::new(pattern).ok()).is_some_and(|pattern| pattern.matches(value))
}

fn as_number(text: &str) -> Option<String> {
    text.parse::<f64>().ok().map(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(host: &str, rack: Option<&str>) -> Spot {
        let attributes = rack.map(|rack| ("rack".to_owned(), rack.to_owned())).into_iter().collect();
        Spot { host: host.to_owned(), attributes, ..Spot::default() }
    }

    fn allowed(operator: &str, value: Option<&str>, there: Option<&str>, others: &[&str], seen: &[&str]) -> bool {
        let texts = ["rack", operator].into_iter().chain(value).map(str::to_owned).collect::<Vec<_>>();
        let constraint = Constraint::try_from(texts).expect("a constraint");
        let spots = |racks: &[&str]| racks.iter().map(|rack| spot("h", Some(rack))).collect::<Vec<_>>();
        meets(&constraint, &spot("h", there), &spots(others), &spots(seen))
    }

    #[test]
    fn each_operator_allows_what_it_says() {
        // operator, value, the rack of the offer, the racks of the other instances, the racks that are known: allowed?
        type Row<'a> = (&'a str, Option<&'a str>, Option<&'a str>, &'a [&'a str], &'a [&'a str], bool);
        let rows: &[Row<'_>] = &[
            ("UNIQUE", None, Some("a"), &["b"], &[], true),
            ("UNIQUE", None, Some("a"), &["b", "a"], &[], false),
            ("CLUSTER", Some("a"), Some("a"), &["b"], &[], true),
            ("CLUSTER", Some("a"), Some("b"), &[], &[], false),
            ("CLUSTER", None, Some("b"), &[], &[], true),
            ("CLUSTER", None, Some("b"), &["b", "b"], &[], true),
            ("CLUSTER", None, Some("a"), &["b"], &[], false),
            ("GROUP_BY", Some("2"), Some("a"), &[], &[], true),
            ("GROUP_BY", Some("2"), Some("a"), &["a"], &[], false),
            ("GROUP_BY", Some("2"), Some("b"), &["a"], &[], true),
            ("GROUP_BY", Some("2"), Some("a"), &["a", "b"], &[], true),
            ("GROUP_BY", Some("2"), Some("a"), &["a", "a", "b"], &[], false),
            ("GROUP_BY", Some("3"), Some("a"), &["a", "b"], &[], false),
            ("GROUP_BY", None, Some("a"), &["a"], &["a", "b"], false),
            ("GROUP_BY", None, Some("a"), &["a"], &["a"], true),
            ("GROUP_BY", None, Some("b"), &["a"], &["a", "b"], true),
            ("GROUP_BY", None, Some("a"), &["a", "b"], &["a", "b"], true),
            ("LIKE", Some("a|b"), Some("b"), &[], &[], true),
            ("LIKE", Some("a"), Some("ab"), &[], &[], false),
            ("LIKE", Some("a.*"), None, &[], &[], false),
            ("UNLIKE", Some("a"), Some("ab"), &[], &[], true),
            ("UNLIKE", Some("a.*"), Some("ab"), &[], &[], false),
            ("UNLIKE", Some("a"), None, &[], &[], true),
            ("MAX_PER", Some("2"), Some("a"), &["a", "b"], &[], true),
            ("MAX_PER", Some("2"), Some("a"), &["a", "a"], &[], false),
            ("IS", Some("a"), Some("a"), &["a"], &[], true),
            ("IS", Some("a"), Some("b"), &[], &[], false),
            ("IS", Some("1.50"), Some("1.5"), &[], &[], true),
            ("IS", Some("2.0004"), Some("2"), &[], &[], true),
            ("UNIQUE", None, None, &[], &[], false),
            ("CLUSTER", None, None, &[], &[], false),
            ("GROUP_BY", None, None, &[], &[], false),
            ("MAX_PER", Some("2"), None, &[], &[], false),
            ("IS", Some("a"), None, &[], &[], false),
        ];
        for row in rows {
            let (operator, value, there, others, seen, expected) = *row;
            assert_eq!(allowed(operator, value, there, others, seen), expected, "{row:?}");
        }
    }

    #[test]
    fn the_agents_name_its_region_and_its_zone_are_fields_too() {
        let there = Spot { region: Some("eu".to_owned()), zone: Some("eu-1".to_owned()), ..spot("one", None) };
        for (field, value) in [("hostname", "one"), ("@hostname", "one"), ("@region", "eu"), ("@zone", "eu-1")] {
            let is = Constraint { field: field.to_owned(), operator: Operator::Is, value: Some(value.to_owned()) };
            assert!(meets(&is, &there, &[], &[]) && !meets(&is, &spot("two", None), &[], &[]), "{field}");
        }
    }
}
