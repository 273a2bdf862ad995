//! [`Materials`]: what a decision about a pod needs besides the pod and its sandbox, read at the moment of need.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use orch_core::client::ClientError;
use orch_core::controller::ControllerError;
use orch_core::key::Key;
use orch_core::kind::Object;
use orch_core::object::{ConfigMap, Container, Pod, Secret};
use orch_core::runtime::{ImageName, SandboxStatus};
use orch_core::store::StoreExt as _;

use super::effect::Hands;

/// What a pod refers to. What is not in the store is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Materials {
    pub(super) config_maps: BTreeMap<String, Option<Arc<ConfigMap>>>,
    pub(super) secrets: BTreeMap<String, Option<Arc<Secret>>>,
    /// Of each image that a container may have to be started from, whether the node has it, or why that is not known.
    pub(super) images: BTreeMap<ImageName, Result<bool, String>>,
}

impl Materials {
    /// Reads it from the store itself: a cache of every secret of the cluster is nothing that a node should have.
    pub(super) async fn gather(
        hands: &Hands,
        pod: &Pod,
        sandbox: Option<&SandboxStatus>,
    ) -> Result<Self, ControllerError> {
        let names = References::of(pod);
        let mut materials = Self::default();
        for name in names.config_maps {
            materials.config_maps.insert(name.to_owned(), read(hands, pod, name).await?);
        }
        for name in names.secrets {
            materials.secrets.insert(name.to_owned(), read(hands, pod, name).await?);
        }
        if let Some(images) = &hands.images {
            for name in containers(pod).filter(|container| !runs(sandbox, container)).filter_map(image) {
                let found = images.find(&name).await.map(|found| found.is_some());
                materials.images.insert(name, found.map_err(|error| error.to_string()));
            }
        }
        Ok(materials)
    }
}

async fn read<T: Object>(hands: &Hands, pod: &Pod, name: &str) -> Result<Option<Arc<T>>, ControllerError> {
    // A name that is none names nothing.
    let Ok(key) = Key::new(&T::KIND, pod.metadata.namespace.as_deref(), name) else { return Ok(None) };
    Ok(hands.store.get_as::<T>(&key).await.map_err(ClientError::from)?)
}

/// The containers of a pod, those that run first before the others.
pub(super) fn containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    pod.spec.init_containers.iter().chain(&pod.spec.containers)
}

fn image(container: &Container) -> Option<ImageName> {
    container.image.as_deref()?.parse().ok()
}

fn runs(sandbox: Option<&SandboxStatus>, container: &Container) -> bool {
    let attempts = sandbox.into_iter().flat_map(|sandbox| &sandbox.containers);
    attempts.into_iter().any(|attempt| attempt.id.name.as_str() == container.name && attempt.state.is_running())
}

/// The config maps and secrets that a pod names.
#[derive(Debug, Default)]
pub(super) struct References<'a> {
    config_maps: BTreeSet<&'a str>,
    secrets: BTreeSet<&'a str>,
    /// Whether any of them is mounted, so that its changes must be seen while the pod runs.
    pub(super) mounted: bool,
}

impl<'a> References<'a> {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.config_maps.is_empty() && self.secrets.is_empty()
    }

    pub(super) fn of(pod: &'a Pod) -> Self {
        let mut found = Self::default();
        for container in containers(pod) {
            for from in &container.env_from {
                found.config_maps.extend(from.config_map_ref.as_ref().map(|map| map.name.as_str()));
                found.secrets.extend(from.secret_ref.as_ref().map(|secret| secret.name.as_str()));
            }
            for source in container.env.iter().filter_map(|variable| variable.value_from.as_ref()) {
                found.config_maps.extend(source.config_map_key_ref.as_ref().map(|map| map.name.as_str()));
                found.secrets.extend(source.secret_key_ref.as_ref().map(|secret| secret.name.as_str()));
            }
        }
        for volume in &pod.spec.volumes {
            found.config_maps.extend(volume.config_map.as_ref().map(|map| map.name.as_str()));
            found.secrets.extend(volume.secret.as_ref().map(|secret| secret.secret_name.as_str()));
            found.mounted |= volume.config_map.is_some() || volume.secret.is_some();
        }
        found
    }
}
