//! The older endpoints: JSON at a path each.

mod changes;
mod lists;
mod state;

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use orch_core::clock::Timestamp;
use serde_json::Value;

use super::Office;
use super::route::Route;
use crate::http::{Answer, Query, Refusal, empty, json, read_body, refused, text};
use crate::master::about::About;
use crate::master::view::{Parts, View};
use crate::v0;

/// A master that leads, and what it knows.
#[derive(Clone, Copy, Debug)]
struct Leading<'a> {
    about: &'a About,
    elected: Timestamp,
    view: &'a View,
}

/// The answer to a request; `rest` is what stands behind the path of the route.
pub async fn answer(office: Office<'_>, route: Route, rest: &str, request: Request<Incoming>) -> Answer {
    let method = request.method().clone();
    let answer = match (route, &method) {
        (Route::MaintenanceSchedule | Route::Weights | Route::Quota, &Method::GET | &Method::HEAD) => {
            read(office, route, &request).await
        }
        (Route::Weights, &Method::PUT)
        | (Route::Quota, &Method::POST | &Method::DELETE)
        | (Route::MaintenanceSchedule, &Method::POST) => change(office, route, rest, request).await,
        (Route::Weights, _) => return refused("GET, PUT"),
        (Route::Quota, _) => return refused("GET, POST, DELETE"),
        (Route::MaintenanceSchedule, _) => return refused("GET, POST"),
        (route, &Method::POST) if changes::is_change(route) => change(office, route, rest, request).await,
        (route, _) if changes::is_change(route) => return refused("POST"),
        (_, &Method::GET | &Method::HEAD) => read(office, route, &request).await,
        _ => return refused("GET"),
    };
    answer.unwrap_or_else(Answer::from)
}

async fn change(office: Office<'_>, route: Route, rest: &str, request: Request<Incoming>) -> Result<Answer, Refusal> {
    let deletes = *request.method() == Method::DELETE;
    let body = read_body(request.into_body()).await?;
    let (decision, status) = changes::decision(route, rest, deletes, &body)?;
    office.desk.decide(decision).await?;
    Ok(empty(status))
}

async fn read(office: Office<'_>, route: Route, request: &Request<Incoming>) -> Result<Answer, Refusal> {
    let query = Query::of(request.uri().query().unwrap_or_default());
    let view = office.desk.view(parts(route)).await?;
    let leading = Leading { about: office.about, elected: office.elected, view: &view };
    let shown = shown(leading, route, &query)?;
    Ok(match query.get("jsonp") {
        Some(function) if is_name(function) => {
            let mut answer = text(StatusCode::OK, format!("{function}({shown});"));
            let script = http::HeaderValue::from_static("text/javascript");
            answer.headers_mut().insert(http::header::CONTENT_TYPE, script);
            answer
        }
        _ => json(&shown),
    })
}

fn shown(leading: Leading<'_>, route: Route, query: &Query) -> Result<Value, Refusal> {
    let view = leading.view;
    Ok(match route {
        Route::State => state::state(leading),
        Route::StateSummary => state::state_summary(leading),
        Route::Agents => lists::agents(view, query),
        Route::Frameworks => lists::frameworks(view, query),
        Route::Tasks => lists::tasks(view, query).map_err(Refusal::bad_request)?,
        Route::Roles => lists::roles(view),
        Route::Weights => lists::weights(view),
        Route::Quota => lists::quota(view),
        Route::MaintenanceSchedule => v0::message(&view.schedule),
        Route::MaintenanceStatus => v0::message(&view.maintenance),
        _ => {
            let reason = "A master shows no files: ask the agent that has them";
            return Err(Refusal::new(StatusCode::NOT_FOUND, reason));
        }
    })
}

/// What is looked at for a route.
fn parts(route: Route) -> Parts {
    match route {
        Route::State | Route::StateSummary => Parts::ALL,
        Route::Agents => Parts::AGENTS,
        Route::Frameworks => Parts::FRAMEWORKS,
        Route::Tasks => Parts::TASKS,
        Route::Roles => Parts::ROLES,
        _ => Parts::NONE,
    }
}

/// Whether a text can be the name of a function, and so stand before JSON without becoming anything else.
fn is_name(function: &str) -> bool {
    !function.is_empty() && function.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.'))
}

#[cfg(test)]
mod tests;
