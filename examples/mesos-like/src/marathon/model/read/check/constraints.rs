//! Where instances may run: what can never hold is refused.

use super::super::findings::Findings;
use crate::marathon::model::{App, Constraint, Operator};
use crate::pattern::Pattern;

pub(super) fn check(app: &App, findings: &mut Findings) {
    for (index, constraint) in app.constraints.iter().enumerate() {
        let path = format!("/constraints({index})");
        if constraint.field.is_empty() {
            findings.add(&path, "the field is empty: name `hostname`, `@region`, `@zone` or an attribute of agents");
        }
        if let Err(why) = value(constraint) {
            findings.add(&path, why);
        }
        let before = &app.constraints[..index];
        if let Some(other) = before.iter().find(|other| contradict(other, constraint)) {
            let (field, one, two) = (&constraint.field, wanted(other), wanted(constraint));
            findings.add(&path, format!("{field} cannot be both {one} and {two}: no instance can ever run"));
        }
    }
}

/// Whether the value is one that its operator can do something with.
fn value(constraint: &Constraint) -> Result<(), String> {
    let (operator, value) = (constraint.operator, constraint.value.as_deref());
    let name = operator.text();
    match (operator, value) {
        (Operator::Unique, None) | (Operator::Cluster | Operator::GroupBy, None) => Ok(()),
        (Operator::Unique, Some(_)) => Err(format!("{name} has no value: leave it out")),
        (Operator::Like | Operator::Unlike, Some(value)) => Pattern::new(value).map(drop),
        (Operator::Like | Operator::Unlike, None) => Err(format!("{name} needs a regular expression as its value")),
        (Operator::MaxPer, None) => Err(format!("{name} needs a value: how many instances may have the same")),
        (Operator::MaxPer | Operator::GroupBy, Some(value)) => match value.parse::<u32>() {
            Ok(1..) => Ok(()),
            _ => Err(format!("{value:?} is no value of {name}: it is a whole number from 1")),
        },
        (Operator::Is, None) => Err(format!("{name} needs a value")),
        (Operator::Is | Operator::Cluster, Some("")) => Err(format!("the value of {name} is empty")),
        (Operator::Is | Operator::Cluster, Some(_)) => Ok(()),
    }
}

/// Whether both want one field to be something, and not the same.
fn contradict(one: &Constraint, other: &Constraint) -> bool {
    let is_wanted = |constraint: &Constraint| matches!(constraint.operator, Operator::Is | Operator::Cluster);
    let (Some(left), Some(right)) = (&one.value, &other.value) else { return false };
    let (a, b) = (one.field.trim_start_matches('@'), other.field.trim_start_matches('@'));
    // `@hostname` is `hostname`, but an attribute may be called `zone`.
    let same_field = one.field == other.field || (a == b && a == "hostname");
    is_wanted(one) && is_wanted(other) && same_field && !is_same(left, right)
}

/// Whether two values are the same, as numbers if they are numbers.
fn is_same(left: &str, right: &str) -> bool {
    match (left.parse::<f64>(), right.parse::<f64>()) {
        (Ok(left), Ok(right)) => left == right || (left - right).abs() < 0.001,
        _ => left == right,
    }
}

fn wanted(constraint: &Constraint) -> String {
    format!("{:?}", constraint.value.as_deref().unwrap_or_default())
}
