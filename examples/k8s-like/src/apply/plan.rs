//! Decides what must be written for the store to say what a manifest says.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_controllers::namespace::NamespaceController;
use orch_controllers::service_address::ServiceAllocator;
use orch_core::client::{ClientError, Precondition};
use orch_core::encoding::Kinds;
use orch_core::key::Key;
use orch_core::kind::{AnyObject, Object as _, Scope};
use orch_core::object::{Namespace, Service};
use serde_json::Value;

use super::merge::merge;
use super::{ApplyError, LAST_APPLIED, MANIFEST};

/// One write. Their order is that in which they must be made.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Create(Arc<dyn AnyObject>),
    Update { object: Arc<dyn AnyObject>, on: Precondition },
    Delete(Arc<dyn AnyObject>),
}

/// What the store says, by key.
pub(super) type Current = BTreeMap<Key, Arc<dyn AnyObject>>;

/// What a manifest asks for.
pub(super) struct Desired<'a> {
    pub(super) kinds: &'a Kinds,
    /// Tells this manifest's objects from those of others.
    pub(super) manifest: &'a str,
    pub(super) objects: &'a [Arc<dyn AnyObject>],
}

/// The writes, namespaces first and deletions last, that make `current` what is desired.
pub(super) fn plan(desired: &Desired<'_>, current: &Current) -> Result<Vec<Step>, ApplyError> {
    let mut wanted = BTreeMap::new();
    for object in desired.objects {
        wanted.insert(object.key().map_err(ClientError::from)?, object);
    }
    check_namespaces(desired, &wanted, current)?;
    let mut steps = Vec::new();
    for object in in_order(desired.objects) {
        let key = object.key().map_err(ClientError::from)?;
        let said = object.to_json().map_err(|error| ApplyError::Encode { key: key.clone(), error })?;
        match current.get(&key) {
            Some(old) if old.metadata().is_deleting() => return Err(ApplyError::StillDeleting { key }),
            Some(old) => steps.extend(update(desired, &key, &said, old)?),
            None => {
                let mut new = object.clone_arc();
                let fields = Arc::get_mut(&mut new).expect("an object just copied is shared with nobody");
                mark(fields, desired.manifest, &said);
                if fields.kind().name == Namespace::KIND.name {
                    // From the first moment: without it a namespace could go before what is in it.
                    fields.metadata_mut().finalizers.push(NamespaceController::FINALIZER.to_owned());
                }
                steps.push(Step::Create(new));
            }
        }
    }
    let gone = current.iter().filter(|(key, old)| !wanted.contains_key(*key) && leaves(old, desired.manifest));
    let gone: Vec<_> = gone.map(|(_, old)| Arc::clone(old)).collect();
    steps.extend(in_order(&gone).into_iter().rev().map(|object| Step::Delete(Arc::clone(object))));
    Ok(steps)
}

/// What holds others comes before what is in it, and a service that asks for its address or a node port before one that
/// could be given just that.
fn in_order(objects: &[Arc<dyn AnyObject>]) -> Vec<&Arc<dyn AnyObject>> {
    let mut ordered: Vec<_> = objects.iter().collect();
    ordered.sort_by_key(|object| (object.kind().scope == Scope::Namespaced, !asks(&***object)));
    ordered
}

fn asks(object: &dyn AnyObject) -> bool {
    let spec = object.downcast_ref::<Service>().map(|service| &service.spec);
    spec.is_some_and(|spec| spec.cluster_ip.is_some() || spec.ports.iter().any(|port| port.node_port.is_some()))
}

/// Whether an object that the manifest does not name was named by it before, and goes.
fn leaves(old: &Arc<dyn AnyObject>, manifest: &str) -> bool {
    let metadata = old.metadata();
    // What a controller makes for an object may carry the object's annotations, and came from no manifest.
    metadata.owner_references.is_empty()
        && !metadata.is_deleting()
        && metadata.annotations.get(MANIFEST).is_some_and(|other| other == manifest)
}

fn check_namespaces(
    desired: &Desired<'_>,
    wanted: &BTreeMap<Key, &Arc<dyn AnyObject>>,
    current: &Current,
) -> Result<(), ApplyError> {
    let stays = |namespace: &Key| current.get(namespace).is_some_and(|old| !leaves(old, desired.manifest));
    let lives_nowhere = |key: &&Key| {
        let namespace = key.namespace().and_then(|name| Key::new(&Namespace::KIND, None, name).ok());
        namespace.is_some_and(|namespace| !wanted.contains_key(&namespace) && !stays(&namespace))
    };
    match wanted.keys().find(lives_nowhere) {
        Some(key) => Err(ApplyError::NoNamespace { key: key.clone() }),
        None => Ok(()),
    }
}

fn update(desired: &Desired<'_>, key: &Key, said: &[u8], old: &Arc<dyn AnyObject>) -> Result<Option<Step>, ApplyError> {
    let json = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap_or_default();
    let encode = |error| ApplyError::Encode { key: key.clone(), error };
    let before = old.metadata().annotations.get(LAST_APPLIED).map_or(Value::Null, |text| json(text.as_bytes()));
    let merged = merge(&before, &json(said), &json(&old.to_json().map_err(encode)?));
    let text = merged.to_string();
    let mut new = desired
        .kinds
        .decode(key.collection(), text.as_bytes())
        .map_err(|error| ApplyError::Merge { key: key.clone(), message: error.to_string() })?;
    let fields = Arc::get_mut(&mut new).expect("an object just decoded is shared with nobody");
    mark(fields, desired.manifest, said);
    if let (Some(old), Some(service)) = (old.downcast_ref::<Service>(), new.downcast_ref::<Service>()) {
        let mut service = service.clone();
        ServiceAllocator::keep_given(old, &mut service);
        new = Arc::new(service);
    }
    if new.equals(&**old) {
        return Ok(None);
    }
    Ok(Some(Step::Update { object: new, on: Precondition::of(&**old)? }))
}

fn mark(object: &mut dyn AnyObject, manifest: &str, said: &[u8]) {
    let annotations = &mut object.metadata_mut().annotations;
    annotations.insert(MANIFEST.to_owned(), manifest.to_owned());
    annotations.insert(LAST_APPLIED.to_owned(), String::from_utf8_lossy(said).into_owned());
}

#[cfg(test)]
mod tests {
    use orch_core::object::{Deployment, OwnerReference, Uid};
    use orch_core::revision::Revision;

    use super::*;

    fn read(text: &str) -> Vec<Arc<dyn AnyObject>> {
        let objects = Kinds::builtin().in_namespace("shop").read(text).expect("a valid manifest");
        objects.into_iter().map(|item| item.object).collect()
    }

    fn planned(text: &str, current: &Current) -> Result<Vec<Step>, ApplyError> {
        let (kinds, objects) = (Kinds::builtin(), read(text));
        plan(&Desired { kinds: &kinds, manifest: "web", objects: &objects }, current)
    }

    /// Makes the writes on a map.
    fn made(steps: Vec<Step>, current: &mut Current) {
        for step in steps {
            let (Step::Create(object) | Step::Update { object, .. } | Step::Delete(object)) = &step;
            let (key, mut object) = (object.key().expect("a key"), object.clone_arc());
            if let Step::Delete(_) = step {
                current.remove(&key);
                continue;
            }
            let metadata = Arc::get_mut(&mut object).expect("just copied").metadata_mut();
            metadata.uid = Some(Uid::new("u"));
            metadata.revision = Some(metadata.revision.unwrap_or_default().next());
            current.insert(key, object);
        }
    }

    const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n";

    fn service(name: &str) -> String {
        format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: 80}}]}}\n---\n")
    }

    #[test]
    fn applying_the_same_manifest_again_writes_nothing() {
        let mut current = Current::new();
        let text = format!("{}{NAMESPACE}", service("a"));
        let steps = planned(&text, &current).expect("a plan");
        assert!(matches!(&steps[0], Step::Create(first) if first.kind().name == "Namespace"), "{steps:?}");
        made(steps, &mut current);
        assert!(planned(&text, &current).expect("a plan").is_empty());
    }

    #[test]
    fn what_left_the_manifest_is_deleted_and_what_others_made_stays() {
        let mut current = Current::new();
        made(planned(&format!("{NAMESPACE}{}", service("a")), &current).expect("a plan"), &mut current);
        current.extend(read(&service("other")).into_iter().map(|object| (object.key().expect("a key"), object)));
        let mut made_for_it = read(&service("child")).remove(0);
        let metadata = Arc::get_mut(&mut made_for_it).expect("just read").metadata_mut();
        metadata.owner_references = vec![OwnerReference::default()];
        metadata.annotations.insert(MANIFEST.to_owned(), "web".to_owned());
        current.insert(made_for_it.key().expect("a key"), made_for_it);
        let steps = planned(NAMESPACE, &current).expect("a plan");
        assert!(matches!(&steps[..], [Step::Delete(gone)] if gone.metadata().name == "a"), "{steps:?}");
    }

    #[test]
    fn an_object_whose_namespace_does_not_exist_is_refused() {
        let error = planned(&service("a"), &Current::new()).expect_err("no namespace");
        assert_eq!(error.to_string(), "services/shop/a: namespace \"shop\" is not there; add it to the manifest");
    }

    #[test]
    fn a_namespace_does_not_leave_the_manifest_before_what_lives_in_it() {
        let mut current = Current::new();
        made(planned(&format!("{NAMESPACE}{}", service("a")), &current).expect("a plan"), &mut current);
        let refused = planned(&service("a"), &current);
        assert!(matches!(refused, Err(ApplyError::NoNamespace { .. })), "{refused:?}");
    }

    #[test]
    fn an_update_keeps_what_controllers_wrote() {
        let text = |replicas: i32| {
            format!(
                "{NAMESPACE}apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: {replicas}\n  \
                 selector: {{matchLabels: {{a: b}}}}\n  template:\n    metadata: {{labels: {{a: b}}}}\n    \
                 spec: {{containers: [{{name: c, command: [x]}}]}}\n"
            )
        };
        let mut current = Current::new();
        made(planned(&text(1), &current).expect("a plan"), &mut current);
        let key: Key = "deployments.apps/shop/web".parse().expect("a key");
        let mut old = current[&key].downcast_ref::<Deployment>().expect("a deployment").clone();
        old.status.replicas = 1;
        old.metadata.annotations.insert("deployment.kubernetes.io/revision".into(), "1".into());
        old.metadata.revision = Some(Revision(7));
        current.insert(key, Arc::new(old));
        let steps = planned(&text(2), &current).expect("a plan");
        let [Step::Update { object, on }] = &steps[..] else { panic!("{steps:?}") };
        let new = object.downcast_ref::<Deployment>().expect("a deployment");
        assert_eq!((new.spec.replicas, new.status.replicas, on.revision), (Some(2), 1, Revision(7)));
        assert_eq!(new.metadata.annotations["deployment.kubernetes.io/revision"], "1");
    }
}
