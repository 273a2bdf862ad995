//! [`field`] and [`resource`]: what of a pod its containers can be told.

use std::collections::BTreeMap;

use orch_core::object::{Container, ObjectFieldSelector, Pod, Quantity, ResourceFieldSelector};

use super::NodeAgentConfig;
use super::environment::Surroundings;

/// The value of a field of the pod.
///
/// # Errors
/// A message for people: a pod has no such field that could be told.
pub(super) fn field(pod: &Pod, selector: &ObjectFieldSelector, around: Surroundings<'_>) -> Result<String, String> {
    let metadata = &pod.metadata;
    if let Some((map, key)) = selector.map_key() {
        let map = if map == "metadata.labels" { &metadata.labels } else { &metadata.annotations };
        return Ok(map.get(key).cloned().unwrap_or_default());
    }
    match selector.field_path.as_str() {
        "metadata.name" => Ok(metadata.name.clone()),
        "metadata.namespace" => Ok(metadata.namespace.clone().unwrap_or_default()),
        "metadata.uid" => Ok(metadata.uid.clone().unwrap_or_default().to_string()),
        "spec.nodeName" => Ok(pod.spec.node_name.clone().unwrap_or_default()),
        "status.hostIP" => Ok(around.config.host_ip.to_string()),
        "status.podIP" | "status.podIPs" => Ok(around.pod_ip.to_string()),
        path => Err(format!(
            "a pod has no field {path:?} that can be told; \
             use metadata.name, metadata.labels['KEY'], status.podIP or the like"
        )),
    }
}

/// All labels or annotations, a line each, as a file of a volume holds them.
pub(super) fn lines(map: &BTreeMap<String, String>) -> String {
    map.iter().map(|(key, value)| format!("{key}={value:?}")).collect::<Vec<_>>().join("\n")
}

/// How much of a resource a container of the pod asks for or may use; `own` is the container that asks, if one does.
///
/// # Errors
/// A message for people: there is no such container or resource.
pub(super) fn resource(
    pod: &Pod,
    selector: &ResourceFieldSelector,
    own: Option<&Container>,
    config: &NodeAgentConfig,
) -> Result<String, String> {
    let named = selector.container_name.as_deref().filter(|name| !name.is_empty());
    let container = match named {
        Some(name) => {
            let mut all = pod.spec.init_containers.iter().chain(&pod.spec.containers);
            all.find(|container| container.name == name).ok_or_else(|| format!("container {name} not found"))?
        }
        None => own.ok_or_else(|| "a volume belongs to no container: name one in containerName".to_owned())?,
    };
    let Some((kind, name)) = selector.resource.split_once('.') else {
        return Err(format!("{:?} is no resource: use limits.cpu, requests.memory or the like", selector.resource));
    };
    let resources = &container.resources;
    let amount = match kind {
        // What is not limited is limited by the node.
        "limits" => resources.limits.get(name).copied().or_else(|| config.allocatable(name)),
        "requests" => resources.request(name).copied(),
        _ => {
            return Err(format!("{:?} is no resource: use limits.cpu, requests.memory or the like", selector.resource));
        }
    };
    let unit = |quantity: Quantity| if name == "cpu" { quantity.millis() } else { quantity.value() };
    let (amount, divisor) = (unit(amount.unwrap_or_default()), unit(selector.divisor()).max(1));
    let rounded_up = amount / divisor + i64::from(amount % divisor > 0);
    Ok(rounded_up.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_told_in_their_unit_and_rounded_up() {
        let quantity = |text: &str| Quantity::parse(text).expect("a quantity");
        let mut container = Container { name: "web".into(), ..Container::default() };
        container.resources.limits = [("cpu".into(), quantity("1500m")), ("memory".into(), quantity("65Mi"))].into();
        container.resources.requests = [("cpu".into(), quantity("250m"))].into();
        let mut pod = Pod::default();
        pod.spec.containers = vec![container, Container { name: "log".into(), ..Container::default() }];
        let mut config = NodeAgentConfig::new("node-1", [127, 0, 0, 1].into());
        config.capacity.insert("cpu".into(), quantity("4"));
        let told = |name: &str, resource: &str, divisor: Option<&str>| {
            let selector = ResourceFieldSelector {
                container_name: Some(name.into()),
                resource: resource.into(),
                divisor: divisor.map(quantity),
            };
            super::resource(&pod, &selector, None, &config)
        };
        for (name, resource, divisor, expected) in [
            ("web", "limits.cpu", None, "2"),
            ("web", "limits.cpu", Some("1m"), "1500"),
            ("web", "requests.cpu", Some("1m"), "250"),
            ("web", "limits.memory", Some("1Mi"), "65"),
            ("web", "limits.memory", Some("1Gi"), "1"),
            ("web", "requests.memory", Some("1Mi"), "65"),
            ("log", "limits.cpu", None, "4"),
            ("log", "requests.cpu", None, "0"),
        ] {
            assert_eq!(told(name, resource, divisor).as_deref(), Ok(expected), "{name} {resource} {divisor:?}");
        }
        assert_eq!(told("none", "limits.cpu", None), Err("container none not found".into()));
        assert!(told("web", "cpu", None).is_err());
    }

    #[test]
    fn labels_are_a_line_each() {
        let labels = BTreeMap::from([("app".to_owned(), "web".to_owned()), ("b".to_owned(), "a \"b\"".to_owned())]);
        assert_eq!(lines(&labels), "app=\"web\"\nb=\"a \\\"b\\\"\"");
    }
}
