//! [`Api`]: the REST API of Chronos.

mod graph;
mod jobs;
mod route;
mod stats;

use std::net::SocketAddr;

use async_trait::async_trait;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::core::{Chronos, Output, Refused};
use super::framework::Framework;
use super::job::{Defaults, Definition, When};
use crate::framework::driver::{Ended, Handle};
use crate::http::{self as web, Answer, Handler, Query, Refusal, empty, read_body, text};
use route::{Listing, Route};

/// The REST API of Chronos, at the process that leads.
#[derive(Debug)]
pub(super) struct Api {
    jobs: Handle<Framework>,
    /// Where this process is.
    address: String,
    defaults: Defaults,
}

impl From<Ended> for Refusal {
    fn from(ended: Ended) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, ended.to_string())
    }
}

impl From<Refused> for Refusal {
    fn from(Refused(why): Refused) -> Self {
        Self::bad_request(why)
    }
}

/// A refusal as clients of Chronos expect it.
pub(super) fn refusal(refusal: Refusal) -> Answer {
    let mut answer = web::json(&json!({ "status": refusal.status.canonical_reason(), "message": refusal.message }));
    *answer.status_mut() = refusal.status;
    answer
}

impl Api {
    /// The API of a process that is at this address.
    pub(super) fn new(jobs: Handle<Framework>, address: String, defaults: Defaults) -> Self {
        Self { jobs, address, defaults }
    }

    async fn follow(&self, route: Route, request: Request<Incoming>) -> Result<Answer, Refusal> {
        let query = Query::of(request.uri().query().unwrap_or_default());
        match route {
            Route::Ping => Ok(text(StatusCode::OK, "pong")),
            Route::Leader => Ok(web::json(&json!({ "leader": self.address }))),
            Route::Metrics => self.looked(|chronos| web::json(&stats::metrics(chronos))).await,
            Route::Jobs(Listing::All) => self.looked(|chronos| web::json(&jobs::all(chronos))).await,
            Route::Jobs(Listing::Summary) => self.looked(|chronos| web::json(&jobs::summary(chronos))).await,
            Route::Jobs(Listing::Search) => {
                let search = jobs::Search::read(&query)?;
                self.looked(move |chronos| web::json(&search.results(chronos))).await
            }
            Route::Job(name) => {
                let found = self.jobs.ask(move |jobs, _| jobs.chronos().job(&name).map(jobs::job)).await??;
                Ok(web::json(&found))
            }
            Route::Stat(name) => {
                let found = self.jobs.ask(move |jobs, _| jobs.chronos().job(&name).map(stats::of_job)).await??;
                Ok(web::json(&found))
            }
            Route::Stats(which) => self.looked(move |chronos| web::json(&stats::of_all(chronos, which))).await,
            Route::Csv => self.looked(graph::csv).await,
            Route::Dot => self.looked(graph::dot).await,
            Route::Add { scheduled } => self.add(scheduled, request).await,
            Route::Run(name) => {
                let arguments =
                    query.get("arguments").filter(|arguments| !arguments.trim().is_empty()).map(str::to_owned);
                self.changed(move |chronos, now| chronos.run_now(&name, arguments, now)).await
            }
            Route::Delete(name) => self.changed(move |chronos, _| chronos.remove(&name)).await,
            Route::Kill(name) => self.changed(move |chronos, _| chronos.kill_tasks(&name)).await,
            Route::Success(name) => {
                let marked = name.clone();
                self.changed(move |chronos, now| chronos.mark_success(&marked, now)).await?;
                Ok(text(StatusCode::OK, format!("marked job {name} as successful: true")))
            }
        }
    }

    async fn looked(&self, look: impl FnOnce(&Chronos) -> Answer + Send + 'static) -> Result<Answer, Refusal> {
        Ok(self.jobs.ask(|jobs, _| look(jobs.chronos())).await?)
    }

    async fn changed(
        &self,
        change: impl FnOnce(&mut Chronos, Timestamp) -> Result<Output, Refused> + Send + 'static,
    ) -> Result<Answer, Refusal> {
        self.jobs.ask(|jobs, now| jobs.change(|chronos| change(chronos, now))).await??;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    async fn add(&self, scheduled: bool, request: Request<Incoming>) -> Result<Answer, Refusal> {
        let body = read_body(request.into_body()).await?;
        let job: Value = serde_json::from_slice(&body)
            .map_err(|error| Refusal::bad_request(format!("the job is no JSON: {error}")))?;
        let defaults = self.defaults.clone();
        self.changed(move |chronos, now| {
            let definition = Definition::read(&job, &defaults, now).map_err(Refused)?;
            match (scheduled, &definition.when) {
                (true, When::After(_)) => {
                    Err(Refused("a job with parents is added at /scheduler/dependency, not at /scheduler/iso8601".to_owned()))
                }
                (false, When::Scheduled { .. }) => Err(Refused(
                    "parents is missing: a job with a schedule is added at /scheduler/iso8601, not at /scheduler/dependency"
                        .to_owned(),
                )),
                _ => chronos.put(definition, now),
            }
        })
        .await
    }
}

#[async_trait]
impl Handler for Api {
    async fn answer(&self, request: Request<Incoming>, _: SocketAddr) -> Answer {
        let path = request.uri().path().to_owned();
        match Route::of(request.method(), &path) {
            Ok(route) => self.follow(route, request).await.unwrap_or_else(refusal),
            Err(refused) => refusal(refused),
        }
    }
}
