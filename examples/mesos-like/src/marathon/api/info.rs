//! Everything else: who leads, what happens, what waits, what is being deployed.

use http::header::LOCATION;
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use super::route::Route;
use super::{Api, Asked, Problem, deployed, now, ok};
use crate::http::{Answer, empty, text};
use crate::marathon::core::{Marathon, Refused};
use crate::marathon::pages::page;

impl Api {
    pub(super) async fn info(&self, route: Route, asked: Asked) -> Result<Answer, Problem> {
        match (route, asked.method.clone()) {
            (Route::Page, Method::GET) => {
                let mut answer = empty(StatusCode::FOUND);
                answer.headers_mut().insert(LOCATION, HeaderValue::from_static("/ui/"));
                Ok(answer)
            }
            (Route::Ping, Method::GET) => Ok(text(StatusCode::OK, "pong")),
            (Route::Metrics, Method::GET) => Ok(ok(&self.ask(|marathon, _| metrics(marathon)).await?)),
            (Route::Info, Method::GET) => {
                let id = self.ask(|marathon, _| marathon.framework_id().map(str::to_owned)).await?;
                Ok(ok(&self.about.info(id.as_deref())))
            }
            (Route::Leader, Method::GET) => Ok(ok(&json!({ "leader": self.about.address }))),
            (Route::Leader, Method::DELETE) => {
                self.about.abdication.abdicate();
                Ok(ok(&json!({ "message": "Leadership abdicated" })))
            }
            (Route::Events, Method::GET) => {
                if !asked.is_stream {
                    let message = "events are a stream: ask for it by the header Accept: text/event-stream";
                    return Err(Problem::new(StatusCode::NOT_ACCEPTABLE, message));
                }
                let kinds = asked.query.all("event_type").map(str::to_owned).collect();
                Ok(self.events.listen(kinds, &asked.peer.to_string(), &now().to_string()))
            }
            (Route::Deployments, Method::GET) => {
                Ok(ok(&json!(self.ask(|marathon, _| marathon.deployments_json()).await?)))
            }
            (Route::Deployment(id), Method::DELETE) => {
                let force = asked.force();
                let done = self.change(move |marathon, now| marathon.end_deployment(&id, force, now)).await?;
                Ok(match done {
                    Some(done) => deployed(StatusCode::OK, &done, Value::Null),
                    None => empty(StatusCode::ACCEPTED),
                })
            }
            (Route::Queue, Method::GET) => {
                let with_offers = asked.query.all("embed").any(|name| name == "lastUnusedOffers");
                let queue = self.ask(move |marathon, now| marathon.queue_json(with_offers, now)).await?;
                Ok(ok(&json!({ "queue": queue })))
            }
            (Route::Delay(id), Method::DELETE) => {
                let reset = self.change(move |marathon, _| match marathon.reset_delay(&id) {
                    true => Ok(()),
                    false => Err(Refused::NoApp(id)),
                });
                reset.await.map_err(|_| Problem::new(StatusCode::NOT_FOUND, "Application is not in the queue"))?;
                Ok(empty(StatusCode::NO_CONTENT))
            }
            (Route::Deployment(_) | Route::Delay(_), _) => Err(Problem::method("DELETE")),
            (Route::Leader, _) => Err(Problem::method("GET or DELETE")),
            (Route::Ui(kind), Method::GET) => {
                let (masters, query) = (self.about.flags.master.clone(), asked.query);
                let page = self.ask(move |marathon, now| page(marathon, kind, &query, &masters, now)).await?;
                Ok(page.answer(StatusCode::OK))
            }
            _ => Err(Problem::method("GET")),
        }
    }
}

impl super::About {
    /// What `/v2/info` says: as much of it as clients know.
    fn info(&self, framework_id: Option<&str>) -> Value {
        let flags = &self.flags;
        json!({
            "name": "marathon",
            "version": env!("CARGO_PKG_VERSION"),
            "buildref": "unknown",
            "elected": true,
            "leader": self.address,
            "frameworkId": framework_id,
            "marathonConfig": {
                "checkpoint": true,
                "executor": "//cmd",
                "failoverTimeout": flags.failover_timeout.as_secs(),
                "frameworkName": flags.framework_name,
                "ha": flags.store.is_shared(),
                "hostname": self.address.rsplit_once(':').map_or("", |(host, _)| host),
                "localPortMin": flags.local_port_min,
                "localPortMax": flags.local_port_max,
                "master": flags.master.join(","),
                "mesosRole": flags.mesos_role,
                "mesosUser": flags.mesos_user,
                "webuiUrl": format!("http://{}/ui/", self.address),
                "reconciliationInterval": flags.reconciliation_interval.as_millis(),
                "taskLaunchTimeout": flags.task_launch_timeout.as_millis(),
                "declineOfferDuration": flags.decline_offer_duration.as_millis(),
                "minReviveOffersInterval": flags.min_revive_offers_interval.as_millis(),
                "features": [],
            },
            "zookeeperConfig": {
                "zk": flags.store.to_string(), "zkMaxVersions": flags.max_versions,
                "zkSessionTimeout": flags.leader_timeout.as_millis(),
            },
            "httpConfig": { "http_port": flags.http_port, "https_port": null, "assetsPath": null },
        })
    }
}

/// How much there is of everything, in the form that Marathon has for it.
fn metrics(marathon: &Marathon) -> Value {
    let count = |value: usize| json!({ "value": value });
    let waiting: u32 = marathon.waiting().values().map(|waiting| waiting.count).sum();
    let running = marathon.instances().values().filter(|instance| instance.is_running()).count();
    json!({
        "version": "4.0.0",
        "gauges": {
            "marathon.apps.active.gauge": count(marathon.root().apps.len()),
            "marathon.deployments.active.gauge": count(marathon.deployments().len()),
            "marathon.instances.running.gauge": count(running),
            "marathon.instances.staged.gauge": count(marathon.instances().len() - running),
            "marathon.instances.queued.gauge": { "value": waiting },
        },
        "counters": {}, "histograms": {}, "meters": {}, "timers": {},
    })
}
