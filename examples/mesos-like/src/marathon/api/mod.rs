//! The REST API, as Marathon's clients know it.

mod apps;
mod groups;
mod info;
mod problem;
mod route;
mod tasks;

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use orch_core::clock::{Clock as _, SystemClock};
use serde_json::Value;

pub use problem::Problem;

use self::route::Route;
use super::core::{Deployed, Marathon, Refused};
use super::events::Events;
use super::flags::MarathonFlags;
use super::model::Version;
use crate::framework::driver::Handle;
use crate::http::{Answer, Handler, Query, read_body};
use crate::leader::Abdication;

/// What is to be said about this Marathon.
#[derive(Debug)]
pub struct About {
    /// How it was started.
    pub flags: MarathonFlags,
    /// Where the leading process is.
    pub address: String,
    /// Ends its time as a leader.
    pub abdication: Abdication,
}

/// The REST API.
#[derive(Debug)]
pub struct Api {
    marathon: Handle<Marathon>,
    events: Events,
    about: Arc<About>,
}

/// A request, taken apart.
#[derive(Debug)]
struct Asked {
    method: Method,
    query: Query,
    body: Value,
    peer: SocketAddr,
    uri: String,
    /// Whether it wants what happens told as it happens.
    is_stream: bool,
}

impl Asked {
    fn force(&self) -> bool {
        self.query.flag("force")
    }
}

impl Api {
    /// The API of a Marathon that leads.
    #[must_use]
    pub fn new(marathon: Handle<Marathon>, events: Events, about: Arc<About>) -> Self {
        Self { marathon, events, about }
    }

    /// Asks Marathon; what follows is recorded when it answers.
    async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Marathon, Version) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        Ok(self.marathon.ask(move |marathon, now| job(marathon, now.into())).await?)
    }

    /// Asks for a change.
    async fn change<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Marathon, Version) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Problem> {
        Ok(self.ask(job).await??)
    }

    async fn follow(&self, request: Request<Incoming>, peer: SocketAddr) -> Result<Answer, Problem> {
        let (head, body) = request.into_parts();
        let query = Query::of(head.uri.query().unwrap_or_default());
        let route = Route::of(head.uri.path())?;
        let accepts = head.headers.get(http::header::ACCEPT).and_then(|accept| accept.to_str().ok());
        let is_stream = accepts.is_some_and(|accept| accept.contains("text/event-stream"));
        let bytes = read_body(body).await?;
        let body = match bytes.iter().all(u8::is_ascii_whitespace) {
            true => Value::Null,
            false => serde_json::from_slice(&bytes).map_err(|error| Problem::malformed(&error.to_string()))?,
        };
        let asked = Asked { method: head.method, query, body, peer, uri: head.uri.to_string(), is_stream };
        match route {
            Route::Apps
            | Route::App(_)
            | Route::AppsIn(_)
            | Route::Restart(_)
            | Route::Versions(_)
            | Route::Version(..) => self.apps(route, asked).await,
            Route::Groups | Route::Group(_) | Route::GroupVersions(_) | Route::GroupVersion(..) => {
                self.groups(route, asked).await
            }
            Route::Tasks | Route::TasksOf(_) | Route::Task(..) | Route::KillTasks => self.tasks(route, asked).await,
            _ => self.info(route, asked).await,
        }
    }
}

#[async_trait]
impl Handler for Api {
    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Answer {
        self.follow(request, peer).await.unwrap_or_else(Answer::from)
    }
}

/// An answer in JSON, with a status.
fn answer(status: StatusCode, value: &Value) -> Answer {
    let mut answer = crate::http::json(value);
    *answer.status_mut() = status;
    answer
}

fn ok(value: &Value) -> Answer {
    answer(StatusCode::OK, value)
}

/// The answer to a change that is being made.
fn deployed(status: StatusCode, deployed: &Deployed, mut value: Value) -> Answer {
    if value.is_null() {
        value = serde_json::json!({ "version": deployed.version, "deploymentId": deployed.id });
    }
    let mut answer = answer(status, &value);
    let id = http::HeaderValue::from_str(&deployed.id).ok();
    answer.headers_mut().extend(id.map(|id| (http::HeaderName::from_static("marathon-deployment-id"), id)));
    answer
}

fn now() -> Version {
    SystemClock.now().into()
}
