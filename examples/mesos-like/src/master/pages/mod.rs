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
    page(office, rest, &query).await.unwrap_or_else(|refusal| {
        let here = Address::here("/");
        framed(office, "Nothing to show", &here).still(&here).part(note(refusal.message)).answer(refusal.status)
    })
}

/// What a master that cannot answer yet says to people. They see the rest when it can.
pub fn waiting(reason: &str) -> Answer {
    let page = Page::new("Waiting for the master", "mesos-like").refreshing(&Address::here("/"), &Query::default());
    page.part(note(reason)).answer(StatusCode::SERVICE_UNAVAILABLE)
}

async fn page(office: Office<'_>, rest: &str, query: &Query) -> Result<Answer, Refusal> {
    let wanted = query.get("id").unwrap_or_default();
    let not_found = |what: &str| Refusal::new(StatusCode::NOT_FOUND, format!("There is no {what} {wanted:?}"));
    let metrics = if rest.is_empty() { Metrics::of(office).await } else { Metrics::default() };
    let (here, parts) = match rest {
        "" => (Address::here("/"), metrics.parts()),
        "agents" => (Address::here("/pages/agents"), Parts::ALL),
        "agent" => (Address::here("/pages/agent").with("id", wanted), Parts::ALL),
        "frameworks" => (Address::here("/pages/frameworks"), Parts::ALL),
        "framework" => (Address::here("/pages/framework").with("id", wanted), Parts::ALL),
        "tasks" => (Address::here("/pages/tasks"), Parts::ALL),
        "offers" => (Address::here("/pages/offers"), Parts::ROLES),
        "roles" => (Address::here("/pages/roles"), Parts::ROLES),
        _ => return Err(Refusal::new(StatusCode::NOT_FOUND, format!("There is no page {rest:?}"))),
    };
    let view = office.desk.view(parts).await?;
    let names = Names::of(&view);
    let looked = Looked { view: &view, names: &names, query, now: SystemClock.now() };
    let (title, body): (String, Html) = match rest {
        "" => ("Overview".to_owned(), overview::page(office, looked, &metrics)),
        "agents" => ("Agents".to_owned(), agents::list(looked, &here)),
        "agent" => agents::one(looked, wanted).ok_or_else(|| not_found("agent"))?,
        "frameworks" => ("Frameworks".to_owned(), frameworks::list(looked, &here)),
        "framework" => {
            let why = office.desk.why_no_offer(wanted).await?;
            frameworks::one(looked, wanted, why.as_ref()).ok_or_else(|| not_found("framework"))?
        }
        "tasks" => ("Tasks".to_owned(), tasks::all(looked, &here)),
        "offers" => ("Outstanding offers".to_owned(), offers::all(looked, &here)),
        _ => ("Roles".to_owned(), roles::all(looked)),
    };
    Ok(framed(office, &title, &here).refreshing(&here, query).part(body).answer(StatusCode::OK))
}

fn framed(office: Office<'_>, title: &str, here: &Address) -> Page {
    let cluster = office.about.flags.cluster.as_deref().unwrap_or("mesos-like");
    Page::new(title, cluster).still(here).menu([
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
