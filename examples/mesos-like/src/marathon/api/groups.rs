//! Groups: created, shown, changed, put back, deleted.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::route::Route;
use super::{Api, Asked, Problem, deployed, ok};
use crate::http::Answer;
use crate::marathon::core::Refused;
use crate::marathon::model::AppId;

impl Api {
    pub(super) async fn groups(&self, route: Route, asked: Asked) -> Result<Answer, Problem> {
        let force = asked.force();
        match (route, asked.method.clone()) {
            (Route::Groups, Method::GET) => self.group(AppId::root()).await,
            (Route::Group(id), Method::GET) => self.group(id).await,
            (Route::Groups, Method::POST) => self.change_group(None, true, asked).await,
            (Route::Groups, Method::PUT) => self.change_group(None, false, asked).await,
            (Route::Group(id), Method::POST) => self.change_group(Some(id), true, asked).await,
            (Route::Group(id), Method::PUT) => self.change_group(Some(id), false, asked).await,
            (Route::Groups, Method::DELETE) => {
                if !force {
                    let message = "this would delete all apps: say force=true if it is meant";
                    return Err(Problem::new(StatusCode::BAD_REQUEST, message));
                }
                self.remove(AppId::root(), force).await
            }
            (Route::Group(id), Method::DELETE) => self.remove(id, force).await,
            (Route::GroupVersions(id), Method::GET) => {
                let shown = self.change(move |marathon, _| match marathon.root().has_group(&id) {
                    true => Ok(marathon.group_versions(&id)),
                    false => Err(Refused::NoGroup(id)),
                });
                Ok(ok(&json!(shown.await?)))
            }
            (Route::GroupVersion(id, version), Method::GET) => {
                let shown = self.change(move |marathon, _| {
                    let then = marathon.group_at(&id, version);
                    then.ok_or(Refused::NoVersion(id, version))
                });
                Ok(ok(&shown.await?))
            }
            (Route::GroupVersion(id, version), Method::PUT) => {
                let asked = Asked { body: json!({ "version": version }), ..asked };
                self.change_group(Some(id), false, asked).await
            }
            (Route::Groups | Route::Group(_), _) => Err(Problem::method("GET, POST, PUT or DELETE")),
            (Route::GroupVersion(..), _) => Err(Problem::method("GET or PUT")),
            _ => Err(Problem::method("GET")),
        }
    }

    async fn group(&self, id: AppId) -> Result<Answer, Problem> {
        let shown = self.change(move |marathon, now| match marathon.root().has_group(&id) {
            true => Ok(marathon.group_json(&id, now)),
            false => Err(Refused::NoGroup(id)),
        });
        Ok(ok(&shown.await?))
    }

    async fn change_group(&self, id: Option<AppId>, is_new: bool, asked: Asked) -> Result<Answer, Problem> {
        let force = asked.force();
        let body = asked.body;
        if body.is_null() {
            return Err(Problem::malformed("there is no body: say what the group shall be"));
        }
        let done = self.change(move |marathon, now| marathon.change_group(body, id.as_ref(), is_new, force, now));
        let (_, done) = done.await?;
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        Ok(deployed(status, &done, Value::Null))
    }

    async fn remove(&self, id: AppId, force: bool) -> Result<Answer, Problem> {
        let done = self.change(move |marathon, now| marathon.remove_group(&id, force, now)).await?;
        Ok(deployed(StatusCode::OK, &done, Value::Null))
    }
}
