//! [`Front`]: takes in every request to a master, and knows who is to answer it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use http::header::LOCATION;
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::json;
use tokio::sync::watch;

use super::about::{About, authority};
use super::api::route::Route;
use super::flags::Redirection;
use super::pages;
use super::relay::Relay;
use crate::http::{self as web, Answer, Handler, empty, refused, text};
use crate::v0;
use crate::wire::MasterInfo;

/// Takes in every request to a master, and knows who is to answer it: this master, or the one that leads.
#[derive(Debug)]
pub struct Front {
    about: Arc<About>,
    stand: watch::Receiver<Stand>,
    relay: Relay,
}

/// How a master stands with the others.
#[derive(Clone, Debug)]
pub enum Stand {
    /// Nobody leads, as far as this master knows.
    Unknown,
    /// Another one leads.
    Follows(Box<MasterInfo>),
    /// This one leads, but does not know yet what it is to know.
    Recovers,
    /// This one leads.
    Leads(Arc<dyn Leads>),
}

/// Answers what only the leading master answers.
#[async_trait]
pub trait Leads: fmt::Debug + Send + Sync {
    /// The answer to a request; `rest` is what stands behind the path of the route.
    async fn answer(&self, route: Route, rest: &str, request: Request<Incoming>, peer: SocketAddr) -> Answer;

    /// What is measured, by name.
    async fn metrics(&self) -> Vec<(String, f64)>;
}

impl Front {
    /// The front of a master that stands so.
    #[must_use]
    pub fn new(about: Arc<About>, stand: watch::Receiver<Stand>) -> Self {
        Self { about, stand, relay: Relay::default() }
    }

    async fn lead(&self, leader: &MasterInfo, request: Request<Incoming>) -> Answer {
        match self.about.flags.redirect {
            Redirection::Proxy => self.relay.pass_on(&authority(leader), request).await,
            Redirection::Redirect => {
                let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
                redirected(leader, path)
            }
        }
    }

    /// What every master answers by itself.
    async fn own(&self, route: Route, method: &Method, stand: &Stand) -> Answer {
        if *method != Method::GET && *method != Method::HEAD {
            return refused("GET");
        }
        match route {
            Route::Version => web::json(&v0::message(&About::version())),
            Route::Flags => web::json(&json!({ "flags": self.about.shown_flags })),
            Route::Metrics => web::json(&self.metrics(stand).await),
            _ => empty(StatusCode::OK),
        }
    }

    async fn metrics(&self, stand: &Stand) -> serde_json::Map<String, serde_json::Value> {
        let leads = match stand {
            Stand::Leads(leader) => leader.metrics().await,
            _ => Vec::new(),
        };
        let own = super::metrics::of_every_master(&self.about, !leads.is_empty());
        own.into_iter().chain(leads).map(|(name, value)| (name, value.into())).collect()
    }
}

#[async_trait]
impl Handler for Front {
    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Answer {
        let path = request.uri().path().to_owned();
        let Some((route, rest)) = Route::of(&path) else {
            return text(StatusCode::NOT_FOUND, format!("There is nothing at {path}"));
        };
        let stand = self.stand.borrow().clone();
        if route.is_of_every_master() {
            return self.own(route, request.method(), &stand).await;
        }
        match stand {
            Stand::Unknown if route == Route::Page => pages::waiting("No leader elected"),
            Stand::Unknown => text(StatusCode::SERVICE_UNAVAILABLE, "No leader elected"),
            Stand::Follows(leader) if route == Route::Redirect => redirected(&leader, ""),
            Stand::Follows(leader) => self.lead(&leader, request).await,
            _ if route == Route::Redirect => redirected(&self.about.info, ""),
            Stand::Recovers if route == Route::Page => pages::waiting("Master has not finished recovery"),
            Stand::Recovers => text(StatusCode::SERVICE_UNAVAILABLE, "Master has not finished recovery"),
            Stand::Leads(leader) => leader.answer(route, rest, request, peer).await,
        }
    }
}

/// Whoever asks is to ask the leading master.
fn redirected(leader: &MasterInfo, path: &str) -> Answer {
    let mut answer = empty(StatusCode::TEMPORARY_REDIRECT);
    match HeaderValue::try_from(format!("//{}{path}", authority(leader))) {
        Ok(location) => {
            answer.headers_mut().insert(LOCATION, location);
            answer
        }
        Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, "The address of the leading master is not one"),
    }
}

#[cfg(test)]
pub(crate) mod tests;
