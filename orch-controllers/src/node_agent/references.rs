//! [`References`]: the config maps and secrets that a pod names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use orch_core::client::ClientError;
use orch_core::controller::ControllerError;
use orch_core::key::Key;
use orch_core::kind::Object;
use orch_core::object::{ConfigMap, Pod, Secret};
use orch_core::store::{Store, StoreExt as _};

/// The config maps and secrets that a pod names, as the store has them.
#[derive(Clone, Debug, Default)]
pub(super) struct References {
    pub(super) config_maps: BTreeMap<String, Arc<ConfigMap>>,
    pub(super) secrets: BTreeMap<String, Arc<Secret>>,
}

/// What a pod names.
#[derive(Debug, Default)]
struct Names<'a> {
    config_maps: BTreeSet<&'a str>,
    secrets: BTreeSet<&'a str>,
}

impl References {
    /// Those of a pod. What is not there, or has a name that nothing can have, is left out.
    pub(super) async fn read(pod: &Pod, store: &dyn Store) -> Result<Self, ControllerError> {
        let names = Names::of(pod);
        Ok(Self {
            config_maps: read(names.config_maps, pod, store).await?,
            secrets: read(names.secrets, pod, store).await?,
        })
    }
}

/// Whether a pod names this config map or secret.
pub(super) fn names<T: Object>(pod: &Pod, name: &str) -> bool {
    let names = Names::of(pod);
    let of_kind = if T::KIND.name == ConfigMap::KIND.name { names.config_maps } else { names.secrets };
    of_kind.contains(name)
}

async fn read<T: Object>(
    names: BTreeSet<&str>,
    pod: &Pod,
    store: &dyn Store,
) -> Result<BTreeMap<String, Arc<T>>, ControllerError> {
    let mut found = BTreeMap::new();
    for name in names {
        let Ok(key) = Key::new(&T::KIND, pod.metadata.namespace.as_deref(), name) else { continue };
        if let Some(object) = store.get_as::<T>(&key).await.map_err(ClientError::from)? {
            found.insert(name.to_owned(), object);
        }
    }
    Ok(found)
}

impl<'a> Names<'a> {
    fn of(pod: &'a Pod) -> Self {
        let mut names = Self::default();
        for container in pod.spec.init_containers.iter().chain(&pod.spec.containers) {
            for source in &container.env_from {
                names.config_maps.extend(source.config_map_ref.as_ref().map(|map| map.name.as_str()));
                names.secrets.extend(source.secret_ref.as_ref().map(|secret| secret.name.as_str()));
            }
            for source in container.env.iter().filter_map(|variable| variable.value_from.as_ref()) {
                names.config_maps.extend(source.config_map_key_ref.as_ref().map(|map| map.name.as_str()));
                names.secrets.extend(source.secret_key_ref.as_ref().map(|secret| secret.name.as_str()));
            }
        }
        for volume in &pod.spec.volumes {
            names.config_maps.extend(volume.config_map.as_ref().map(|map| map.name.as_str()));
            names.secrets.extend(volume.secret.as_ref().map(|secret| secret.secret_name.as_str()));
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use orch_core::object::PodSpec;

    use super::*;

    #[test]
    fn everything_that_names_something_is_found() {
        let text = r#"{
            "containers": [{"name": "web",
                "envFrom": [{"configMapRef": {"name": "a"}}, {"secretRef": {"name": "b"}}],
                "env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]}],
            "initContainers": [{"name": "init",
                "env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "d", "key": "k"}}}]}],
            "volumes": [{"name": "e", "configMap": {"name": "e"}}, {"name": "f", "secret": {"secretName": "f"}}]
        }"#;
        let spec: PodSpec = serde_json::from_str(text).expect("a pod");
        let pod = Pod { spec, ..Pod::default() };
        for (name, is_map, is_secret) in [
            ("a", true, false),
            ("b", false, true),
            ("c", true, false),
            ("d", false, true),
            ("e", true, false),
            ("f", false, true),
            ("g", false, false),
        ] {
            assert_eq!((names::<ConfigMap>(&pod, name), names::<Secret>(&pod, name)), (is_map, is_secret), "{name}");
        }
    }
}
