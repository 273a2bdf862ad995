//! `k8s-like top`

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::get::{print, texts};
use crate::api::{ApiError, Summary};
use crate::cli::{Top, TopWhat};

/// Between two looks at the processor time of pods.
const WINDOW: Duration = Duration::from_secs(1);

/// Shows what nodes or pods use.
pub(crate) async fn top(options: Top) -> Result<ExitCode, ApiError> {
    let cluster = options.at.cluster()?;
    let rows = match options.what {
        TopWhat::Pods => {
            let look = async || -> Result<Summary, ApiError> {
                let text = cluster.get("/stats/summary").await?;
                serde_json::from_slice(&text)
                    .map_err(|error| ApiError(format!("the answer is not understood: {error}")))
            };
            let before = look().await?;
            tokio::time::sleep(WINDOW).await;
            pods(&before, &look().await?, (!options.all_namespaces).then_some(options.at.namespace.as_str()))
        }
        TopWhat::Nodes => {
            let text = cluster.get("/api/nodemetrics").await?;
            nodes(&serde_json::from_slice(&text).unwrap_or_default())
        }
    };
    print(&rows);
    Ok(ExitCode::SUCCESS)
}

fn pods(before: &Summary, now: &Summary, namespace: Option<&str>) -> Vec<Vec<String>> {
    let used = |summary: &Summary| -> BTreeMap<(String, String), u64> {
        let containers = summary.pods.iter().flat_map(|pod| {
            pod.containers.iter().map(|container| {
                let used = container.cpu.usage_core_nano_seconds.unwrap_or(0);
                ((pod.pod_ref.uid.clone(), container.name.clone()), used)
            })
        });
        containers.collect()
    };
    let earlier = used(before);
    let mut rows = vec![texts(&["NAMESPACE", "NAME", "NODE", "CPU(cores)", "MEMORY(bytes)"])];
    for pod in now.pods.iter().filter(|pod| namespace.is_none_or(|namespace| pod.pod_ref.namespace == namespace)) {
        let nanos = pod.containers.iter().map(|container| {
            let now = container.cpu.usage_core_nano_seconds.unwrap_or(0);
            let before = earlier.get(&(pod.pod_ref.uid.clone(), container.name.clone())).copied();
            now.saturating_sub(before.unwrap_or(now))
        });
        let millis = nanos.sum::<u64>() / u64::try_from(WINDOW.as_micros()).unwrap_or(u64::MAX);
        let memory: u64 = pod.containers.iter().filter_map(|container| container.memory.working_set_bytes).sum();
        rows.push(vec![
            pod.pod_ref.namespace.clone(),
            pod.pod_ref.name.clone(),
            pod.node_name.clone(),
            format!("{millis}m"),
            format!("{}Mi", memory.div_ceil(1 << 20)),
        ]);
    }
    rows
}

fn nodes(list: &Value) -> Vec<Vec<String>> {
    let mut rows = vec![texts(&["NAME", "CPU(cores)", "MEMORY(bytes)"])];
    for item in list["items"].as_array().into_iter().flatten() {
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let usage = &item["usage"];
        rows.push(vec![text(&item["metadata"]["name"]), text(&usage["cpu"]), text(&usage["memory"])]);
    }
    rows
}
