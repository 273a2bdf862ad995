//! `POST /api/v1`: the operator API.

mod decisions;
mod reads;

pub(in crate::master::api) use decisions::{no_quota, on, set_quota};
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;

use super::Office;
use crate::http::{Answer, Refusal, accepted, empty, read_call, refused, whole};
use crate::master::desk::Decision;
use crate::wire::MediaType;
use crate::wire::operator::{Call, CallType, Response};

/// The answer to a request.
pub async fn answer(office: Office<'_>, request: Request<Incoming>) -> Answer {
    if *request.method() != Method::POST {
        return refused("POST");
    }
    match call(request).await {
        Ok((call, accepted)) => match office.carry_out(call, accepted).await {
            Ok(answer) => answer,
            Err(refusal) => refusal.into(),
        },
        Err(refusal) => refusal.into(),
    }
}

/// The call in a request, and the form that its answer is to have.
async fn call(request: Request<Incoming>) -> Result<(Call, MediaType), Refusal> {
    let accepted = accepted(request.headers());
    let call: Call = read_call(request, "Call").await?;
    if call.r#type.is_none() {
        return Err(invalid("Expecting 'type' to be present"));
    }
    Ok((call, accepted?))
}

/// A call that lacks something.
fn invalid(reason: &str) -> Refusal {
    Refusal::bad_request(format!("Failed to validate master::Call: {reason}"))
}

impl Office<'_> {
    async fn carry_out(&self, call: Call, accepted: MediaType) -> Result<Answer, Refusal> {
        match call.r#type() {
            CallType::Subscribe => return self.desk.subscribe(accepted).await,
            CallType::Unknown => return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "Received 'UNKNOWN' call")),
            CallType::ListFiles | CallType::ReadFile => {
                return Err(Refusal::new(
                    StatusCode::NOT_FOUND,
                    "A master shows no files: ask the agent that has them",
                ));
            }
            CallType::SetLoggingLevel => {
                let reason = "The level is chosen by --logging_level when the master is started";
                return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, reason));
            }
            _ => {}
        }
        if let Some(response) = self.read(&call).await? {
            return Ok(whole(accepted, accepted.encode(&response)));
        }
        let decision = decisions::decision(call)?;
        let status = match decision {
            Decision::Resources(..) => StatusCode::ACCEPTED,
            _ => StatusCode::OK,
        };
        self.desk.decide(decision).await?;
        Ok(empty(status))
    }

    /// What a call asks to be told, if it does.
    async fn read(&self, call: &Call) -> Result<Option<Response>, Refusal> {
        let Self { about, elected, .. } = *self;
        if let Some(response) = reads::of_itself(call.r#type(), about, elected) {
            return Ok(Some(response));
        }
        if call.r#type() == CallType::GetMetrics {
            let own = crate::master::metrics::of_every_master(about, true);
            return Ok(Some(reads::metrics(own.into_iter().chain(self.desk.metrics().await))));
        }
        match reads::parts(call.r#type()) {
            Some(parts) => Ok(reads::of_view(call.r#type(), self.desk.view(parts).await?)),
            None => Ok(None),
        }
    }
}
