//! What an agent is asked over HTTP.

mod executor;
mod operator;
mod v0;

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;

use super::actor::Handle;
use super::files::Files;
use super::flags::AgentFlags;
use super::pages;
use crate::http::{Answer, Handler, Query, empty, json, refused, text};

/// Answers what an agent is asked.
#[derive(Debug)]
pub struct Api {
    /// The agent.
    pub agent: Handle,
    /// Its sandboxes.
    pub files: Arc<Files>,
    /// How it was started.
    pub flags: Arc<AgentFlags>,
}

#[async_trait]
impl Handler for Api {
    async fn answer(&self, request: Request<Incoming>, _peer: SocketAddr) -> Answer {
        let path = request.uri().path().to_owned();
        match route(&path) {
            "api/v1/executor" => return executor::answer(&self.agent, request).await,
            operator if operator == "api/v1" || operator.starts_with("api/v1/") => {
                return operator::answer(self, request).await;
            }
            _ if !matches!(*request.method(), Method::GET | Method::HEAD) => return refused("GET"),
            _ => {}
        }
        let query = Query::of(request.uri().query().unwrap_or_default());
        let name = route(&path);
        if let Some(answer) = name.strip_prefix("files/").and_then(|name| self.files.answer(name, &query)) {
            return answer;
        }
        if let Some(page) = page(name) {
            return pages::answer(self, page, &query).await;
        }
        match name {
            "health" => empty(StatusCode::OK),
            "version" => json(&serde_json::json!({ "version": super::core::VERSION })),
            "flags" => json(&serde_json::json!({ "flags": self.flags.shown() })),
            "state" | "containers" | "monitor/statistics" => v0::answer(self, name).await,
            _ => text(StatusCode::NOT_FOUND, format!("There is nothing at {path}")),
        }
    }
}

/// A path without what the only agent of a process has before it, and without the old ending.
fn route(path: &str) -> &str {
    let path = path.trim_matches('/');
    let path = path.strip_prefix("slave(1)").map_or(path, |rest| rest.trim_start_matches('/'));
    path.strip_suffix(".json").unwrap_or(path)
}

/// Which page a path is of; the first one's name is empty.
fn page(route: &str) -> Option<&str> {
    if route.is_empty() || route == "pages" { Some("") } else { route.strip_prefix("pages/") }
}

#[cfg(test)]
mod tests {
    use super::{page, route};

    #[test]
    fn a_path_is_the_same_with_what_older_clients_put_around_it() {
        for path in ["/state", "/state/", "/slave(1)/state", "/slave(1)/state.json"] {
            assert_eq!(route(path), "state");
        }
        assert_eq!(["", "pages", "pages/file", "state"].map(page), [Some(""), Some(""), Some("file"), None]);
    }
}
