//! `POST /api/v1/executor`: what executors say.

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;

use crate::agent::actor::{Gone, Handle};
use crate::agent::core::{CallRefused, Key};
use crate::http::{Answer, Refusal, accepted, empty, read_call, refused, subscription};
use crate::wire::executor::{Call, CallType};

/// How many records may wait for an executor that reads slowly.
const WAITING: usize = 4096;

/// Answers an executor.
pub(super) async fn answer(agent: &Handle, request: Request<Incoming>) -> Answer {
    follow(agent, request).await.unwrap_or_else(Answer::from)
}

async fn follow(agent: &Handle, request: Request<Incoming>) -> Result<Answer, Refusal> {
    if request.method() != Method::POST {
        return Ok(refused("POST"));
    }
    let headers = request.headers().clone();
    let call: Call = read_call(request, "Call").await?;
    let invalid = |reason: &str| {
        Err(Refusal::bad_request(format!("Failed to validate Executor::Call: Expecting '{reason}' to be present")))
    };
    let key = Key { framework: call.framework_id.value.clone(), executor: call.executor_id.value.clone() };
    match call.r#type() {
        _ if call.r#type.is_none() => invalid("type"),
        CallType::Update if call.update.is_none() => invalid("update"),
        CallType::Message if call.message.is_none() => invalid("message"),
        CallType::Subscribe if call.subscribe.is_none() => invalid("subscribe"),
        CallType::Unknown => Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "Received 'UNKNOWN' call")),
        CallType::Subscribe => {
            let (_, outbox, answer) = subscription(accepted(&headers)?, WAITING);
            let subscribed = agent.ask(move |actor| {
                actor.core.executor_subscribes(&key, call)?;
                actor.link_executor(&key, outbox);
                Ok(())
            });
            subscribed.await.map_err(gone)?.map_err(in_words)?;
            Ok(answer)
        }
        _ => {
            agent.ask(move |actor| actor.core.executor_says(&key, call)).await.map_err(gone)?.map_err(in_words)?;
            Ok(empty(StatusCode::ACCEPTED))
        }
    }
}

fn in_words(refused: CallRefused) -> Refusal {
    match refused {
        CallRefused::UnknownFramework => Refusal::bad_request("Framework cannot be found"),
        CallRefused::UnknownExecutor => Refusal::bad_request("Executor cannot be found"),
        CallRefused::NotSubscribed => Refusal::new(StatusCode::FORBIDDEN, "Executor is not subscribed"),
        CallRefused::Invalid(reason) => Refusal::bad_request(format!("Failed to validate Executor::Call: {reason}")),
    }
}

fn gone(_: Gone) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "Agent is ending")
}
