//! [`container_spec`]: what a container gets, with every reference resolved.

use std::net::IpAddr;

use orch_core::object::{Container, EnvVar, Pod, Quantity};
use orch_core::runtime::{ContainerSpec, ImageName, ResourceLimits};

use super::expansion::expand;

/// What of the node and the sandbox a container can refer to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) pod_ip: IpAddr,
    pub(super) host_ip: IpAddr,
    /// What every container gets before its own variables.
    pub(super) environment: &'a [(String, String)],
}

/// What a container gets, or why it cannot be told.
///
/// Its environment is, in this order: what the node gives to every container; `HOSTNAME`; `POD_IP`, because plain
/// processes share the node's network and must know which address is theirs; its own variables. Values may refer to all
/// variables before them, the command and the arguments to all.
///
/// # Errors
/// A message for people: a variable wants the value of a field that there is not.
pub(super) fn container_spec(
    pod: &Pod,
    container: &Container,
    around: Surroundings<'_>,
) -> Result<ContainerSpec, String> {
    let mut env = around.environment.to_vec();
    env.push(("HOSTNAME".to_owned(), hostname(pod)));
    env.push(("POD_IP".to_owned(), around.pod_ip.to_string()));
    for variable in &container.env {
        let value = value(pod, variable, around, &env)?;
        env.push((variable.name.clone(), value));
    }
    let expand = |words: &[String]| words.iter().map(|word| expand(word, |name| lookup(&env, name))).collect();
    let (command, args) = (expand(&container.command), expand(&container.args));
    let image = container.image.as_deref().filter(|image| !image.is_empty()).map(str::parse::<ImageName>);
    let image = image.transpose().map_err(|error| error.to_string())?;
    let limit = |resource: &str, amount: fn(Quantity) -> i64| {
        container.resources.limits.get(resource).and_then(|limit| u64::try_from(amount(*limit)).ok())
    };
    Ok(ContainerSpec {
        image,
        command,
        args,
        working_dir: container.working_dir.clone().filter(|folder| !folder.is_empty()).map(Into::into),
        limits: ResourceLimits {
            cpu_millis: limit("cpu", Quantity::millis),
            memory_bytes: limit("memory", Quantity::value),
            ..ResourceLimits::default()
        },
        env,
        ..ContainerSpec::default()
    })
}

/// The host name that the pod's containers see.
pub(super) fn hostname(pod: &Pod) -> String {
    pod.spec.hostname.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| pod.metadata.name.clone())
}

fn lookup<'a>(env: &'a [(String, String)], name: &str) -> Option<&'a str> {
    env.iter().rev().find(|(variable, _)| variable == name).map(|(_, value)| value.as_str())
}

fn value(pod: &Pod, variable: &EnvVar, around: Surroundings<'_>, env: &[(String, String)]) -> Result<String, String> {
    let Some(source) = &variable.value_from else {
        return Ok(expand(variable.value.as_deref().unwrap_or_default(), |name| lookup(env, name)));
    };
    let Some(selector) = &source.field_ref else {
        return Err(format!(
            "variable {}: valueFrom names no source, use fieldRef: {{fieldPath: metadata.name}} or the like",
            variable.name
        ));
    };
    if let Some((map, key)) = selector.map_key() {
        let metadata = &pod.metadata;
        let map = if map == "metadata.labels" { &metadata.labels } else { &metadata.annotations };
        return Ok(map.get(key).cloned().unwrap_or_default());
    }
    match selector.field_path.as_str() {
        "metadata.name" => Ok(pod.metadata.name.clone()),
        "metadata.namespace" => Ok(pod.metadata.namespace.clone().unwrap_or_default()),
        "metadata.uid" => Ok(pod.metadata.uid.clone().unwrap_or_default().to_string()),
        "spec.nodeName" => Ok(pod.spec.node_name.clone().unwrap_or_default()),
        "status.hostIP" => Ok(around.host_ip.to_string()),
        "status.podIP" | "status.podIPs" => Ok(around.pod_ip.to_string()),
        path => Err(format!(
            "variable {}: a pod has no field {path:?} that a variable can have the value of; \
             use metadata.name, metadata.labels['KEY'], status.podIP or the like",
            variable.name
        )),
    }
}

#[cfg(test)]
mod tests {
    use orch_core::object::{EnvVarSource, ObjectFieldSelector, ObjectMeta, PodSpec, Uid};

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
        let base = [("PATH".to_owned(), "/bin".to_owned())];
        let around =
            Surroundings { pod_ip: [10, 0, 0, 7].into(), host_ip: [192, 168, 0, 1].into(), environment: &base };
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
            ResourceLimits { cpu_millis: Some(1_500), memory_bytes: Some(64 << 20), ..ResourceLimits::default() }
        );
    }
}
