//! [`container_spec`]: what a container gets, with every reference resolved.

use std::net::IpAddr;

use orch_core::object::{Container, EnvFromSource, EnvVar, EnvVarSource, Pod, Quantity};
use orch_core::runtime::{ContainerSpec, ImageName, ResourceLimits};

use super::NodeAgentConfig;
use super::downward::{field, resource};
use super::expansion::expand;
use super::privileges::privileges;
use super::references::References;

/// What of the node, the sandbox and the store a container can refer to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) pod_ip: IpAddr,
    pub(super) config: &'a NodeAgentConfig,
    pub(super) references: &'a References,
}

/// What a container gets but for its mounts, or why it cannot be told.
///
/// Its environment is, in this order: what the node gives to every container; `HOSTNAME`; `POD_IP`, because plain
/// processes share the node's network and must know which address is theirs; what `envFrom` names; its own variables.
/// Values may refer to all variables before them, the command and the arguments to all.
///
/// # Errors
/// A message for people: it refers to something that there is not, or must not be started as it says.
pub(super) fn container_spec(
    pod: &Pod,
    container: &Container,
    around: Surroundings<'_>,
) -> Result<ContainerSpec, String> {
    let mut env = around.config.environment.clone();
    env.push(("HOSTNAME".to_owned(), hostname(pod)));
    env.push(("POD_IP".to_owned(), around.pod_ip.to_string()));
    for source in &container.env_from {
        env.extend(all_of(source, around.references)?);
    }
    for variable in &container.env {
        if let Some(value) = value(pod, container, variable, around, &env)? {
            env.push((variable.name.clone(), value));
        }
    }
    let expand = |words: &[String]| words.iter().map(|word| expand(word, |name| lookup(&env, name))).collect();
    let (command, args) = (expand(&container.command), expand(&container.args));
    Ok(ContainerSpec {
        image: image(container).transpose()?,
        command,
        args,
        working_dir: container.working_dir.clone().filter(|folder| !folder.is_empty()).map(Into::into),
        limits: limits(container, around.config),
        mounts: Vec::new(),
        privileges: privileges(pod, container)?,
        stdin: container.stdin,
        tty: container.tty,
        env,
    })
}

/// The image that a container names, if it names one.
pub(super) fn image(container: &Container) -> Option<Result<ImageName, String>> {
    let image = container.image.as_deref().filter(|image| !image.is_empty())?;
    Some(image.parse::<ImageName>().map_err(|error| error.to_string()))
}

/// The host name that the pod's containers see.
pub(super) fn hostname(pod: &Pod) -> String {
    pod.spec.hostname.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| pod.metadata.name.clone())
}

fn limits(container: &Container, config: &NodeAgentConfig) -> ResourceLimits {
    let amount = |quantity: Option<&Quantity>, unit: fn(Quantity) -> i64| {
        quantity.and_then(|quantity| u64::try_from(unit(*quantity)).ok())
    };
    let resources = &container.resources;
    ResourceLimits {
        cpu_millis: amount(resources.limits.get("cpu"), Quantity::millis),
        memory_bytes: amount(resources.limits.get("memory"), Quantity::value),
        processes: config.processes_per_container,
        cpu_share_millis: amount(resources.request("cpu"), Quantity::millis),
    }
}

fn lookup<'a>(env: &'a [(String, String)], name: &str) -> Option<&'a str> {
    env.iter().rev().find(|(variable, _)| variable == name).map(|(_, value)| value.as_str())
}

/// All values of a config map or secret, as variables. Those of a config map that are no text are left out, as in
/// Kubernetes.
fn all_of(source: &EnvFromSource, references: &References) -> Result<Vec<(String, String)>, String> {
    let prefix = source.prefix.as_deref().unwrap_or_default();
    if let Some(named) = &source.config_map_ref {
        let Some(map) = references.config_maps.get(&named.name) else {
            return missing("configmap", &named.name, named.optional).map(Option::unwrap_or_default);
        };
        return Ok(map.data.iter().map(|(key, value)| (format!("{prefix}{key}"), value.clone())).collect());
    }
    let Some(named) = &source.secret_ref else { return Ok(Vec::new()) };
    let Some(secret) = references.secrets.get(&named.name) else {
        return missing("secret", &named.name, named.optional).map(Option::unwrap_or_default);
    };
    secret.values().map(|(key, value)| Ok((format!("{prefix}{key}"), text(value, &named.name, key)?))).collect()
}

/// The value of a variable; `None` if it is not to be set.
fn value(
    pod: &Pod,
    container: &Container,
    variable: &EnvVar,
    around: Surroundings<'_>,
    env: &[(String, String)],
) -> Result<Option<String>, String> {
    let Some(source) = &variable.value_from else {
        return Ok(Some(expand(variable.value.as_deref().unwrap_or_default(), |name| lookup(env, name))));
    };
    let in_variable = |message: String| format!("variable {}: {message}", variable.name);
    if let Some(selector) = &source.field_ref {
        return field(pod, selector, around).map(Some).map_err(in_variable);
    }
    if let Some(selector) = &source.resource_field_ref {
        return resource(pod, selector, Some(container), around.config).map(Some).map_err(in_variable);
    }
    referred(pod, source, around.references).unwrap_or_else(|| {
        Err(in_variable("valueFrom names no source, use fieldRef: {fieldPath: metadata.name} or the like".to_owned()))
    })
}

/// The value of a key of a config map or secret, if the source names one; `None` within if it is not to be set.
fn referred(pod: &Pod, source: &EnvVarSource, references: &References) -> Option<Result<Option<String>, String>> {
    let no_key = |key: &str, kind: &str, name: &str, optional: bool| match optional {
        true => Ok(None),
        false => {
            let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
            Err(format!("couldn't find key {key} in {kind} {namespace}/{name}"))
        }
    };
    if let Some(selector) = &source.config_map_key_ref {
        let Some(map) = references.config_maps.get(&selector.name) else {
            return Some(missing("configmap", &selector.name, selector.optional));
        };
        return Some(match map.data.get(&selector.key) {
            Some(value) => Ok(Some(value.clone())),
            None => no_key(&selector.key, "ConfigMap", &selector.name, selector.optional),
        });
    }
    let selector = source.secret_key_ref.as_ref()?;
    let Some(secret) = references.secrets.get(&selector.name) else {
        return Some(missing("secret", &selector.name, selector.optional));
    };
    Some(match secret.value(&selector.key) {
        Some(value) => text(value, &selector.name, &selector.key).map(Some),
        None => no_key(&selector.key, "Secret", &selector.name, selector.optional),
    })
}

/// What is so when there is no such object.
fn missing<T>(kind: &str, name: &str, optional: bool) -> Result<Option<T>, String> {
    if optional { Ok(None) } else { Err(format!("{kind} \"{name}\" not found")) }
}

fn text(value: &[u8], secret: &str, key: &str) -> Result<String, String> {
    String::from_utf8(value.to_vec())
        .map_err(|_| format!("key {key} of secret \"{secret}\" is no text: use it as a file of a volume"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use orch_core::object::{ConfigMap, ObjectFieldSelector, ObjectMeta, PodSpec, Secret, Uid};

    use super::*;

    fn pod() -> Pod {
        let metadata = ObjectMeta {
            name: "web-1".into(),
            namespace: Some("shop".into()),
            uid: Some(Uid::new("u-1")),
            labels: [("app".to_owned(), "web".to_owned())].into(),
            annotations: [("note".to_owned(), "n".to_owned())].into(),
            ..ObjectMeta::default()
        };
        Pod { metadata, spec: PodSpec { node_name: Some("node-1".into()), ..PodSpec::default() }, ..Pod::default() }
    }

    fn literal(name: &str, value: &str) -> EnvVar {
        EnvVar { name: name.into(), value: Some(value.into()), value_from: None }
    }

    fn field(name: &str, path: &str) -> EnvVar {
        let field_ref = Some(ObjectFieldSelector { api_version: None, field_path: path.into() });
        EnvVar {
            name: name.into(),
            value: None,
            value_from: Some(EnvVarSource { field_ref, ..EnvVarSource::default() }),
        }
    }

    fn resolve(container: &Container) -> Result<ContainerSpec, String> {
        resolve_with(container, &References::default())
    }

    fn resolve_with(container: &Container, references: &References) -> Result<ContainerSpec, String> {
        let mut config = NodeAgentConfig::new("node-1", [192, 168, 0, 1].into());
        config.environment = vec![("PATH".to_owned(), "/bin".to_owned())];
        let around = Surroundings { pod_ip: [10, 0, 0, 7].into(), config: &config, references };
        container_spec(&pod(), container, around)
    }

    #[test]
    fn every_field_that_a_variable_can_name_has_its_value() {
        let table = [
            ("metadata.name", "web-1"),
            ("metadata.namespace", "shop"),
            ("metadata.uid", "u-1"),
            ("metadata.labels['app']", "web"),
            ("metadata.labels['none']", ""),
            ("metadata.annotations['note']", "n"),
            ("spec.nodeName", "node-1"),
            ("status.hostIP", "192.168.0.1"),
            ("status.podIP", "10.0.0.7"),
            ("status.podIPs", "10.0.0.7"),
        ];
        for (path, expected) in table {
            let container = Container { env: vec![field("V", path)], ..Container::default() };
            let spec = resolve(&container).expect("it resolves");
            assert_eq!(lookup(&spec.env, "V"), Some(expected), "{path}");
        }
    }

    #[test]
    fn a_field_that_there_is_not_is_named_in_the_error() {
        let container = Container { env: vec![field("V", "spec.secret")], ..Container::default() };
        let message = resolve(&container).expect_err("no such field");
        assert!(message.contains("variable V") && message.contains("spec.secret"), "{message}");
    }

    #[test]
    fn values_see_what_stands_before_them_and_commands_see_all() {
        let container = Container {
            command: vec!["serve".into(), "$(B)".into()],
            args: vec!["$$(B)".into(), "$(POD_IP):$(PORT)".into(), "$(HOSTNAME)$(NONE)".into()],
            env: vec![literal("A", "$(B)"), literal("B", "$(A)!"), field("PORT", "metadata.name"), literal("B", "b")],
            ..Container::default()
        };
        let spec = resolve(&container).expect("it resolves");
        assert_eq!(spec.command, ["serve", "b"]);
        assert_eq!(spec.args, ["$(B)", "10.0.0.7:web-1", "web-1$(NONE)"]);
        let names: Vec<&str> = spec.env.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["PATH", "HOSTNAME", "POD_IP", "A", "B", "PORT", "B"]);
        assert_eq!(spec.env[3].1, "$(B)", "not yet known when it is used");
        assert_eq!(spec.env[4].1, "$(B)!", "what came out of an expansion is not expanded again");
    }

    #[test]
    fn limits_are_handed_on_in_the_runtimes_units() {
        let quantity = |text| Quantity::parse(text).expect("a quantity");
        let mut container = Container::default();
        container.resources.limits = [("cpu".into(), quantity("1500m")), ("memory".into(), quantity("64Mi"))].into();
        let limits = resolve(&container).expect("it resolves").limits;
        assert_eq!(
            limits,
            ResourceLimits {
                cpu_millis: Some(1_500),
                memory_bytes: Some(64 << 20),
                processes: Some(1024),
                cpu_share_millis: Some(1_500),
            }
        );
    }

    fn container(text: &str) -> Container {
        serde_json::from_str(text).expect("a container")
    }

    fn references() -> References {
        let map = |text| Arc::new(serde_json::from_str::<ConfigMap>(text).expect("a config map"));
        let secret = |text| Arc::new(serde_json::from_str::<Secret>(text).expect("a secret"));
        References {
            config_maps: [("m".to_owned(), map(r#"{"metadata": {"name": "m"}, "data": {"a": "1", "b": "2"}}"#))].into(),
            secrets: [("s".to_owned(), secret(r#"{"metadata": {"name": "s"}, "data": {"p": "cHc=", "x": "/w=="}}"#))]
                .into(),
        }
    }

    #[test]
    fn variables_come_from_config_maps_and_secrets_and_the_later_wins() {
        let found = container(
            r#"{"name": "web", "args": ["$(P_a)", "$(b)", "$(PW)", "$(NONE)"],
                "envFrom": [{"prefix": "P_", "configMapRef": {"name": "m"}}, {"configMapRef": {"name": "m"}},
                            {"configMapRef": {"name": "none", "optional": true}}],
                "env": [{"name": "b", "value": "own"},
                        {"name": "PW", "valueFrom": {"secretKeyRef": {"name": "s", "key": "p"}}},
                        {"name": "NONE", "valueFrom": {"secretKeyRef": {"name": "s", "key": "q", "optional": true}}}]}"#,
        );
        let spec = resolve_with(&found, &references()).expect("it resolves");
        assert_eq!(spec.args, ["1", "own", "pw", "$(NONE)"]);
    }

    #[test]
    fn what_is_missing_is_told_in_kubernetes_words() {
        for (source, message) in [
            (r#""envFrom": [{"configMapRef": {"name": "x"}}]"#, "configmap \"x\" not found"),
            (r#""envFrom": [{"secretRef": {"name": "x"}}]"#, "secret \"x\" not found"),
            (
                r#""env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "x", "key": "k"}}}]"#,
                "configmap \"x\" not found",
            ),
            (
                r#""env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}}]"#,
                "couldn't find key k in ConfigMap shop/m",
            ),
            (
                r#""env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]"#,
                "couldn't find key k in Secret shop/s",
            ),
            (
                r#""env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "x"}}}]"#,
                "key x of secret \"s\" is no text: use it as a file of a volume",
            ),
        ] {
            let found = container(&format!(r#"{{"name": "web", {source}}}"#));
            assert_eq!(resolve_with(&found, &references()), Err(message.to_owned()));
        }
    }
}
