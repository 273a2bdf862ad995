//! `/` and `/pages/…`: what an agent runs and the files of its sandboxes, for people with a browser.

mod files;
mod overview;

use std::path::Path;

use http::StatusCode;
use orch_core::clock::{Clock as _, SystemClock};

use self::files::Shown;
use super::api::Api;
use super::core::Key;
use super::layout;
use crate::http::{Answer, Refusal};
use crate::pages::{Address, Page, Query, note};

/// The answer to a request; `rest` is what stands behind `/pages/`.
pub async fn answer(api: &Api, rest: &str, query: &Query) -> Answer {
    page(api, rest, query)
        .await
        .unwrap_or_else(|refusal| framed(api, "Nothing to show").part(note(refusal.message)).answer(refusal.status))
}

async fn page(api: &Api, rest: &str, query: &Query) -> Result<Answer, Refusal> {
    let now = SystemClock.now();
    let path = query.get("path").unwrap_or_default();
    let page = match rest {
        "" => {
            let shown = api.agent.ask(|actor| overview::page(actor)).await;
            let shown = shown.map_err(|error| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
            let (title, body) = shown;
            framed(api, &title).refreshing(&Address::here("/"), query).part(body)
        }
        "sandbox" => of_files(api, sandbox(api, query).await?, query),
        "browse" => of_files(api, files::folder(&api.files, path, now)?, query),
        "file" => of_files(api, files::file(&api.files, path, query)?, query),
        _ => return Err(Refusal::new(StatusCode::NOT_FOUND, format!("There is no page {rest:?}"))),
    };
    Ok(page.answer(StatusCode::OK))
}

/// The sandbox of an executor's last container; that of a task within it, where it has one of its own.
async fn sandbox(api: &Api, query: &Query) -> Result<Shown, Refusal> {
    let part = |name: &str| query.get(name).filter(|part| !part.is_empty());
    let (Some(framework), Some(executor)) = (part("framework"), part("executor")) else {
        return Err(Refusal::bad_request("Expecting 'framework=ID' and 'executor=ID' in query"));
    };
    let key = Key { framework: framework.to_owned(), executor: executor.to_owned() };
    let agent = api.agent.ask(|actor| actor.core.info().id.clone().unwrap_or_default().value).await;
    let agent = agent.map_err(|error| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    let latest = layout::runs(&api.flags.work_dir, &agent, &key).join("latest");
    let now = SystemClock.now();
    let within = |path: &Path| files::folder(&api.files, &path.to_string_lossy(), now);
    let nested = part("task").and_then(|task| within(&latest.join("tasks").join(task)).ok());
    let shown = nested.map_or_else(|| within(&latest), Ok)?;
    Ok(Shown { title: format!("Sandbox of {}", part("task").unwrap_or(executor)), ..shown })
}

fn of_files(api: &Api, shown: Shown, query: &Query) -> Page {
    let page = framed(api, &shown.title);
    let page = if shown.grows { page.refreshing(&shown.here, query) } else { page.still(&shown.here) };
    page.part(shown.body)
}

fn framed(api: &Api, title: &str) -> Page {
    let hostname = api.flags.hostname.clone().unwrap_or_else(|| api.flags.ip.to_string());
    let mut menu = vec![("Agent", Address::here("/")), ("Files", Address::here("/pages/browse"))];
    // Whichever it is, it knows who leads.
    let master = api.flags.master.first().and_then(|master| Address::web(&format!("http://{master}/")));
    menu.extend(master.map(|master| ("Cluster", master)));
    Page::new(title, format!("Agent {hostname}")).menu(menu)
}
