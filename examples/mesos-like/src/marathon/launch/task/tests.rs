//! What a master is told of instances.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::marathon::model::{AppId, read};
use crate::wire::{CheckType, ContainerType, DockerNetwork, Port, PortMapping, VolumeMode};

fn app(body: Value) -> App {
    read::app(body, &AppId::root(), None).expect("an app")
}

fn launched(body: Value, ports: &[u16]) -> TaskInfo {
    let agent = wire::AgentId { value: "agent-1".to_owned() };
    let launch = Launch {
        task_id: "shop_web.instance-1._app.1",
        instance_id: "shop_web.instance-1",
        host: "host-1",
        agent_id: &agent,
        ports,
        resources: vec![wire::Resource { name: "cpus".to_owned(), ..wire::Resource::default() }],
    };
    task(&app(body), launch)
}

fn variables(task: &TaskInfo) -> BTreeMap<String, String> {
    let environment = task.command.as_ref().and_then(|command| command.environment.clone()).unwrap_or_default();
    let pair = |variable: Variable| (variable.name, variable.value.unwrap_or_default());
    environment.variables.into_iter().map(pair).collect()
}

fn on_bridge(kind: &str, mappings: Value) -> Value {
    json!({
        "id": "/shop/web", "networks": [{"mode": "container/bridge"}], "container": {
            "type": kind, "docker": {"image": "nginx:1", "forcePullImage": true}, "portMappings": mappings,
            "volumes": [{"containerPath": "/data", "hostPath": "/srv", "mode": "RO"}],
        },
        "healthChecks": [{"path": "/health", "maxConsecutiveFailures": 0}],
    })
}

#[test]
fn a_task_says_whose_it_is() {
    let task = launched(
        json!({"id": "/shop/web", "cmd": "a", "labels": {"team": "b"}, "taskKillGracePeriodSeconds": 7}),
        &[5],
    );
    assert_eq!((task.name.as_str(), task.task_id.value.as_str()), ("web.shop", "shop_web.instance-1._app.1"));
    assert_eq!((task.agent_id.value.as_str(), task.resources[0].name.as_str()), ("agent-1", "cpus"));
    let grace = task.kill_policy.and_then(|policy| policy.grace_period);
    assert_eq!(grace.map(|grace| grace.nanoseconds), Some(7_000_000_000));
    let labels = task.labels.map(|labels| labels.labels).unwrap_or_default();
    assert_eq!(labels, [wire::Label { key: "team".to_owned(), value: Some("b".to_owned()) }]);
    assert_eq!((task.container, task.health_check, task.executor, task.check), (None, None, None, None));
}

#[test]
fn a_command_is_a_line_or_words_or_the_images_own() {
    let image = json!({"docker": {"image": "nginx"}});
    for (fields, shell, value, arguments) in [
        (json!({"cmd": "echo $A"}), true, Some("echo $A"), vec![]),
        (json!({"args": ["/bin/ls", "-l"]}), false, Some("/bin/ls"), vec!["/bin/ls", "-l"]),
        (json!({"args": ["-l"], "container": image}), false, None, vec!["-l"]),
        (json!({"container": image}), false, None, vec![]),
        (json!({"cmd": "echo", "container": image}), true, Some("echo"), vec![]),
    ] {
        let mut body = fields.clone();
        body["id"] = "/web".into();
        body["user"] = "nobody".into();
        let command = launched(body, &[1]).command.expect("it has one");
        assert_eq!((command.shell(), command.value.as_deref()), (shell, value), "{fields}");
        assert_eq!(
            (command.arguments, command.user.as_deref()),
            (arguments.into_iter().map(str::to_owned).collect(), Some("nobody"))
        );
    }
}

#[test]
fn what_is_fetched_keeps_its_flags() {
    let fetch =
        json!([{"uri": "http://h/a.zip", "extract": false, "executable": true, "cache": true, "destPath": "b"}]);
    let command = launched(json!({"id": "/web", "cmd": "a", "fetch": fetch}), &[1]).command.expect("it has one");
    let uri = Uri {
        value: "http://h/a.zip".to_owned(),
        extract: Some(false),
        executable: Some(true),
        cache: Some(true),
        output_file: Some("b".to_owned()),
    };
    assert_eq!(command.uris, [uri]);
}

#[test]
fn an_instance_is_told_of_itself_and_its_ports() {
    let body = json!({
        "id": "/shop/web", "cmd": "a", "cpus": 0.5, "mem": 64, "labels": {"my team": "b"},
        "env": {"PORT1": "own", "A": "b"}, "portDefinitions": [{"port": 0, "name": "http-api"}, {"port": 8080}],
    });
    let variables = variables(&launched(body, &[31000, 31001]));
    for (name, value) in [
        ("PORT", "31000"),
        ("PORT0", "31000"),
        ("PORT1", "own"),
        ("PORTS", "31000,31001"),
        ("PORT_HTTP_API", "31000"),
        ("PORT_8080", "31001"),
        ("HOST", "host-1"),
        ("MESOS_TASK_ID", "shop_web.instance-1._app.1"),
        ("MARATHON_APP_ID", "/shop/web"),
        ("MARATHON_APP_VERSION", "1970-01-01T00:00:00.000Z"),
        ("MARATHON_APP_RESOURCE_CPUS", "0.5"),
        ("MARATHON_APP_RESOURCE_MEM", "64.0"),
        ("MARATHON_APP_RESOURCE_DISK", "0.0"),
        ("MARATHON_APP_RESOURCE_GPUS", "0"),
        ("MARATHON_APP_LABELS", "MY_TEAM"),
        ("MARATHON_APP_LABEL_MY_TEAM", "b"),
        ("A", "b"),
    ] {
        assert_eq!(variables.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(!variables.contains_key("PORT_0") && !variables.contains_key("MARATHON_APP_DOCKER_IMAGE"));
    let none = super::tests::variables(&launched(json!({"id": "/a", "cmd": "b", "portDefinitions": []}), &[]));
    assert!(!none.keys().any(|name| name.starts_with("PORT")), "{none:?}");
}

#[test]
fn a_container_is_reached_by_the_ports_of_its_agent() {
    let mappings = json!([{"containerPort": 80, "name": "http"}, {"containerPort": 0, "protocol": "udp,tcp"}]);
    let expected = [(31000, 80, "tcp"), (31001, 31001, "udp"), (31001, 31001, "tcp")];
    let expected = expected.map(|(host_port, container_port, protocol)| PortMapping {
        host_port,
        container_port,
        protocol: Some(protocol.to_owned()),
    });
    for kind in ["DOCKER", "MESOS"] {
        let task = launched(on_bridge(kind, mappings.clone()), &[31000, 31001]);
        let container = task.container.clone().expect("it has one");
        let volume = &container.volumes[0];
        assert_eq!((volume.container_path.as_str(), volume.host_path.as_deref()), ("/data", Some("/srv")));
        assert_eq!(volume.mode(), VolumeMode::Ro);
        if kind == "DOCKER" {
            let docker = container.docker.clone().expect("it is docker's");
            assert_eq!((container.r#type(), docker.network()), (ContainerType::Docker, DockerNetwork::Bridge));
            assert_eq!((docker.image.as_str(), docker.force_pull_image()), ("nginx:1", true));
            assert_eq!(docker.port_mappings, expected);
        } else {
            let image = container.mesos.clone().and_then(|mesos| mesos.image).expect("it has an image");
            assert_eq!((container.r#type(), image.cached()), (ContainerType::Mesos, false));
            assert_eq!(container.network_infos[0].name.as_deref(), Some("mesos-bridge"));
            assert_eq!(container.network_infos[0].port_mappings, expected);
        }
        let variables = variables(&task);
        assert_eq!((variables["PORT_80"].as_str(), variables["PORT1"].as_str()), ("31000", "31001"));
        assert_eq!(variables["MARATHON_APP_DOCKER_IMAGE"], "nginx:1");
    }
}

#[test]
fn a_port_that_no_port_of_the_agent_leads_to_is_its_own() {
    let task = launched(
        json!({"id": "/web", "networks": [{"mode": "container", "name": "n"}], "container": {"type": "DOCKER",
            "docker": {"image": "a"}, "portMappings": [{"containerPort": 80}]}}),
        &[0],
    );
    assert_eq!(variables(&task)["PORT0"], "80");
    let container = task.container.expect("it has one");
    let docker = container.docker.expect("it is docker's");
    assert_eq!((docker.network(), docker.port_mappings.len()), (DockerNetwork::User, 0));
    assert_eq!(container.network_infos[0].name.as_deref(), Some("n"));
}

#[test]
fn an_instance_is_looked_at_where_it_listens() {
    let check = |check: Value, ports: &[u16]| {
        launched(json!({"id": "/web", "cmd": "a", "ports": [0, 0], "healthChecks": [check]}), ports).health_check
    };
    let http = check(json!({"path": "/health", "portIndex": 1, "intervalSeconds": 5}), &[5, 6]).expect("a check");
    let asked = http.http.clone().expect("it is by HTTP");
    assert_eq!(
        (http.r#type(), asked.port, asked.path.as_deref(), asked.scheme.as_deref()),
        (CheckType::Http, 6, Some("/health"), Some("http"))
    );
    assert_eq!((http.interval_seconds(), http.timeout_seconds(), http.consecutive_failures()), (5.0, 20.0, 3));
    assert_eq!((http.grace_period_seconds(), http.delay_seconds()), (300.0, 15.0));
    let tcp = check(json!({"protocol": "TCP", "port": 99}), &[5, 6]).expect("a check");
    assert_eq!((tcp.r#type(), tcp.tcp.map(|tcp| tcp.port)), (CheckType::Tcp, Some(99)));
    let command = check(json!({"protocol": "COMMAND", "command": "test -e a"}), &[5, 6]).expect("a check");
    assert_eq!(command.command.as_ref().and_then(|command| command.value.as_deref()), Some("test -e a"));
    let bridged =
        launched(on_bridge("DOCKER", json!([{"containerPort": 80}])), &[31000]).health_check.expect("a check");
    assert_eq!((bridged.http.map(|http| http.port), bridged.consecutive_failures), (Some(80), Some(u32::MAX)));
}

#[test]
fn others_find_its_ports() {
    let found = |task: TaskInfo| -> Vec<Port> {
        let discovery = task.discovery.expect("it is found");
        assert_eq!(discovery.name.as_deref(), Some("web.shop"));
        discovery.ports.map(|ports| ports.ports).unwrap_or_default()
    };
    let definitions = json!([{"port": 0, "name": "http", "protocol": "udp,tcp", "labels": {"VIP_0": "/web:80"}}]);
    let ports = found(launched(json!({"id": "/shop/web", "cmd": "a", "portDefinitions": definitions}), &[31000]));
    let protocols: Vec<_> = ports.iter().map(|port| (port.number, port.protocol.as_deref())).collect();
    assert_eq!(protocols, [(31000, Some("udp")), (31000, Some("tcp"))]);
    assert_eq!(
        (ports[0].name.as_deref(), ports[0].labels.clone().map(|labels| labels.labels.len())),
        (Some("http"), Some(1))
    );
    let ports = found(launched(on_bridge("MESOS", json!([{"containerPort": 80}])), &[31000]));
    let labels = ports[0].labels.clone().map(|labels| labels.labels).unwrap_or_default();
    assert_eq!((ports[0].number, labels[0].value.as_deref()), (31000, Some("host")));
}
