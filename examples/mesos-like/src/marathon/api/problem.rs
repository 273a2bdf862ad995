//! [`Problem`]: what is said to a request that is not followed.

use http::StatusCode;
use serde_json::{Value, json};

use super::super::core::Refused;
use super::super::model::read::ReadError;
use crate::framework::driver::Ended;
use crate::http::{Answer, Refusal};

/// What is said to a request that is not followed: a status, and why in JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    status: StatusCode,
    body: Value,
}

impl Problem {
    /// A problem in words.
    #[must_use]
    pub fn new(status: StatusCode, message: &str) -> Self {
        Self { status, body: json!({ "message": message }) }
    }

    /// A body that is no JSON, or something else altogether.
    #[must_use]
    pub fn malformed(reason: &str) -> Self {
        let details = json!([{ "path": "", "errors": [reason] }]);
        Self { status: StatusCode::BAD_REQUEST, body: json!({ "message": "Invalid JSON", "details": details }) }
    }

    /// Something in a query, or in a path, that says nothing.
    #[must_use]
    pub fn unclear(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// A method that is not one of the path's.
    #[must_use]
    pub fn method(allowed: &str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, &format!("not here: use {allowed}"))
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let status = match &refused {
            Refused::NoApp(_) | Refused::NoGroup(_) | Refused::NoVersion(..) | Refused::NoDeployment(_) => {
                StatusCode::NOT_FOUND
            }
            Refused::Exists(_) | Refused::GroupExists(_) => StatusCode::CONFLICT,
            Refused::Locked(deployments) => {
                let deployments: Vec<Value> = deployments.iter().map(|id| json!({ "id": id })).collect();
                let body = json!({ "message": refused.to_string(), "deployments": deployments });
                return Self { status: StatusCode::CONFLICT, body };
            }
            Refused::Wrong(ReadError::Malformed(reason)) => return Self::malformed(reason),
            Refused::Wrong(ReadError::Invalid(invalid)) => {
                return Self { status: StatusCode::UNPROCESSABLE_ENTITY, body: json!(invalid) };
            }
        };
        Self::new(status, &refused.to_string())
    }
}

impl From<Ended> for Problem {
    fn from(ended: Ended) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, &ended.to_string())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.status, &refusal.message)
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        super::answer(problem.status, &problem.body)
    }
}
