//! [`Route`]: what a request is about.

use http::StatusCode;

use super::Problem;
use crate::http::decoded;
use crate::marathon::model::{AppId, Version};
use crate::marathon::pages::Kind;

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `/`: where people look.
    Page,
    /// `/ui`, and what is below it.
    Ui(Kind),
    /// `/ping`
    Ping,
    /// `/metrics`
    Metrics,
    /// `/v2/info`
    Info,
    /// `/v2/leader`
    Leader,
    /// `/v2/events`
    Events,
    /// `/v2/apps`
    Apps,
    /// `/v2/apps/ID`
    App(AppId),
    /// `/v2/apps/ID/*`
    AppsIn(AppId),
    /// `/v2/apps/ID/restart`
    Restart(AppId),
    /// `/v2/apps/ID/versions`
    Versions(AppId),
    /// `/v2/apps/ID/versions/VERSION`
    Version(AppId, Version),
    /// `/v2/apps/ID/tasks`
    TasksOf(AppId),
    /// `/v2/apps/ID/tasks/TASK`
    Task(AppId, String),
    /// `/v2/tasks`
    Tasks,
    /// `/v2/tasks/delete`
    KillTasks,
    /// `/v2/groups`
    Groups,
    /// `/v2/groups/ID`
    Group(AppId),
    /// `/v2/groups/ID/versions`
    GroupVersions(AppId),
    /// `/v2/groups/ID/versions/VERSION`
    GroupVersion(AppId, Version),
    /// `/v2/deployments`
    Deployments,
    /// `/v2/deployments/ID`
    Deployment(String),
    /// `/v2/queue`
    Queue,
    /// `/v2/queue/ID/delay`
    Delay(AppId),
}

impl Route {
    /// What a path is about. Slashes too many are left out, as some clients put them in.
    pub(super) fn of(path: &str) -> Result<Self, Problem> {
        let parts: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        Ok(match parts.as_slice() {
            [] => Self::Page,
            ["ui"] => Self::Ui(Kind::Apps),
            ["ui", "deployments"] => Self::Ui(Kind::Deployments),
            ["ui", "queue"] => Self::Ui(Kind::Queue),
            ["ping"] => Self::Ping,
            ["metrics"] => Self::Metrics,
            ["v2", "info"] => Self::Info,
            ["v2", "leader"] => Self::Leader,
            ["v2", "events"] => Self::Events,
            ["v2", "tasks"] => Self::Tasks,
            ["v2", "tasks", "delete"] => Self::KillTasks,
            ["v2", "deployments"] => Self::Deployments,
            ["v2", "deployments", id] => Self::Deployment((*id).to_owned()),
            ["v2", "queue"] => Self::Queue,
            ["v2", "queue", id @ .., "delay"] if !id.is_empty() => Self::Delay(self::id(id)?),
            ["v2", "apps"] => Self::Apps,
            ["v2", "apps", rest @ ..] => of_app(rest)?,
            ["v2", "groups"] => Self::Groups,
            ["v2", "groups", "versions"] => Self::GroupVersions(AppId::root()),
            ["v2", "groups", "versions", version] => Self::GroupVersion(AppId::root(), self::version(version)?),
            ["v2", "groups", id @ .., "versions"] => Self::GroupVersions(self::id(id)?),
            ["v2", "groups", id @ .., "versions", version] => {
                Self::GroupVersion(self::id(id)?, self::version(version)?)
            }
            ["v2", "groups", id @ ..] => Self::Group(self::id(id)?),
            ["v2", "pods" | "eventSubscriptions" | "plugins" | "schemas" | "artifacts", ..] => {
                let message = format!("there is no /v2/{} here: see the README of mesos-like's Marathon", parts[1]);
                return Err(Problem::new(StatusCode::NOT_FOUND, &message));
            }
            _ => {
                let message = format!("there is nothing at {path}: the API is at /v2, the page at /ui");
                return Err(Problem::new(StatusCode::NOT_FOUND, &message));
            }
        })
    }
}

fn of_app(rest: &[&str]) -> Result<Route, Problem> {
    Ok(match rest {
        [id @ .., "*"] => Route::AppsIn(self::id(id)?),
        [id @ .., "restart"] if !id.is_empty() => Route::Restart(self::id(id)?),
        [id @ .., "versions"] if !id.is_empty() => Route::Versions(self::id(id)?),
        [id @ .., "versions", version] if !id.is_empty() => Route::Version(self::id(id)?, self::version(version)?),
        [id @ .., "tasks"] if !id.is_empty() => Route::TasksOf(self::id(id)?),
        [id @ .., "tasks", task] if !id.is_empty() => Route::Task(self::id(id)?, (*task).to_owned()),
        id => Route::App(self::id(id)?),
    })
}

fn id(parts: &[&str]) -> Result<AppId, Problem> {
    let wrong =
        |error: crate::marathon::model::AppIdError| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string());
    format!("/{}", parts.join("/")).parse().map_err(wrong)
}

fn version(text: &str) -> Result<Version, Problem> {
    text.parse().map_err(|error: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(text: &str) -> AppId {
        text.parse().expect(text)
    }

    #[test]
    fn paths_lead_to_apps_however_deep_and_whatever_slashes_are_too_many() {
        for (path, expected) in [
            ("/v2/apps/", Route::Apps),
            ("/v2/apps//shop/web", Route::App(app("/shop/web"))),
            ("/v2/apps/%2Fweb", Route::App(app("/web"))),
            ("/v2/apps/shop/*", Route::AppsIn(app("/shop"))),
            ("/v2/apps/shop/web/restart", Route::Restart(app("/shop/web"))),
            ("/v2/apps/web/tasks/web.1", Route::Task(app("/web"), "web.1".to_owned())),
            ("/v2/apps/tasks", Route::App(app("/tasks"))),
            ("/v2/groups//shop/versions", Route::GroupVersions(app("/shop"))),
            ("/v2/queue//web/delay", Route::Delay(app("/web"))),
            ("//ping", Route::Ping),
        ] {
            assert_eq!(Route::of(path), Ok(expected), "{path}");
        }
        for path in ["/v3", "/v2/apps/We%20b", "/v2/apps/web/versions/yesterday", "/v2/pods", "/v2/apps/a%00b"] {
            assert!(Route::of(path).is_err(), "{path}");
        }
    }
}
