//! [`Wanted`]: the pod that is made of what a file asks for.

use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::{Container, Pod, TaintEffect, Toleration, TolerationOperator, Uid, validate_metadata};
use orch_core::validation::{Invalid, Problems};

use super::{CONFIG_FILE, CONFIG_HASH, CONFIG_SOURCE, FROM_FILE, FilePod};
use crate::name_hash;

/// A pod as it is to be in the store.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) key: Key,
    /// What it is known by: it follows from the node, the name and all that is asked for, and from nothing else.
    pub(super) uid: Uid,
    pub(super) pod: Pod,
    /// Where it is asked for, for a person to find.
    pub(super) place: String,
}

/// Where a pod is asked for, for a person to find.
pub(super) fn place(file: &str, asked: &FilePod) -> String {
    format!("{file}: line {}: Pod {}", asked.line, asked.pod.metadata.name)
}

impl Wanted {
    /// The static pod of a node that a pod in a file asks for.
    ///
    /// # Errors
    /// All that a static pod may not have.
    pub(super) fn new(file: &str, asked: &FilePod, node: &str) -> Result<Self, Invalid> {
        let place = place(file, asked);
        let asked = &asked.pod;
        let mut pod = Pod::default();
        pod.metadata.name = format!("{}-{node}", asked.metadata.name);
        pod.metadata.namespace = Some(asked.metadata.namespace.clone().unwrap_or_else(|| "default".to_owned()));
        pod.metadata.labels.clone_from(&asked.metadata.labels);
        pod.metadata.annotations.clone_from(&asked.metadata.annotations);
        for ours in [CONFIG_SOURCE, CONFIG_HASH, CONFIG_FILE] {
            pod.metadata.annotations.remove(ours);
        }
        pod.spec = asked.spec.clone();
        pod.spec.node_name = Some(node.to_owned());
        check(asked, &pod)?;
        let key = pod.key().map_err(|error| metadata_problem(error.to_string()))?;
        let text = serde_json::to_vec(&pod).map_err(|error| metadata_problem(error.to_string()))?;
        let hash = [b"1", b"2"].map(|half| format!("{:016x}", name_hash::hash(&[half, &text]))).concat();
        let uid = Uid::new(hash.clone());
        let ours = [(CONFIG_SOURCE, FROM_FILE), (CONFIG_HASH, &hash), (CONFIG_FILE, file)];
        pod.metadata.annotations.extend(ours.map(|(name, value)| (name.to_owned(), value.to_owned())));
        // Nothing could run it anywhere else, so no trouble of the node is a reason to end it.
        pod.spec.tolerations.push(Toleration {
            operator: Some(TolerationOperator::Exists),
            effect: Some(TaintEffect::NoExecute),
            ..Toleration::default()
        });
        Ok(Self { key, uid, pod, place })
    }

    /// What its content is known by.
    pub(super) fn hash(&self) -> &str {
        self.uid.as_str()
    }
}

fn metadata_problem(message: String) -> Invalid {
    let mut problems = Problems::default();
    problems.field("metadata", |problems| problems.report(message));
    problems.into_result().err().unwrap_or(Invalid { problems: Vec::new() })
}

/// Reports what only a control plane could give, and what would keep the pod from following its file.
fn check(asked: &Pod, pod: &Pod) -> Result<(), Invalid> {
    let mut problems = Problems::default();
    // A pod that the client refused would keep the others from being made.
    pod.validate(&mut problems);
    problems.field("metadata", |problems| {
        // With the node's name behind it, a long one may be too long.
        validate_metadata(&pod.metadata, problems);
        for (field, is_empty) in [
            ("ownerReferences", asked.metadata.owner_references.is_empty()),
            ("finalizers", asked.metadata.finalizers.is_empty()),
        ] {
            if !is_empty {
                problems.field(field, |problems| {
                    problems.report("not in a static pod, which only its file owns: remove it")
                });
            }
        }
    });
    problems.field("spec", |problems| {
        if asked.spec.automount_service_account_token == Some(true) {
            problems.field("automountServiceAccountToken", |problems| {
                problems.report("there are no service accounts for a static pod: remove it");
            });
        }
        problems.each("initContainers", &asked.spec.init_containers, references);
        problems.each("containers", &asked.spec.containers, references);
        problems.each("volumes", &asked.spec.volumes, |problems, volume| {
            refuse(problems, "configMap", volume.config_map.is_some());
            refuse(problems, "secret", volume.secret.is_some());
        });
    });
    problems.into_result()
}

/// Reports what a container takes from other objects.
fn references(problems: &mut Problems, container: &Container) {
    problems.each("envFrom", &container.env_from, |problems, source| {
        refuse(problems, "configMapRef", source.config_map_ref.is_some());
        refuse(problems, "secretRef", source.secret_ref.is_some());
    });
    problems.each("env", &container.env, |problems, variable| {
        let Some(source) = &variable.value_from else { return };
        problems.field("valueFrom", |problems| {
            refuse(problems, "configMapKeyRef", source.config_map_key_ref.is_some());
            refuse(problems, "secretKeyRef", source.secret_key_ref.is_some());
        });
    });
}

fn refuse(problems: &mut Problems, field: &str, is_there: bool) {
    if is_there {
        problems.field(field, |problems| {
            problems
                .report("a static pod cannot refer to other objects: write the value here, or use a hostPath volume");
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(metadata: &Value, spec: &Value) -> Pod {
        serde_json::from_value(json!({"metadata": metadata, "spec": spec})).expect("a pod")
    }

    fn web() -> Pod {
        pod(&json!({"name": "web"}), &json!({"containers": [{"name": "web", "image": "web"}]}))
    }

    fn wanted(asked: &Pod, node: &str) -> Result<Wanted, Invalid> {
        Wanted::new("web.yaml", &FilePod { line: 3, pod: asked.clone() }, node)
    }

    fn uid(asked: &Pod, node: &str) -> Uid {
        wanted(asked, node).expect("a pod").uid
    }

    #[test]
    fn a_static_pod_has_its_nodes_name_behind_its_own_and_says_where_it_is_from() {
        let mut asked = web();
        asked.metadata.annotations.insert(CONFIG_HASH.to_owned(), "of another life".to_owned());
        asked.metadata.uid = Some(Uid::new("of another life"));
        let made = wanted(&asked, "node-1").expect("a pod");
        let metadata = &made.pod.metadata;
        assert_eq!(made.key.to_string(), "pods/default/web-node-1");
        assert_eq!(made.pod.spec.node_name.as_deref(), Some("node-1"));
        let annotation = |name: &str| metadata.annotations.get(name).map(String::as_str);
        let found = [CONFIG_SOURCE, CONFIG_FILE, CONFIG_HASH].map(annotation);
        assert_eq!(found, [Some("file"), Some("web.yaml"), Some(made.uid.as_str())]);
        assert_eq!(metadata.uid, None, "the client gives it");
        assert!(made.pod.spec.tolerations[0].effect == Some(TaintEffect::NoExecute));
    }

    #[test]
    fn its_uid_follows_from_node_name_and_content_on_every_machine() {
        assert_eq!(uid(&web(), "node-1").as_str(), "d200ace705af15d30afda4dd556d7628");
        let mut asked = web();
        asked.status.message = Some("of another life".to_owned());
        asked.metadata.annotations.insert(CONFIG_HASH.to_owned(), "of another life".to_owned());
        assert_eq!(uid(&asked, "node-1"), uid(&web(), "node-1"));
        let changes: [fn(&mut Pod); 4] = [
            |pod| pod.metadata.name = "web2".to_owned(),
            |pod| pod.metadata.namespace = Some("shop".to_owned()),
            |pod| drop(pod.metadata.labels.insert("app".to_owned(), "web".to_owned())),
            |pod| pod.spec.containers[0].image = Some("web:2".to_owned()),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut changed = web();
            change(&mut changed);
            assert_ne!(uid(&changed, "node-1"), uid(&web(), "node-1"), "change {number}");
        }
        assert_ne!(uid(&web(), "node-2"), uid(&web(), "node-1"));
    }

    #[test]
    fn what_a_static_pod_may_not_have_is_refused_by_its_path() {
        let container = |extra: Value| {
            let mut container = json!({"name": "web", "image": "web"});
            container.as_object_mut().expect("fields").extend(extra.as_object().expect("fields").clone());
            json!({"containers": [container]})
        };
        let with = |extra: Value| {
            let mut spec = container(json!({}));
            spec.as_object_mut().expect("fields").extend(extra.as_object().expect("fields").clone());
            spec
        };
        let name = json!({"name": "web"});
        let owner = json!({"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "b"});
        for (metadata, spec, path) in [
            (&json!({"name": "web", "finalizers": ["a.b/c"]}), with(json!({})), "metadata.finalizers: "),
            (&json!({"name": "web", "ownerReferences": [owner]}), with(json!({})), "metadata.ownerReferences: "),
            (&json!({"name": "w".repeat(250)}), with(json!({})), "metadata.name: "),
            (&name, json!({"containers": []}), "spec.containers: "),
            (&name, with(json!({"automountServiceAccountToken": true})), "spec.automountServiceAccountToken: "),
            (
                &name,
                with(json!({"volumes": [{"name": "a", "secret": {"secretName": "a"}}]})),
                "spec.volumes[0].secret: ",
            ),
            (
                &name,
                with(json!({"volumes": [{"name": "a", "configMap": {"name": "a"}}]})),
                "spec.volumes[0].configMap: ",
            ),
            (
                &name,
                container(json!({"envFrom": [{"secretRef": {"name": "a"}}]})),
                "spec.containers[0].envFrom[0].secretRef: ",
            ),
            (
                &name,
                container(json!({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}]})),
                "spec.containers[0].env[0].valueFrom.configMapKeyRef: ",
            ),
        ] {
            let error = wanted(&pod(metadata, &spec), "node-1").expect_err(path).to_string();
            assert!(error.starts_with(path), "{error}");
        }
        let modest = with(json!({"automountServiceAccountToken": false, "volumes": [{"name": "a", "emptyDir": {}}]}));
        wanted(&pod(&name, &modest), "node-1").expect("nothing is wrong with it");
    }
}
