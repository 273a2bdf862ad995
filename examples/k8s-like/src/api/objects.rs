//! [`list_objects`]: the objects of a kind, as people ask for them.

use http::StatusCode;
use orch_core::key::Prefix;
use orch_core::store::{ListFrom, ListOptions, Store};
use serde_json::Value;

use super::client::ApiError;
use super::kinds;
use super::problem::Problem;

/// The objects of a kind, of one namespace or of all, as a list of Kubernetes.
pub(crate) async fn list_objects(
    store: &dyn Store,
    collection: &str,
    namespace: Option<&str>,
) -> Result<Value, ApiError> {
    list(store, collection, namespace).await.map_err(|problem| ApiError(problem.message().to_owned()))
}

/// The same, for somebody who asks a server.
pub(super) async fn list(store: &dyn Store, collection: &str, namespace: Option<&str>) -> Result<Value, Problem> {
    let kind = kinds::find(collection).ok_or_else(|| {
        Problem::not_found(format!("there are no {collection:?}, only {}", kinds::names().join(", ")))
    })?;
    let prefix = match namespace {
        Some(namespace) => Prefix::namespace(kind, namespace),
        None => Ok(Prefix::collection(kind)),
    };
    let prefix = prefix.map_err(|error| Problem::bad_request(error.to_string()))?;
    let mut items = Vec::new();
    let mut from = ListFrom::Latest;
    loop {
        let page = store.list(&prefix, ListOptions { from, ..ListOptions::default() }).await?;
        for entry in page.entries.iter() {
            let failed =
                |error: String| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{}: {error}", entry.key));
            let text = entry.value.encode().map_err(|error| failed(error.to_string()))?;
            let mut item: Value = serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))?;
            // A store may keep it beside the object.
            item["metadata"]["resourceVersion"] = serde_json::json!(entry.revision.to_string());
            items.push(item);
        }
        match page.next {
            Some(next) => from = ListFrom::Continue(next),
            None => break,
        }
    }
    Ok(serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items}))
}
