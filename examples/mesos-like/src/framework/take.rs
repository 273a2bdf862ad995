//! [`take`]: some of what was offered, for a task.

use crate::wire::{Resource, Scalar, ValueType};

/// Masters count in thousandths.
const PRECISION: f64 = 1_000.0;

/// Takes so much of a resource out of what is offered, as far as it may be used; what is reserved first. Nothing is taken if
/// there is less.
pub fn take(
    offered: &mut [Resource],
    name: &str,
    amount: f64,
    may_use: impl Fn(&Resource) -> bool,
) -> Option<Vec<Resource>> {
    let mut sources: Vec<&mut Resource> =
        offered.iter_mut().filter(|resource| resource.name == name && may_use(resource)).collect();
    let mut missing = in_thousandths(amount);
    if in_thousandths(sources.iter().map(|resource| scalar(resource)).sum()) < missing {
        return None;
    }
    sources.sort_by_key(|resource| reserved_for(resource).is_none());
    let mut taken = Vec::new();
    for source in sources {
        let (has, part) = (scalar(source), in_thousandths(scalar(source).min(missing)));
        if part > 0.0 {
            source.scalar = Some(Scalar { value: in_thousandths(has - part) });
            taken.push(Resource { scalar: Some(Scalar { value: part }), ..source.clone() });
            missing = in_thousandths(missing - part);
        }
    }
    Some(taken)
}

/// How much there is of a resource that is an amount.
#[must_use]
pub fn scalar(resource: &Resource) -> f64 {
    match resource.r#type() {
        ValueType::Scalar => resource.scalar.as_ref().map_or(0.0, |scalar| scalar.value),
        _ => 0.0,
    }
}

/// The role that a resource is reserved for.
#[must_use]
pub fn reserved_for(resource: &Resource) -> Option<&str> {
    let newest = resource.reservations.last().and_then(|reservation| reservation.role.as_deref());
    newest.or_else(|| resource.role.as_deref().filter(|role| *role != "*"))
}

/// An amount as masters count it.
#[must_use]
pub fn in_thousandths(amount: f64) -> f64 {
    (amount * PRECISION).round() / PRECISION
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpus(value: f64, role: Option<&str>) -> Resource {
        let role = role.map(str::to_owned);
        let mut resource =
            Resource { name: "cpus".to_owned(), scalar: Some(Scalar { value }), role, ..Resource::default() };
        resource.set_type(ValueType::Scalar);
        resource
    }

    #[test]
    fn what_is_reserved_goes_first_and_all_or_nothing_is_taken() {
        let mut offered = [cpus(0.3, None), cpus(0.2, Some("web")), cpus(9.0, Some("db"))];
        let may_use = |resource: &Resource| resource.role.as_deref() != Some("db");
        assert_eq!(take(&mut offered, "cpus", 0.6, may_use), None);
        let taken = take(&mut offered, "cpus", 0.3, may_use).expect("there is as much");
        assert_eq!(taken.iter().map(scalar).collect::<Vec<_>>(), [0.2, 0.1]);
        assert_eq!(offered.iter().map(scalar).collect::<Vec<_>>(), [0.2, 0.0, 9.0]);
        assert_eq!(take(&mut offered, "cpus", 0.0, may_use), Some(Vec::new()));
    }
}
