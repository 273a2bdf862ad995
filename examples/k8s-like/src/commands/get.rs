//! `k8s-like get`

use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use crate::api::{ApiClient, ApiError, escaped, list_objects};
use crate::causes::with_causes;
use crate::cli::Get;
use crate::store::StoreChoice;

/// How objects are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Format {
    /// As a table
    Table,
    /// As Kubernetes' JSON, whole
    Json,
}

/// Shows objects.
pub(crate) async fn get(options: Get) -> Result<ExitCode, ApiError> {
    let Get { at, kind, name, all_namespaces, output, store } = options;
    let everywhere =
        all_namespaces || ["nodes", "node", "no", "namespaces", "namespace", "ns"].contains(&kind.as_str());
    let namespace = (!everywhere).then_some(at.namespace.as_str());
    let mut list = match store {
        Some(store) => read(&store, &kind, namespace).await?,
        None => ask(&at.cluster()?, &kind, namespace).await?,
    };
    if let Some(name) = &name {
        let items = list["items"].as_array().cloned().unwrap_or_default();
        let found = items.into_iter().find(|item| item["metadata"]["name"].as_str() == Some(name));
        let missing = || ApiError(format!("{kind} {name:?} not found in namespace {:?}", at.namespace));
        list["items"] = Value::Array(vec![found.ok_or_else(missing)?]);
    }
    match output {
        Format::Json => {
            let shown = if name.is_some() { &list["items"][0] } else { &list };
            println!("{}", serde_json::to_string_pretty(shown).unwrap_or_default());
        }
        Format::Table => {
            let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            if items.is_empty() {
                eprintln!("no {kind} found{}", if everywhere { "" } else { " in this namespace: -A shows all" });
            } else {
                print(&table(&kind, items, everywhere));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The objects of a kind as a running cluster answers.
async fn ask(cluster: &ApiClient, kind: &str, namespace: Option<&str>) -> Result<Value, ApiError> {
    let namespace = namespace.map(|namespace| format!("?namespace={}", escaped(namespace))).unwrap_or_default();
    let text = cluster.get(&format!("/api/{}{namespace}", escaped(kind))).await?;
    serde_json::from_slice(&text).map_err(|error| ApiError(format!("the answer is not understood: {error}")))
}

/// The objects of a kind as they are kept.
async fn read(store: &StoreChoice, kind: &str, namespace: Option<&str>) -> Result<Value, ApiError> {
    if !store.is_shared() {
        return Err(ApiError(format!(
            "--store {store} is read by its cluster alone: choose that with --state-dir, or write \
             etcd://HOST:PORT[,HOST:PORT…][/PREFIX]"
        )));
    }
    let opened = store.open(Path::new("")).await.map_err(|error| ApiError(with_causes(&error)))?;
    list_objects(&*opened, kind, namespace).await
}

/// What a table tells of an object.
type Row = fn(&Value) -> Vec<String>;

/// A table of the kind's own columns.
fn table(kind: &str, items: &[Value], with_namespace: bool) -> Vec<Vec<String>> {
    let (head, row): (&[&str], Row) = match kind {
        "pods" | "pod" | "po" => (&["READY", "STATUS", "RESTARTS", "IP", "NODE"], pod),
        "nodes" | "node" | "no" => (&["STATUS", "CPU", "MEMORY", "RUNTIME"], node),
        "deployments" | "deployment" | "deploy" => (&["READY", "UP-TO-DATE", "AVAILABLE"], deployment),
        "services" | "service" | "svc" => (&["TYPE", "CLUSTER-IP", "PORTS"], service),
        "events" | "event" | "ev" => (&["TYPE", "REASON", "OBJECT", "MESSAGE"], event),
        _ => (&[], |_| Vec::new()),
    };
    let namespaced = with_namespace && items.iter().any(|item| item["metadata"]["namespace"].is_string());
    let begin = |namespace: &str, name: &str| {
        let namespace = namespaced.then(|| namespace.to_owned());
        namespace.into_iter().chain([name.to_owned()]).collect::<Vec<_>>()
    };
    let mut rows = vec![[begin("NAMESPACE", "NAME"), texts(head)].concat()];
    for item in items {
        let of = |field: &str| item["metadata"][field].as_str().unwrap_or_default();
        rows.push([begin(of("namespace"), of("name")), row(item)].concat());
    }
    rows
}

pub(super) fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn text(value: &Value) -> String {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or("<none>").to_owned()
}

/// As kubectl tells it: what keeps a pod from being ready, if that is told, and its phase otherwise.
fn pod(pod: &Value) -> Vec<String> {
    let status = &pod["status"];
    let statuses = |field: &str| status[field].as_array().cloned().unwrap_or_default();
    let (init, containers) = (statuses("initContainerStatuses"), statuses("containerStatuses"));
    let ready = containers.iter().filter(|container| container["ready"] == true).count();
    let all = pod["spec"]["containers"].as_array().map_or(0, Vec::len);
    let reason = |container: &Value| {
        let state = &container["state"];
        let word = ["waiting", "terminated"].iter().find_map(|kind| state[kind]["reason"].as_str());
        word.filter(|word| *word != "PodInitializing" && *word != "Completed").map(str::to_owned)
    };
    let phase = status["reason"].as_str().or_else(|| status["phase"].as_str()).unwrap_or("Pending").to_owned();
    let of_init = init.iter().find_map(reason).map(|reason| format!("Init:{reason}"));
    let word = of_init.or_else(|| containers.iter().find_map(reason)).unwrap_or(phase);
    let word = if pod["metadata"]["deletionTimestamp"].is_string() { "Terminating".to_owned() } else { word };
    let restarts: i64 = containers.iter().filter_map(|container| container["restartCount"].as_i64()).sum();
    vec![format!("{ready}/{all}"), word, restarts.to_string(), text(&status["podIP"]), text(&pod["spec"]["nodeName"])]
}

fn node(node: &Value) -> Vec<String> {
    let status = &node["status"];
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let holds = |name: &str| conditions.iter().any(|one| one["type"] == name && one["status"] == "True");
    let mut words = vec![if holds("Ready") { "Ready" } else { "NotReady" }];
    words.extend(["MemoryPressure", "DiskPressure", "PIDPressure"].into_iter().filter(|name| holds(name)));
    if node["spec"]["unschedulable"] == true {
        words.push("SchedulingDisabled");
    }
    let capacity = &status["capacity"];
    let runtime = text(&status["nodeInfo"]["containerRuntimeVersion"]);
    vec![words.join(","), text(&capacity["cpu"]), text(&capacity["memory"]), runtime]
}

fn deployment(deployment: &Value) -> Vec<String> {
    let count = |value: &Value| value.as_i64().unwrap_or(0);
    let (spec, status) = (&deployment["spec"], &deployment["status"]);
    let wanted = spec["replicas"].as_i64().unwrap_or(1);
    let ready = format!("{}/{wanted}", count(&status["readyReplicas"]));
    vec![ready, count(&status["updatedReplicas"]).to_string(), count(&status["availableReplicas"]).to_string()]
}

fn service(service: &Value) -> Vec<String> {
    let spec = &service["spec"];
    let ports = spec["ports"].as_array().into_iter().flatten();
    let ports: Vec<String> = ports.filter_map(|port| Some(format!("{}/TCP", port["port"].as_i64()?))).collect();
    let kind = spec["type"].as_str().unwrap_or("ClusterIP").to_owned();
    vec![kind, text(&spec["clusterIP"]), ports.join(",")]
}

fn event(event: &Value) -> Vec<String> {
    let object = &event["involvedObject"];
    let about = format!("{}/{}", text(&object["kind"]).to_lowercase(), text(&object["name"]));
    vec![text(&event["type"]), text(&event["reason"]), about, text(&event["message"]).replace(['\n', '\r'], " ")]
}

/// Prints rows as columns.
pub(super) fn print(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| Some(row.get(column)?.chars().count())).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}", width = *width)).collect();
        println!("{}", cells.join("   ").trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_told_as_kubectl_tells_it() {
        let json = serde_json::json!({
            "metadata": {"name": "a", "namespace": "shop"},
            "spec": {"containers": [{}, {}], "nodeName": "node-1"},
            "status": {"phase": "Running", "podIP": "10.0.0.7", "containerStatuses": [
                {"ready": true, "restartCount": 1, "state": {"running": {}}},
                {"ready": false, "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
            ]},
        });
        assert_eq!(pod(&json), ["1/2", "CrashLoopBackOff", "3", "10.0.0.7", "node-1"]);
        let rows = table("pods", &[json], true);
        assert_eq!(rows[0][..3], ["NAMESPACE", "NAME", "READY"]);
    }
}
