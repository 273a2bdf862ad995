//! Tasks: shown and ended.

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::route::Route;
use super::{Api, Asked, Problem, deployed, ok};
use crate::http::Answer;
use crate::marathon::core::{Instance, Refused};
use crate::marathon::model::AppId;

impl Api {
    pub(super) async fn tasks(&self, route: Route, asked: Asked) -> Result<Answer, Problem> {
        match (route, asked.method.clone()) {
            (Route::Tasks, Method::GET) => {
                let wanted: Vec<String> = asked.query.all("status").map(str::to_owned).collect();
                if let Some(unknown) = wanted.iter().find(|status| !["running", "staging"].contains(&status.as_str())) {
                    return Err(Problem::unclear(&format!(
                        "{unknown:?} is no status of tasks: ask for running or staging"
                    )));
                }
                let tasks = self.ask(move |marathon, _| -> Vec<Value> {
                    let is_wanted = |instance: &&Instance| {
                        if !instance.has_task() {
                            return false;
                        }
                        let status = if instance.is_running() { "running" } else { "staging" };
                        wanted.is_empty() || wanted.iter().any(|wanted| wanted == status)
                    };
                    marathon
                        .instances()
                        .values()
                        .filter(is_wanted)
                        .map(|instance| marathon.task_json(instance))
                        .collect()
                });
                Ok(ok(&json!({ "tasks": tasks.await? })))
            }
            (Route::TasksOf(id), Method::GET) => {
                let tasks = self.change(move |marathon, _| -> Result<Vec<Value>, Refused> {
                    let inside = !marathon.root().apps.contains_key(&id) && !marathon.root().has_group(&id);
                    if inside {
                        return Err(Refused::NoApp(id));
                    }
                    let all = marathon
                        .instances()
                        .values()
                        .filter(|instance| instance.has_task() && instance.app.is_within(&id));
                    Ok(all.map(|instance| marathon.task_json(instance)).collect())
                });
                Ok(ok(&json!({ "tasks": tasks.await? })))
            }
            (Route::TasksOf(id), Method::DELETE) => {
                let host = asked.query.get("host").map(str::to_owned);
                let is_meant = move |instance: &Instance| host.as_ref().is_none_or(|host| instance.host == *host);
                self.kill(Some(id), Box::new(is_meant), "tasks", &asked).await
            }
            (Route::Task(id, task), Method::DELETE) => {
                let is_meant = move |instance: &Instance| instance.task_id == task || instance.id == task;
                self.kill(Some(id), Box::new(is_meant), "task", &asked).await
            }
            (Route::KillTasks, Method::POST) => {
                let ids = asked.body["ids"]
                    .as_array()
                    .map(|ids| ids.iter().filter_map(Value::as_str).map(str::to_owned).collect::<BTreeSet<String>>());
                let Some(ids) = ids else {
                    return Err(Problem::malformed("say which tasks are to end: {\"ids\": [\"…\"]}"));
                };
                let is_meant = move |instance: &Instance| ids.contains(&instance.task_id) || ids.contains(&instance.id);
                self.kill(None, Box::new(is_meant), "tasks", &asked).await
            }
            (Route::Tasks, _) => Err(Problem::method("GET")),
            (Route::TasksOf(_), _) => Err(Problem::method("GET or DELETE")),
            (Route::Task(..), _) => Err(Problem::method("DELETE")),
            _ => Err(Problem::method("POST")),
        }
    }

    /// Ends the tasks that are meant.
    async fn kill(
        &self,
        app: Option<AppId>,
        is_meant: Box<dyn Fn(&Instance) -> bool + Send>,
        name: &'static str,
        asked: &Asked,
    ) -> Result<Answer, Problem> {
        let (is_scaled, force) = (asked.query.flag("scale"), asked.force());
        let is_wiped = asked.query.flag("wipe");
        if is_scaled && is_wiped {
            return Err(Problem::unclear(
                "scale and wipe cannot both be true: the tasks would be both fewer and other ones",
            ));
        }
        let done = self.change(move |marathon, now| {
            if let Some(app) = app.as_ref().filter(|app| !marathon.root().apps.contains_key(*app)) {
                return Err(Refused::NoApp(app.clone()));
            }
            let of_app =
                |instance: &&Instance| instance.has_task() && app.as_ref().is_none_or(|app| instance.app == *app);
            let meant = marathon.instances().values().filter(of_app).filter(|instance| is_meant(instance));
            let ids: BTreeSet<String> = meant.map(|instance| instance.task_id.clone()).collect();
            let (killed, done) = marathon.kill_tasks(&ids, is_scaled, is_wiped, force, now)?;
            let tasks: Vec<Value> = killed.iter().map(|instance| marathon.task_json(instance)).collect();
            Ok((tasks, done))
        });
        let (tasks, done) = done.await?;
        if let Some(done) = done {
            return Ok(deployed(StatusCode::OK, &done, Value::Null));
        }
        match (name, tasks.first()) {
            ("task", None) => Err(Problem::new(StatusCode::NOT_FOUND, "there is no such task: it may have ended")),
            ("task", Some(task)) => Ok(ok(&json!({ "task": task }))),
            _ => Ok(ok(&json!({ "tasks": tasks }))),
        }
    }
}
