//! [`Route`]: what a request asks for.

use http::{Method, StatusCode};

use super::stats::Measure;
use crate::http::Refusal;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Ping,
    Leader,
    Metrics,
    Jobs(Listing),
    Job(String),
    Stat(String),
    Stats(Measure),
    Csv,
    Dot,
    Add { scheduled: bool },
    Run(String),
    Delete(String),
    Kill(String),
    Success(String),
}

/// Which jobs are listed, and what of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listing {
    All,
    Summary,
    Search,
}

impl Route {
    /// What a method at a path asks for; clients from before version 3 leave out `/v1`.
    ///
    /// # Errors
    /// A [`Refusal`] if there is nothing there, or not by this method.
    pub(super) fn of(method: &Method, path: &str) -> Result<Self, Refusal> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let parts = parts.strip_prefix(&["v1"]).unwrap_or(&parts);
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let is = |wanted: Method| *method == wanted;
        let name = |name: &&str| (*name).to_owned();
        let (route, allowed) = match parts {
            ["ping"] => (is(Method::GET).then_some(Self::Ping), "GET"),
            ["leader"] | ["scheduler", "leader"] => (is(Method::GET).then_some(Self::Leader), "GET"),
            ["metrics"] => (is(Method::GET).then_some(Self::Metrics), "GET"),
            ["scheduler", "jobs"] => (is(Method::GET).then_some(Self::Jobs(Listing::All)), "GET"),
            ["scheduler", "jobs", "summary"] => (is(Method::GET).then_some(Self::Jobs(Listing::Summary)), "GET"),
            ["scheduler", "jobs", "search"] => (is(Method::GET).then_some(Self::Jobs(Listing::Search)), "GET"),
            ["scheduler", "job", "stat", job] => (is(Method::GET).then(|| Self::Stat(name(job))), "GET"),
            ["scheduler", "job", "success", job] => (is(Method::PUT).then(|| Self::Success(name(job))), "PUT"),
            ["scheduler", "job", job] => match *method {
                Method::GET => (Some(Self::Job(name(job))), ""),
                Method::PUT => (Some(Self::Run(name(job))), ""),
                Method::DELETE => (Some(Self::Delete(name(job))), ""),
                _ => (None, "GET, PUT, DELETE"),
            },
            ["scheduler", "task", "kill", job] => (is(Method::DELETE).then(|| Self::Kill(name(job))), "DELETE"),
            ["scheduler", "graph", "csv"] => (is(Method::GET).then_some(Self::Csv), "GET"),
            ["scheduler", "graph", "dot"] => (is(Method::GET).then_some(Self::Dot), "GET"),
            ["scheduler", "stats", measure] => (is(Method::GET).then_some(Self::Stats(Measure::of(measure)?)), "GET"),
            ["scheduler", how @ ("iso8601" | "dependency")] => {
                // Clients from before version 3 put what is there already.
                let is_add = is(Method::POST) || is(Method::PUT);
                (is_add.then_some(Self::Add { scheduled: *how == "iso8601" }), "POST")
            }
            _ => return Err(Refusal::new(StatusCode::NOT_FOUND, format!("There is nothing at {path}"))),
        };
        route.ok_or_else(|| {
            Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("{method} cannot be done at {path}, but {allowed} can"),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_found_with_and_without_the_version() {
        let name = || "stat".to_owned();
        for (method, path, route) in [
            (Method::GET, "/ping", Route::Ping),
            (Method::GET, "/v1/scheduler/jobs", Route::Jobs(Listing::All)),
            (Method::GET, "/scheduler/jobs/search", Route::Jobs(Listing::Search)),
            (Method::POST, "/v1/scheduler/iso8601", Route::Add { scheduled: true }),
            (Method::PUT, "/scheduler/dependency", Route::Add { scheduled: false }),
            (Method::PUT, "/v1/scheduler/job/stat", Route::Run(name())),
            (Method::GET, "/v1/scheduler/job/stat/stat", Route::Stat(name())),
            (Method::PUT, "/v1/scheduler/job/success/stat", Route::Success(name())),
            (Method::DELETE, "/v1/scheduler/task/kill/stat", Route::Kill(name())),
            (Method::HEAD, "/metrics", Route::Metrics),
        ] {
            assert_eq!(Route::of(&method, path), Ok(route), "{path}");
        }
        for (method, path, status) in [
            (Method::GET, "/v2/apps", StatusCode::NOT_FOUND),
            (Method::GET, "/", StatusCode::NOT_FOUND),
            (Method::PATCH, "/v1/scheduler/job/a", StatusCode::METHOD_NOT_ALLOWED),
            (Method::GET, "/v1/scheduler/iso8601", StatusCode::METHOD_NOT_ALLOWED),
            (Method::GET, "/v1/scheduler/stats/12thPercentile", StatusCode::BAD_REQUEST),
        ] {
            assert_eq!(Route::of(&method, path).map_err(|refused| refused.status), Err(status), "{path}");
        }
    }
}
