//! [`container_spec`]: what a container gets, with every reference resolved.

use std::collections::BTreeMap;
use std::net::IpAddr;

use orch_core::object::{Container, EnvVar, EnvVarSource, ObjectFieldSelector, Pod, Quantity, ResourceFieldSelector};
use orch_core::runtime::{ContainerSpec, ImageName, ResourceLimits};

use super::expansion::expand;
use super::materials::Materials;
use super::privileges::privileges;

/// What of the node and the sandbox a container can refer to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) pod_ip: IpAddr,
    pub(super) host_ip: IpAddr,
    /// What every container gets before its own variables.
    pub(super) environment: &'a [(String, String)],
    /// What of the node pods may use: the limit of a container that has none.
    pub(super) allocatable: &'a BTreeMap<String, Quantity>,
    /// How many processes a container may have.
    pub(super) processes: Option<u64>,
}

/// What a container gets, or why it cannot be told. Its mounts are not in it: they are known when its volumes were made.
///
/// Its environment is, in this order: what the node gives to every container; `HOSTNAME`; `POD_IP`, because plain
/// processes share the node's network and must know which address is theirs; what it takes from config maps and secrets as a
/// whole; its own variables. Values may refer to all variables before them, the command and the arguments to all.
///
/// # Errors
/// A message for people, worded as Kubernetes words it: a variable wants a value that there is not.
pub(super) fn container_spec(
    pod: &Pod,
    container: &Container,
    materials: &Materials,
    around: Surroundings<'_>,
) -> Result<ContainerSpec, String> {
    let mut env = around.environment.to_vec();
    env.push(("HOSTNAME".to_owned(), hostname(pod)));
    env.push(("POD_IP".to_owned(), around.pod_ip.to_string()));
    env.extend(whole_maps(container, materials)?);
    for variable in &container.env {
        if let Some(value) = value(pod, container, variable, materials, around, &env)? {
            env.push((variable.name.clone(), value));
        }
    }
    let expand = |words: &[String]| words.iter().map(|word| expand(word, |name| lookup(&env, name))).collect();
    let (command, args) = (expand(&container.command), expand(&container.args));
    let image = container.image.as_deref().filter(|image| !image.is_empty()).map(str::parse::<ImageName>);
    let image = image.transpose().map_err(|error| error.to_string())?;
    Ok(ContainerSpec {
        image,
        command,
        args,
        working_dir: container.working_dir.clone().filter(|folder| !folder.is_empty()).map(Into::into),
        limits: limits(container, around),
        mounts: Vec::new(),
        privileges: privileges(pod, container),
        stdin: container.stdin,
        tty: container.tty,
        env,
    })
}

fn limits(container: &Container, around: Surroundings<'_>) -> ResourceLimits {
    let limit = |resource: &str, amount: fn(Quantity) -> i64| {
        container.resources.limits.get(resource).and_then(|limit| u64::try_from(amount(*limit)).ok())
    };
    let share = container.resources.request("cpu").and_then(|request| u64::try_from(request.millis()).ok());
    ResourceLimits {
        cpu_millis: limit("cpu", Quantity::millis),
        memory_bytes: limit("memory", Quantity::value),
        processes: around.processes,
        cpu_share_millis: share,
    }
}

/// The host name that the pod's containers see.
pub(super) fn hostname(pod: &Pod) -> String {
    pod.spec.hostname.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| pod.metadata.name.clone())
}

fn lookup<'a>(env: &'a [(String, String)], name: &str) -> Option<&'a str> {
    env.iter().rev().find(|(variable, _)| variable == name).map(|(_, value)| value.as_str())
}

/// What a container takes from config maps and secrets as a whole. Keys that no variable can be called are left out, and
/// so are values that no variable can have.
fn whole_maps(container: &Container, materials: &Materials) -> Result<Vec<(String, String)>, String> {
    let mut env = Vec::new();
    for from in &container.env_from {
        let prefix = from.prefix.as_deref().unwrap_or_default();
        let mut take = |values: &mut dyn Iterator<Item = (&str, &[u8])>| {
            for (key, value) in values {
                if let Some(value) = text(value)
                    && !key.contains('=')
                {
                    env.push((format!("{prefix}{key}"), value));
                }
            }
        };
        if let Some(map) = &from.config_map_ref {
            match materials.config_maps.get(&map.name).and_then(Option::as_ref) {
                Some(found) => take(&mut found.values()),
                None if map.optional => {}
                None => return Err(format!("configmap {:?} not found", map.name)),
            }
        }
        if let Some(secret) = &from.secret_ref {
            match materials.secrets.get(&secret.name).and_then(Option::as_ref) {
                Some(found) => take(&mut found.values()),
                None if secret.optional => {}
                None => return Err(format!("secret {:?} not found", secret.name)),
            }
        }
    }
    Ok(env)
}

/// What a variable can have as its value.
fn text(value: &[u8]) -> Option<String> {
    String::from_utf8(value.to_vec()).ok().filter(|text| !text.contains('\0'))
}

/// The value of a variable; `None` for one that may be left out and is not there.
fn value(
    pod: &Pod,
    container: &Container,
    variable: &EnvVar,
    materials: &Materials,
    around: Surroundings<'_>,
    env: &[(String, String)],
) -> Result<Option<String>, String> {
    let Some(source) = &variable.value_from else {
        return Ok(Some(expand(variable.value.as_deref().unwrap_or_default(), |name| lookup(env, name))));
    };
    let named = |why: String| format!("variable {}: {why}", variable.name);
    if let Some(selector) = &source.field_ref {
        return field(pod, selector, around).map(Some).map_err(named);
    }
    if let Some(selector) = &source.resource_field_ref {
        return resource(pod, Some(container), selector, around).map(Some).map_err(named);
    }
    if source.config_map_key_ref.is_none() && source.secret_key_ref.is_none() {
        return Err(named(
            "valueFrom names no source, use fieldRef: {fieldPath: metadata.name} or the like".to_owned(),
        ));
    }
    key_of(pod, source, materials)
}

/// The value of a key of a config map or a secret.
fn key_of(pod: &Pod, source: &EnvVarSource, materials: &Materials) -> Result<Option<String>, String> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let missing = |kind: &str, name: &str, key: &str| format!("couldn't find key {key} in {kind} {namespace}/{name}");
    let not_text = |kind: &str, name: &str, key: &str| {
        format!("key {key} of {kind} {namespace}/{name} is not text, so it cannot be the value of a variable: mount it")
    };
    if let Some(map) = &source.config_map_key_ref {
        let found = materials.config_maps.get(&map.name).and_then(Option::as_ref);
        return match found.map(|found| found.value(&map.key)) {
            Some(Some(value)) => text(value).map(Some).ok_or_else(|| not_text("ConfigMap", &map.name, &map.key)),
            _ if map.optional => Ok(None),
            Some(None) => Err(missing("ConfigMap", &map.name, &map.key)),
            None => Err(format!("configmap {:?} not found", map.name)),
        };
    }
    let Some(secret) = &source.secret_key_ref else { return Ok(None) };
    let found = materials.secrets.get(&secret.name).and_then(Option::as_ref);
    match found.map(|found| found.value(&secret.key)) {
        Some(Some(value)) => text(value).map(Some).ok_or_else(|| not_text("Secret", &secret.name, &secret.key)),
        _ if secret.optional => Ok(None),
        Some(None) => Err(missing("Secret", &secret.name, &secret.key)),
        None => Err(format!("secret {:?} not found", secret.name)),
    }
}

/// The value of a field of the pod.
pub(super) fn field(pod: &Pod, selector: &ObjectFieldSelector, around: Surroundings<'_>) -> Result<String, String> {
    if let Some((map, key)) = selector.map_key() {
        let metadata = &pod.metadata;
        let map = if map == "metadata.labels" { &metadata.labels } else { &metadata.annotations };
        return Ok(map.get(key).cloned().unwrap_or_default());
    }
    // As Go quotes them: a line for each.
    let all = |map: &BTreeMap<String, String>| {
        map.iter().map(|(key, value)| format!("{key}={value:?}")).collect::<Vec<_>>().join("\n")
    };
    match selector.field_path.as_str() {
        "metadata.name" => Ok(pod.metadata.name.clone()),
        "metadata.namespace" => Ok(pod.metadata.namespace.clone().unwrap_or_default()),
        "metadata.uid" => Ok(pod.metadata.uid.clone().unwrap_or_default().to_string()),
        "metadata.labels" => Ok(all(&pod.metadata.labels)),
        "metadata.annotations" => Ok(all(&pod.metadata.annotations)),
        "spec.nodeName" => Ok(pod.spec.node_name.clone().unwrap_or_default()),
        "status.hostIP" => Ok(around.host_ip.to_string()),
        "status.podIP" | "status.podIPs" => Ok(around.pod_ip.to_string()),
        path => Err(format!(
            "a pod has no field {path:?} that can be referred to; \
             use metadata.name, metadata.labels['KEY'], status.podIP or the like"
        )),
    }
}

/// What a container asks for or may use of a resource, in units of the divisor, rounded up. Where it has no limit, it may
/// use what the node has for pods.
pub(super) fn resource(
    pod: &Pod,
    container: Option<&Container>,
    selector: &ResourceFieldSelector,
    around: Surroundings<'_>,
) -> Result<String, String> {
    let named = selector.container_name.as_deref().filter(|name| !name.is_empty());
    let mut all = pod.spec.init_containers.iter().chain(&pod.spec.containers);
    let container = match named {
        Some(name) => all.find(|other| other.name == name),
        None => container,
    };
    let container = container.ok_or_else(|| format!("the pod has no container {:?}", named.unwrap_or_default()))?;
    let (kind, resource) = selector.resource.split_once('.').unwrap_or_default();
    let amount = match kind {
        "limits" => container.resources.limits.get(resource).or_else(|| around.allocatable.get(resource)),
        "requests" => container.resources.request(resource),
        _ => return Err(format!("{:?} is no resource of a container: use limits.cpu or the like", selector.resource)),
    };
    let (amount, divisor) = (amount.copied().unwrap_or_default(), selector.divisor());
    let unit = |quantity: Quantity| if resource == "cpu" { quantity.millis() } else { quantity.value() };
    let divisor = unit(divisor).max(1);
    let amount = unit(amount).max(0);
    Ok((amount / divisor + i64::from(amount % divisor > 0)).to_string())
}

#[cfg(test)]
mod tests {
    use orch_core::object::{
        ConfigMap, ConfigMapEnvSource, ConfigMapKeySelector, EnvFromSource, ObjectMeta, PodSpec, Uid,
    };

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
        container_spec(&pod(), container, &materials(), around(&base, &BTreeMap::new()))
    }

    fn around<'a>(base: &'a [(String, String)], allocatable: &'a BTreeMap<String, Quantity>) -> Surroundings<'a> {
        Surroundings {
            pod_ip: [10, 0, 0, 7].into(),
            host_ip: [192, 168, 0, 1].into(),
            environment: base,
            allocatable,
            processes: None,
        }
    }

    /// A config map `settings`, and one that was asked for and is not there.
    fn materials() -> Materials {
        let settings = ConfigMap {
            data: [("colour".to_owned(), "red".to_owned()), ("size".to_owned(), "$(A)".to_owned())].into(),
            ..ConfigMap::default()
        };
        let config_maps = [("settings".to_owned(), Some(std::sync::Arc::new(settings))), ("none".to_owned(), None)];
        Materials { config_maps: config_maps.into(), ..Materials::default() }
    }

    #[test]
    fn config_maps_give_variables_one_by_one_and_as_a_whole() {
        let key = |name: &str, key: &str, optional| EnvVar {
            name: "V".into(),
            value: None,
            value_from: Some(EnvVarSource {
                config_map_key_ref: Some(ConfigMapKeySelector { name: name.into(), key: key.into(), optional }),
                ..EnvVarSource::default()
            }),
        };
        let whole = |name: &str, optional| EnvFromSource {
            prefix: Some("P_".into()),
            config_map_ref: Some(ConfigMapEnvSource { name: name.into(), optional }),
            secret_ref: None,
        };
        let given = |env_from, variable| {
            let container = Container { env_from, env: vec![variable], ..Container::default() };
            resolve(&container).map(|spec| spec.env[3..].to_vec())
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let all = given(vec![whole("settings", false)], key("settings", "colour", false));
        // What comes from elsewhere is not expanded.
        assert_eq!(all, Ok(vec![pair("P_colour", "red"), pair("P_size", "$(A)"), pair("V", "red")]));
        assert_eq!(given(vec![whole("none", true)], key("settings", "no", true)), Ok(vec![]));
        for (env_from, variable, why) in [
            (vec![], key("settings", "no", false), "couldn't find key no in ConfigMap shop/settings"),
            (vec![], key("none", "a", false), "configmap \"none\" not found"),
            (vec![whole("none", false)], literal("A", ""), "configmap \"none\" not found"),
        ] {
            assert_eq!(given(env_from, variable), Err(why.to_owned()));
        }
    }

    #[test]
    fn resources_are_told_in_units_of_the_divisor_rounded_up() {
        let quantity = |text: &str| Quantity::parse(text).expect("a quantity");
        let mut container = Container { name: "web".into(), ..Container::default() };
        container.resources.limits.insert("cpu".into(), quantity("1500m"));
        let allocatable = BTreeMap::from([("memory".to_owned(), quantity("1Gi"))]);
        let told = |resource_name: &str, divisor: Option<&str>| {
            let selector = ResourceFieldSelector {
                container_name: None,
                resource: resource_name.into(),
                divisor: divisor.map(quantity),
            };
            resource(&pod(), Some(&container), &selector, around(&[], &allocatable)).expect("it is told")
        };
        assert_eq!(told("limits.cpu", None), "2");
        assert_eq!(told("limits.cpu", Some("1m")), "1500");
        assert_eq!(told("requests.cpu", Some("1m")), "1500", "the limit, where nothing is asked for");
        assert_eq!(told("limits.memory", Some("1Mi")), "1024", "what the node has, where there is no limit");
        assert_eq!(told("requests.memory", None), "0");
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
        let expected = ResourceLimits {
            cpu_millis: Some(1_500),
            memory_bytes: Some(64 << 20),
            processes: None,
            cpu_share_millis: Some(1_500),
        };
        assert_eq!(limits, expected);
    }
}
