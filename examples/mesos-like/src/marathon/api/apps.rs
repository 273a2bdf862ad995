//! Apps: created, shown, changed, restarted, deleted; and their versions.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::route::Route;
use super::{Api, Asked, Problem, deployed, ok};
use crate::http::{Answer, Query};
use crate::marathon::core::{AppQuery, Embed, Refused};
use crate::marathon::model::{AppId, Selector, write};

impl Api {
    pub(super) async fn apps(&self, route: Route, asked: Asked) -> Result<Answer, Problem> {
        match (route, asked.method.clone()) {
            (Route::Apps, Method::GET) => self.list(asked).await,
            (Route::Apps, Method::POST) => self.create(asked).await,
            (Route::Apps, Method::PUT | Method::PATCH) => self.put_many(asked).await,
            (Route::AppsIn(id), Method::GET) => {
                let embed = embed(&asked.query, Embed::default());
                let shown = self.ask(move |marathon, now| -> Vec<Value> {
                    let inside = marathon.root().apps_in(&id).map(|(_, app)| marathon.app_json(app, embed, now));
                    inside.collect()
                });
                Ok(ok(&json!({ "*": shown.await? })))
            }
            (Route::App(id), Method::GET) => {
                let embed = embed(&asked.query, Embed { tasks: true, last_failure: true, ..Embed::default() });
                let shown = self.change(move |marathon, now| match marathon.root().apps.get(&id) {
                    Some(app) => Ok(marathon.app_json(app, embed, now)),
                    None => Err(Refused::NoApp(id)),
                });
                Ok(ok(&json!({ "app": shown.await? })))
            }
            (Route::App(id), Method::PUT | Method::PATCH) => self.put(id, asked).await,
            (Route::App(id), Method::DELETE) => {
                let force = asked.force();
                let done = self.change(move |marathon, now| marathon.remove_app(&id, force, now)).await?;
                Ok(deployed(StatusCode::OK, &done, Value::Null))
            }
            (Route::Restart(id), Method::POST) => {
                let force = asked.force();
                let done = self.change(move |marathon, now| marathon.restart(&id, force, now)).await?;
                Ok(deployed(StatusCode::OK, &done, Value::Null))
            }
            (Route::Versions(id), Method::GET) => {
                let shown = self.change(move |marathon, _| match marathon.root().apps.contains_key(&id) {
                    true => Ok(marathon.history().versions(&id).collect::<Vec<_>>()),
                    false => Err(Refused::NoApp(id)),
                });
                Ok(ok(&json!({ "versions": shown.await? })))
            }
            (Route::Version(id, version), Method::GET) => {
                let shown = self.change(move |marathon, _| match marathon.history().get(&id, version) {
                    Some(app) => Ok(write::json(app)),
                    None => Err(Refused::NoVersion(id, version)),
                });
                Ok(ok(&shown.await?))
            }
            (Route::Apps, _) => Err(Problem::method("GET, POST or PUT")),
            (Route::App(_), _) => Err(Problem::method("GET, PUT or DELETE")),
            (Route::Restart(_), _) => Err(Problem::method("POST")),
            _ => Err(Problem::method("GET")),
        }
    }

    async fn list(&self, asked: Asked) -> Result<Answer, Problem> {
        let get = |name: &str| asked.query.get(name).map(str::to_owned);
        let labels = Selector::all(asked.query.get("label").unwrap_or_default());
        let labels = labels.map_err(|error| Problem::unclear(&error))?;
        let query = AppQuery { cmd: get("cmd"), id: get("id"), labels };
        let embed = embed(&asked.query, Embed::default());
        let apps = self.ask(move |marathon, now| marathon.apps_json(&query, embed, now)).await?;
        Ok(ok(&json!({ "apps": apps })))
    }

    async fn create(&self, asked: Asked) -> Result<Answer, Problem> {
        let (force, peer, uri) = (asked.force(), asked.peer.ip().to_string(), asked.uri);
        let done = self.change(move |marathon, now| {
            let (id, done) = marathon.create(asked.body, force, now)?;
            let Some(app) = marathon.root().apps.get(&id).cloned() else { return Err(Refused::NoApp(id)) };
            marathon.posted(&app, &peer, &uri, now);
            // It is answered as it was asked for: with its deployment, even if there was nothing to do.
            let mut json = marathon.app_json(&app, Embed { tasks: true, ..Embed::default() }, now);
            json["deployments"] = json!([{ "id": done.id }]);
            Ok((done, json))
        });
        let (done, app) = done.await?;
        Ok(deployed(StatusCode::CREATED, &done, app))
    }

    async fn put(&self, id: AppId, asked: Asked) -> Result<Answer, Problem> {
        if asked.body.is_null() {
            return Err(Problem::malformed("there is no body: say what the app shall be"));
        }
        self.put_all(vec![(Some(id), asked.body.clone())], &asked).await
    }

    async fn put_many(&self, asked: Asked) -> Result<Answer, Problem> {
        let Value::Array(bodies) = &asked.body else {
            return Err(Problem::malformed("several apps are given as a list"));
        };
        self.put_all(bodies.iter().map(|body| (None, body.clone())).collect(), &asked).await
    }

    async fn put_all(&self, bodies: Vec<(Option<AppId>, Value)>, asked: &Asked) -> Result<Answer, Problem> {
        let is_partial = asked.query.get("partialUpdate").is_none() || asked.query.flag("partialUpdate");
        let (force, peer, uri) = (asked.force(), asked.peer.ip().to_string(), asked.uri.clone());
        let ids: Vec<Option<AppId>> = bodies.iter().map(|(id, _)| id.clone()).collect();
        let done = self.change(move |marathon, now| {
            let done = marathon.put(bodies, is_partial, force, now)?;
            for app in ids.iter().flatten().filter_map(|id| marathon.root().apps.get(id).cloned()).collect::<Vec<_>>() {
                marathon.posted(&app, &peer, &uri, now);
            }
            Ok(done)
        });
        let (is_new, done) = done.await?;
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        Ok(deployed(status, &done, Value::Null))
    }
}

/// What is shown with apps: what is asked for, as `app.tasks` or `apps.tasks`, and what is shown anyway.
fn embed(query: &Query, anyway: Embed) -> Embed {
    let mut embed = anyway;
    for name in query.all("embed") {
        match name.rsplit('.').next().unwrap_or_default() {
            "tasks" => embed.tasks = true,
            "lastTaskFailure" => embed.last_failure = true,
            "failures" => (embed.last_failure, embed.tasks) = (true, true),
            "taskStats" => embed.task_stats = true,
            "readiness" => embed.readiness = true,
            // Counts and deployments are always shown; what nobody knows adds nothing, as in Marathon.
            _ => {}
        }
    }
    embed
}
