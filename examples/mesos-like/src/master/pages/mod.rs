//! `/` and `/pages/…`: what a master knows, for people with a browser.

mod agents;
mod frameworks;
mod names;
mod offers;
mod overview;
mod roles;
mod tasks;

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use orch_core::clock::{Clock as _, SystemClock, Timestamp};

use self::names::Names;
use self::overview::Metrics;
use super::api::Office;
use super::view::{Parts, View};
use crate::http::{Answer, Refusal, refused};
use crate::pages::{Address, Html, Page, Query, note};

/// What a page is made from.
#[derive(Clone, Copy, Debug)]
struct Looked<'a> {
    view: &'a View,
    names: &'a Names<'a>,
    query: &'a Query,
    now: Timestamp,
}

/// The answer to a request; `rest` is what stands behind `/pages/`.
pub async fn answer(office: Office<'_>, rest: &str, request: &Request<Incoming>) -> Answer {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return refused("GET");
    }
    let query = Query::of(request.uri().query().unwrap_or_default());
    page(office, rest, &query)
        .await
        .unwrap_or_else(|refusal| framed(office, "Nothing to show").part(note(refusal.message)).answer(refusal.status))
}

/// What a master that cannot answer yet says to people. They see the rest when it can.
pub fn waiting(reason: &str) -> Answer {
    let page = Page::new("Waiting for the master", "mesos-like").refreshing(&Address::here("/"), &Query::default());
    page.part(note(reason)).answer(StatusCode::SERVICE_UNAVAILABLE)
}

async fn page(office: Office<'_>, rest: &str, query: &Query) -> Result<Answer, Refusal> {
    let (wanted, metrics) = (query.get("id"), Metrics::of(office, rest).await);
    let (here, parts) = match (rest, wanted) {
        ("", _) => (Address::here("/"), metrics.parts()),
        ("agents", None) => (Address::here("/pages/agents"), Parts::AGENTS),
        ("agents", Some(id)) => (names::agent_page(id), Parts::ALL),
        ("frameworks", None) => (Address::here("/pages/frameworks"), Parts::ALL),
        ("frameworks", Some(id)) => (names::framework_page(id), Parts::ALL),
        ("tasks", _) => (Address::here("/pages/tasks"), Parts::ALL),
        ("offers", _) => (Address::here("/pages/offers"), Parts::ROLES),
        ("roles", _) => (Address::here("/pages/roles"), Parts::ROLES),
        _ => return Err(Refusal::new(StatusCode::NOT_FOUND, format!("There is no page {rest:?}"))),
    };
    let view = office.desk.view(parts).await?;
    let names = Names::of(&view);
    let looked = Looked { view: &view, names: &names, query, now: SystemClock.now() };
    let not_found = |what: &str, id: &str| Refusal::new(StatusCode::NOT_FOUND, format!("There is no {what} {id:?}"));
    let (title, body): (String, Html) = match (rest, wanted) {
        ("", _) => ("Overview".to_owned(), overview::page(office, looked, &metrics)),
        ("agents", None) => ("Agents".to_owned(), agents::list(looked, &here)),
        ("agents", Some(id)) => agents::one(looked, id).ok_or_else(|| not_found("agent", id))?,
        ("frameworks", None) => ("Frameworks".to_owned(), frameworks::list(looked, &here)),
        ("frameworks", Some(id)) => {
            let why = office.desk.why_no_offer(id).await?;
            frameworks::one(looked, id, why.as_ref()).ok_or_else(|| not_found("framework", id))?
        }
        ("tasks", _) => ("Tasks".to_owned(), tasks::all(looked, &here)),
        ("offers", _) => ("Outstanding offers".to_owned(), offers::all(looked, &here)),
        _ => ("Roles".to_owned(), roles::all(looked)),
    };
    Ok(framed(office, &title).refreshing(&here, query).part(body).answer(StatusCode::OK))
}

fn framed(office: Office<'_>, title: &str) -> Page {
    let cluster = office.about.flags.cluster.as_deref().unwrap_or("mesos-like");
    Page::new(title, cluster).menu([
        ("Overview", Address::here("/")),
        ("Agents", Address::here("/pages/agents")),
        ("Frameworks", Address::here("/pages/frameworks")),
        ("Tasks", Address::here("/pages/tasks")),
        ("Offers", Address::here("/pages/offers")),
        ("Roles", Address::here("/pages/roles")),
    ])
}

#[cfg(test)]
mod tests;
