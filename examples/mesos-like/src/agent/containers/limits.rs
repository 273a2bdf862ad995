//! What a container may use, of what it was given.

use std::collections::BTreeMap;

use orch_core::runtime::ResourceLimits;

use crate::wire::{Resource, Scalar};

/// What a runtime is told of what a container was given. With `cfs`, it gets no more processor time than it was given.
pub(super) fn limits(resources: &[Resource], limits: &BTreeMap<String, Scalar>, cfs: bool) -> ResourceLimits {
    let given = |name: &str| -> Option<f64> {
        let mut amounts = resources.iter().filter(|resource| resource.name == name).peekable();
        amounts.peek()?;
        Some(amounts.filter_map(|resource| resource.scalar.as_ref()).map(|scalar| scalar.value).sum())
    };
    let most = |name: &str| limits.get(name).map(|scalar| scalar.value);
    let cpus = given("cpus");
    ResourceLimits {
        cpu_millis: most("cpus").or(cpus.filter(|_| cfs)).and_then(|cpus| whole(cpus * 1000.0)),
        cpu_share_millis: cpus.and_then(|cpus| whole(cpus * 1000.0)),
        memory_bytes: most("mem").or(given("mem")).and_then(|megabytes| whole(megabytes * 1_048_576.0)),
        processes: None,
    }
}

/// As a whole number; none if it is without end, or nothing at all.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is checked, and rounded on purpose")]
fn whole(amount: f64) -> Option<u64> {
    (amount.is_finite() && amount > 0.0).then(|| amount.round() as u64).filter(|amount| *amount > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ValueType;

    fn scalar(name: &str, value: f64) -> Resource {
        Resource {
            name: name.to_owned(),
            r#type: ValueType::Scalar.into(),
            scalar: Some(Scalar { value }),
            ..Resource::default()
        }
    }

    #[test]
    fn parts_of_one_resource_count_together_and_a_limit_counts_before_what_was_given() {
        let given = [scalar("cpus", 0.5), scalar("mem", 32.0), scalar("cpus", 0.25), scalar("disk", 1.0)];
        let plain = limits(&given, &BTreeMap::new(), false);
        assert_eq!((plain.cpu_millis, plain.cpu_share_millis), (None, Some(750)));
        assert_eq!(plain.memory_bytes, Some(32 << 20));
        assert_eq!(limits(&given, &BTreeMap::new(), true).cpu_millis, Some(750));
        let most = [("mem".to_owned(), Scalar { value: f64::INFINITY }), ("cpus".to_owned(), Scalar { value: 2.0 })];
        let more = limits(&given, &most.into(), false);
        assert_eq!((more.cpu_millis, more.memory_bytes), (Some(2000), None));
        assert_eq!(limits(&[], &BTreeMap::new(), true), ResourceLimits::default());
    }
}
