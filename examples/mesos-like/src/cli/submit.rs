//! An app from a file, given to Marathon and followed until it runs.

use std::path::Path;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::http::Client;

/// Between two looks at how far it is.
const PAUSE: Duration = Duration::from_millis(200);

/// After what time without a change it is said why nothing happens.
const PUZZLED: Duration = Duration::from_secs(3);

/// An app, several in a list, or a group, as a file says.
pub(super) fn read(path: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{} is no app in JSON: {error}", path.display()))
}

/// Asks Marathon for it, and says how far it is until it is done. It may take for ever: drop it then.
pub(super) async fn submit(marathon: &str, body: Value) -> Result<(), String> {
    let is_group = body.get("groups").is_some() || body.get("apps").is_some();
    let (path, body) = match body {
        body if is_group => ("/v2/groups", body),
        Value::Array(apps) => ("/v2/apps", Value::Array(apps)),
        app => ("/v2/apps", Value::Array(vec![app])),
    };
    let client = Client::default();
    let asked = client.json(Method::PUT, marathon, path, Some(&body)).await.map_err(|error| error.to_string())?;
    let deployment = match asked {
        (status, answer) if status.is_success() => answer["deploymentId"].as_str().unwrap_or_default().to_owned(),
        (status, answer) => return Err(refusal(status, &answer)),
    };
    let (mut said, mut changed, mut is_puzzled) = (String::new(), Instant::now(), false);
    loop {
        let get = async |path| client.json(Method::GET, marathon, path, None).await;
        let [Ok((StatusCode::OK, deployments)), Ok((StatusCode::OK, apps))] =
            [get("/v2/deployments").await, get("/v2/apps").await]
        else {
            // It may be started again just now.
            sleep(PAUSE).await;
            continue;
        };
        let running = deployments.as_array().into_iter().flatten().find(|one| one["id"] == deployment.as_str());
        let affected = running.map(|one| one["affectedApps"].clone());
        let now = progress(&apps, affected.as_ref());
        if now != said && affected.is_some() {
            println!("{now}");
            (said, changed, is_puzzled) = (now, Instant::now(), false);
        }
        if affected.is_none() {
            println!("deployed: {}", progress(&apps, None));
            return Ok(());
        }
        if changed.elapsed() > PUZZLED && !is_puzzled {
            is_puzzled = true;
            if let Ok((_, queue)) = get("/v2/queue").await {
                queue["queue"].as_array().into_iter().flatten().for_each(|waiting| println!("{}", why(waiting)));
            }
        }
        sleep(PAUSE).await;
    }
}

fn refusal(status: StatusCode, answer: &Value) -> String {
    let details = answer["details"].as_array().into_iter().flatten().flat_map(|detail| {
        let path = detail["path"].as_str().unwrap_or_default().to_owned();
        detail["errors"]
            .as_array()
            .cloned()
            .unwrap_or_default()
            .into_iter()
            .map(move |error| format!("\n  {path}: {}", error.as_str().unwrap_or_default()))
    });
    let message = answer["message"].as_str().unwrap_or("no reason is given");
    format!("marathon refuses the app ({status}): {message}{}", details.collect::<String>())
}

/// How far apps are: those that are affected, or all.
fn progress(apps: &Value, affected: Option<&Value>) -> String {
    let is_meant = |app: &&Value| affected.is_none_or(|ids| ids.as_array().is_some_and(|ids| ids.contains(&app["id"])));
    let one = |app: &Value| {
        let number = |name: &str| app[name].as_u64().unwrap_or_default();
        let mut words = format!(
            "{}: {} of {} instances run",
            app["id"].as_str().unwrap_or_default(),
            number("tasksRunning"),
            number("instances")
        );
        if app["healthChecks"].as_array().is_some_and(|checks| !checks.is_empty()) {
            words.push_str(&format!(", {} healthy", number("tasksHealthy")));
        }
        words
    };
    let all: Vec<String> = apps["apps"].as_array().into_iter().flatten().filter(is_meant).map(one).collect();
    all.join("; ")
}

/// Why instances wait.
fn why(waiting: &Value) -> String {
    let id = waiting["app"]["id"].as_str().unwrap_or_default();
    let left = waiting["delay"]["timeLeftSeconds"].as_u64().unwrap_or_default();
    if left > 0 {
        return format!("{id} has failed, and is tried again in {left} s: see its last failure in /v2/apps{id}");
    }
    let rejected = waiting["processedOffersSummary"]["rejectSummaryLastOffers"].as_array().into_iter().flatten();
    let reasons: Vec<String> = rejected
        .filter(|reason| reason["declined"].as_u64() > Some(0))
        .map(|reason| {
            let (count, of) = (&reason["declined"], &reason["processed"]);
            format!("{} for {count} of {of} offers", reason["reason"].as_str().unwrap_or_default())
        })
        .collect();
    match reasons.is_empty() {
        true => format!("{id} waits for offers"),
        false => format!("{id} has no place: {}", reasons.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use http::Request;
    use hyper::body::Incoming;
    use serde_json::json;

    use super::*;
    use crate::http::{Answer, Handler, Server, text};

    /// A Marathon that is started again in the middle of a deployment: for a moment nobody leads.
    #[derive(Default)]
    struct Away(AtomicUsize);

    #[async_trait]
    impl Handler for Away {
        async fn answer(&self, request: Request<Incoming>, _: SocketAddr) -> Answer {
            match (request.method().as_str(), request.uri().path()) {
                ("PUT", _) => crate::http::json(&json!({ "deploymentId": "d" })),
                (_, "/v2/deployments") => match self.0.fetch_add(1, Ordering::Relaxed) {
                    0 => text(StatusCode::SERVICE_UNAVAILABLE, "no leader is known yet"),
                    1 => crate::http::json(&json!([{ "id": "d", "affectedApps": ["/web"] }])),
                    _ => crate::http::json(&json!([])),
                },
                _ => crate::http::json(&json!({ "apps": [] })),
            }
        }
    }

    #[tokio::test]
    async fn what_cannot_be_seen_for_a_moment_is_not_taken_for_deployed() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let away = Arc::new(Away::default());
        let server = Server::start(listener, Arc::clone(&away) as _).expect("it listens");
        submit(&server.address().to_string(), json!({ "id": "/web" })).await.expect("deployed");
        assert_eq!(away.0.load(Ordering::Relaxed), 3, "it was looked at until it was over");
    }

    #[test]
    fn what_is_refused_says_where_and_why() {
        let answer =
            json!({ "message": "Object is not valid", "details": [{ "path": "/cpus", "errors": ["too few"] }] });
        let said = refusal(StatusCode::UNPROCESSABLE_ENTITY, &answer);
        assert!(said.contains("Object is not valid\n  /cpus: too few"), "{said}");
    }

    #[test]
    fn what_waits_says_for_what() {
        let offers = json!([
            { "reason": "UnfulfilledConstraint", "declined": 3, "processed": 4 },
            { "reason": "InsufficientCpus", "declined": 1, "processed": 1 },
            { "reason": "InsufficientPorts", "declined": 0, "processed": 0 },
        ]);
        let mut waiting = json!({ "app": { "id": "/web" }, "delay": { "timeLeftSeconds": 0 } });
        waiting["processedOffersSummary"]["rejectSummaryLastOffers"] = offers;
        assert_eq!(
            why(&waiting),
            "/web has no place: UnfulfilledConstraint for 3 of 4 offers, InsufficientCpus for 1 of 1 offers"
        );
        waiting["delay"]["timeLeftSeconds"] = 7.into();
        assert!(why(&waiting).contains("tried again in 7 s"));
    }
}
