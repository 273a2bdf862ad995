//! What is recorded, and how Marathon comes back from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::entropy::SeededEntropy;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Deployment, Failure, GroupInfo, Instance, Marathon, Phase, Settings};
use crate::marathon::model::{App, AppId, Version};

/// Where the framework's id is recorded.
pub(super) const FRAMEWORK: &str = "framework";

/// What is recorded is none of Marathon's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record {name:?} cannot be read: {reason}; was it written by a newer version?")]
pub struct RecordError {
    name: String,
    reason: String,
}

impl Marathon {
    /// Marathon as it was when everything was recorded.
    ///
    /// # Errors
    /// [`RecordError`] if something is recorded that is none of Marathon's.
    pub fn recover(
        settings: Settings,
        entropy: SeededEntropy,
        recorded: &BTreeMap<String, Value>,
    ) -> Result<Self, RecordError> {
        let mut marathon = Self::new(settings, entropy);
        let mut apps = Vec::new();
        for (name, value) in recorded {
            let wrong = |reason: String| RecordError { name: name.clone(), reason };
            let (kind, rest) = name.split_once('/').unwrap_or((name, ""));
            match kind {
                FRAMEWORK => marathon.framework_id = value["id"].as_str().map(str::to_owned),
                "app" => {
                    apps.push((read::<AppId>(&rest.into()).map_err(wrong)?, read::<Version>(value).map_err(wrong)?))
                }
                "app-version" => {
                    let (millis, id) = rest.split_once('/').ok_or_else(|| wrong("it has no version".to_owned()))?;
                    let version = Version(millis.parse().map_err(|_| wrong("its version is no number".to_owned()))?);
                    let app = read::<Option<App>>(value).map_err(wrong)?;
                    marathon.history.put(&read(&id.into()).map_err(wrong)?, version, app.map(Arc::new));
                    marathon.last_version = marathon.last_version.max(version);
                }
                "group" => {
                    let info: GroupInfo = read(value).map_err(wrong)?;
                    marathon.last_version = marathon.last_version.max(info.version);
                    marathon.root.groups.insert(read(&rest.into()).map_err(wrong)?, Arc::new(info));
                }
                "deployment" => {
                    let deployment: Deployment = read(value).map_err(wrong)?;
                    marathon.last_version = marathon.last_version.max(deployment.version);
                    marathon.deployments.insert(deployment.id.clone(), deployment);
                }
                "instance" => marathon.put_instance(read::<Instance>(value).map_err(wrong)?),
                "failure" => drop(
                    marathon
                        .failures
                        .insert(read(&rest.into()).map_err(wrong)?, read::<Failure>(value).map_err(wrong)?),
                ),
                _ => return Err(wrong("nothing of this name is known".to_owned())),
            }
        }
        for (id, version) in apps {
            let app = marathon.history.get(&id, version).cloned();
            let missing =
                || RecordError { name: format!("app/{id}"), reason: format!("there is no version {version}") };
            marathon.root.apps.insert(id.clone(), app.ok_or_else(missing)?);
        }
        // What was recorded is no change.
        marathon.out = super::Out::default();
        Ok(marathon)
    }

    /// An instance is so, now and when this process is gone.
    pub(super) fn put_instance(&mut self, instance: Instance) {
        self.out.changes.insert(format!("instance/{}", instance.id), written(&instance));
        self.by_app.entry(instance.app.clone()).or_default().insert(instance.id.clone());
        match instance.phase {
            Phase::Reserved => {}
            Phase::Released => drop(self.released.insert(instance.id.clone())),
            _ => drop(self.by_task.insert(instance.task_id.clone(), instance.id.clone())),
        }
        self.instances.insert(instance.id.clone(), instance);
    }

    /// An instance is no more.
    pub(super) fn remove_instance(&mut self, id: &str) -> Option<Instance> {
        let instance = self.instances.remove(id)?;
        self.out.changes.insert(format!("instance/{id}"), None);
        self.by_task.remove(&instance.task_id);
        self.released.remove(id);
        if let Some(ids) = self.by_app.get_mut(&instance.app) {
            ids.remove(id);
            if ids.is_empty() {
                self.by_app.remove(&instance.app);
            }
        }
        Some(instance)
    }

    /// A deployment is so far, now and when this process is gone.
    pub(super) fn put_deployment(&mut self, deployment: Deployment) {
        self.out.changes.insert(format!("deployment/{}", deployment.id), written(&deployment));
        self.deployments.insert(deployment.id.clone(), deployment);
    }

    /// A deployment is no more.
    pub(super) fn remove_deployment(&mut self, id: &str) -> Option<Deployment> {
        self.out.changes.insert(format!("deployment/{id}"), None);
        self.deployments.remove(id)
    }

    /// An app became this, or nothing.
    pub(super) fn record_app(&mut self, id: &AppId, version: Version, app: Option<Arc<App>>) {
        let spec = format!("app-version/{:013}/{id}", version.0);
        // Many records are written in parts, in the order of their keys: a version before the app and the deployment that name it,
        // so that whatever moment ends the process, nothing names what is not there.
        // That there was nothing is recorded too: a group can be put back to what it was then.
        self.out.changes.insert(spec, Some(app.as_deref().and_then(written).unwrap_or_default()));
        self.out.changes.insert(format!("app/{id}"), app.as_ref().and_then(|_| written(&version)));
        self.history.put(id, version, app);
    }

    /// A version of an app is forgotten.
    pub(super) fn forget_spec(&mut self, id: &AppId, version: Version) {
        self.out.changes.insert(format!("app-version/{:013}/{id}", version.0), None);
    }

    /// A group is so, or nothing is known of it.
    pub(super) fn record_group(&mut self, id: &AppId, info: Option<&GroupInfo>) {
        self.out.changes.insert(format!("group/{id}"), info.and_then(written));
    }

    /// An app failed so.
    pub(super) fn record_failure(&mut self, app: &AppId, failure: Option<Failure>) {
        self.out.changes.insert(format!("failure/{app}"), failure.as_ref().and_then(written));
        match failure {
            Some(failure) => drop(self.failures.insert(app.clone(), failure)),
            None => drop(self.failures.remove(app)),
        }
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    T::deserialize(value).map_err(|error| error.to_string())
}

/// What is recorded has texts for keys, and so can be written.
fn written(value: &impl Serialize) -> Option<Value> {
    serde_json::to_value(value).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::key_name::key_name;
    use crate::marathon::core::tests::settings;

    #[test]
    fn however_many_records_of_a_change_are_written_nothing_names_what_is_not_there() {
        let mut marathon = Marathon::new(settings(), SeededEntropy::new(1));
        let app = |number: u32| (None, json!({ "id": format!("/a-{number}"), "cmd": "x", "portDefinitions": [] }));
        marathon.put((0..40).map(app).collect(), true, false, Version(1_000)).expect("put");
        let mut changes: Vec<(String, Option<Value>)> = std::mem::take(&mut marathon.out.changes).into_iter().collect();
        changes.sort_by_key(|(name, _)| key_name(name));
        for written in 0..=changes.len() {
            let some = changes[..written].iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
            let recovered = Marathon::recover(settings(), SeededEntropy::new(1), &some.collect());
            let recovered = recovered.expect("what was written is enough");
            let named = recovered.deployments.values().flat_map(|deployment| &deployment.apps);
            assert!(
                named
                    .into_iter()
                    .all(|(id, change)| recovered.history.get(id, change.to.unwrap_or_default()).is_some())
            );
        }
    }
}
