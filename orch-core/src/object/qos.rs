//! [`PodQosClass`]: how sure a pod can be of what it asks for.

use serde::{Deserialize, Serialize};

use super::pod_spec::PodSpec;
use super::quantity::Quantity;

/// How sure a pod can be of what it asks for; those who can be least sure go first when a node runs out of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PodQosClass {
    /// It asks for nothing.
    #[default]
    BestEffort,
    /// It asks for something.
    Burstable,
    /// Each of its containers has limits of cpu and memory, and requests as much.
    Guaranteed,
}

impl PodQosClass {
    /// The class of a pod. Of the resources, cpu and memory count; of the containers, init containers too.
    #[must_use]
    pub fn of(pod: &PodSpec) -> Self {
        let containers = || pod.containers.iter().chain(&pod.init_containers).map(|container| &container.resources);
        let given = |amount: Option<&Quantity>| amount.copied().filter(|amount| !amount.is_zero());
        let asks = containers().any(|resources| RESOURCES.iter().any(|name| given(resources.request(name)).is_some()));
        let sure = containers().all(|resources| {
            RESOURCES.iter().all(|name| {
                let limit = given(resources.limits.get(*name));
                limit.is_some() && given(resources.request(name)) == limit
            })
        });
        match (asks, sure) {
            (_, true) => Self::Guaranteed,
            (true, false) => Self::Burstable,
            (false, false) => Self::BestEffort,
        }
    }
}

const RESOURCES: [&str; 2] = ["cpu", "memory"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_is_that_of_kubernetes() {
        use PodQosClass::{BestEffort, Burstable, Guaranteed};
        let all = r#"{"limits": {"cpu": "1", "memory": "1Gi"}}"#;
        let same = r#"{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m", "memory": "1Gi"}}"#;
        let less = r#"{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Mi"}}"#;
        let other = r#"{"limits": {"example.org/gpu": "1"}}"#;
        for (class, container, init) in [
            (BestEffort, "{}", "{}"),
            (BestEffort, other, "{}"),
            (BestEffort, r#"{"requests": {"cpu": "0"}}"#, "{}"),
            (Burstable, r#"{"limits": {"cpu": "1"}}"#, "{}"),
            (Burstable, less, all),
            (Burstable, all, "{}"),
            (Burstable, "{}", all),
            (Guaranteed, all, same),
        ] {
            let text = format!(
                r#"{{"containers": [{{"name": "a", "resources": {container}}}],
                    "initContainers": [{{"name": "b", "resources": {init}}}]}}"#
            );
            let pod: PodSpec = serde_json::from_str(&text).expect("a pod");
            assert_eq!(PodQosClass::of(&pod), class, "{text}");
        }
    }
}
