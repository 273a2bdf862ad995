//! Apps as answers have them.

use serde_json::Value;

use super::App;

/// An app's own part of an answer: what it says and what it does not say. Clients take no field that they do not know, and
/// some miss those that say nothing.
#[must_use]
pub fn json(app: &App) -> Value {
    // Nothing in an app is without a form in JSON.
    let mut json = serde_json::to_value(app).unwrap_or_default();
    json["ports"] = app.service_ports().into();
    json
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{AppId, read};
    use super::*;

    /// What the client `marathon` 0.13.0 knows of apps.
    const KNOWN: [&str; 48] = [
        "acceptedResourceRoles",
        "args",
        "backoffFactor",
        "backoffSeconds",
        "cmd",
        "constraints",
        "container",
        "cpus",
        "dependencies",
        "deployments",
        "disk",
        "env",
        "executor",
        "fetch",
        "gpus",
        "healthChecks",
        "id",
        "instances",
        "ipAddress",
        "killSelection",
        "labels",
        "lastTaskFailure",
        "maxLaunchDelaySeconds",
        "mem",
        "networks",
        "portDefinitions",
        "ports",
        "readinessCheckResults",
        "readinessChecks",
        "requirePorts",
        "residency",
        "role",
        "secrets",
        "storeUrls",
        "taskKillGracePeriodSeconds",
        "taskRateLimit",
        "taskStats",
        "tasks",
        "tasksHealthy",
        "tasksRunning",
        "tasksStaged",
        "tasksUnhealthy",
        "unreachableStrategy",
        "upgradeStrategy",
        "uris",
        "user",
        "version",
        "versionInfo",
    ];

    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect()
    }

    fn written(body: Value) -> Value {
        json(&read::app(body, &AppId::root(), None).expect("an app"))
    }

    #[test]
    fn clients_know_all_that_is_written() {
        let resident = written(json!({
            "id": "/web", "cmd": "true", "readinessChecks": [{"portName": "default"}],
            "container": {"volumes": [{"containerPath": "data", "persistent": {"size": 10}}]},
        }));
        let bridged = written(json!({
            "id": "/web", "networks": [{"mode": "container/bridge"}],
            "container": {"docker": {"image": "nginx"}, "portMappings": [{"containerPort": 80, "name": "http"}],
                "volumes": [{"containerPath": "/a", "hostPath": "/b"}]},
        }));
        for app in [&resident, &bridged] {
            assert!(keys(app).iter().all(|key| KNOWN.contains(key)), "{app}");
            let container = &app["container"];
            assert!(keys(container).iter().all(|key| ["type", "docker", "volumes", "portMappings"].contains(key)));
            let volume = ["containerPath", "hostPath", "mode", "persistent"];
            assert!(keys(&container["volumes"][0]).iter().all(|key| volume.contains(key)));
        }
        let mapping = ["name", "containerPort", "hostPort", "servicePort", "protocol", "labels"];
        assert!(keys(&bridged["container"]["portMappings"][0]).iter().all(|key| mapping.contains(key)));
        assert_eq!(keys(&resident["residency"]), ["relaunchEscalationTimeoutSeconds", "taskLostBehavior"]);
        assert_eq!(resident["unreachableStrategy"], "disabled");
    }

    #[test]
    fn what_is_not_said_is_written_too() {
        let app = written(json!({"id": "/web", "cmd": "true"}));
        for (field, expected) in [
            ("args", json!(null)),
            ("container", json!(null)),
            ("healthChecks", json!([])),
            ("ports", json!([0])),
            ("portDefinitions", json!([{"port": 0, "protocol": "tcp", "name": "default", "labels": {}}])),
            ("networks", json!([{"mode": "host"}])),
            ("upgradeStrategy", json!({"minimumHealthCapacity": 1.0, "maximumOverCapacity": 1.0})),
            ("unreachableStrategy", json!({"inactiveAfterSeconds": 0, "expungeAfterSeconds": 0})),
            ("killSelection", json!("YOUNGEST_FIRST")),
            ("instances", json!(1)),
            ("mem", json!(128.0)),
            ("version", json!("1970-01-01T00:00:00.000Z")),
        ] {
            assert_eq!(app.get(field), Some(&expected), "{field}");
        }
    }
}
