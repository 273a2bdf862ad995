//! `POST /api/v1/scheduler`: what frameworks say.

use http::{HeaderMap, Method, Request, StatusCode};
use hyper::body::Incoming;

use crate::http::{Answer, Refusal, STREAM_ID, accepted, empty, read_call, refused, subscription};
use crate::master::actor::{Ended, Handle};
use crate::master::core::Refused;
use crate::wire::scheduler::{Call, CallType};

/// How many records may wait for a framework that reads slowly.
const WAITING: usize = 4096;

/// Answers a framework's request to the leading master.
pub async fn answer(master: &Handle, request: Request<Incoming>) -> Answer {
    match follow(master, request).await {
        Ok(answer) => answer,
        Err(refusal) => refusal.into(),
    }
}

async fn follow(master: &Handle, request: Request<Incoming>) -> Result<Answer, Refusal> {
    if request.method() != Method::POST {
        return Ok(refused("POST"));
    }
    let headers = request.headers().clone();
    let call: Call = read_call(request, "Call").await?;
    validate(&call).map_err(|reason| Refusal::bad_request(format!("Failed to validate scheduler::Call: {reason}")))?;
    let stream = headers.get(STREAM_ID).map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    match call.r#type() {
        CallType::Subscribe => subscribe(master, call, &headers, stream.is_some()).await,
        CallType::Unknown => Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "Received 'UNKNOWN' call")),
        kind => {
            let id = call.framework_id.as_ref().map(|id| id.value.clone()).unwrap_or_default();
            let given = stream.clone();
            let done = master.ask(move |master| master.call(call, given.as_deref())).await.map_err(ended)?;
            done.map_err(|refused| in_words(refused, &id, stream.as_deref()))?;
            let status = if kind == CallType::UpdateFramework { StatusCode::OK } else { StatusCode::ACCEPTED };
            Ok(empty(status))
        }
    }
}

async fn subscribe(master: &Handle, call: Call, headers: &HeaderMap, has_stream: bool) -> Result<Answer, Refusal> {
    let media = accepted(headers)?;
    if has_stream {
        return Err(Refusal::bad_request("Subscribe calls should not include the 'Mesos-Stream-Id' header"));
    }
    let (stream, outbox, answer) = subscription(media, WAITING);
    let subscribe = call.subscribe.unwrap_or_default();
    let name = stream.clone();
    master.attach(&stream, outbox, move |master| master.subscribe(subscribe, &name)).await.map_err(ended)?;
    Ok(answer)
}

/// Whether a call has what its kind needs.
fn validate(call: &Call) -> Result<(), String> {
    let kind = match call.r#type {
        Some(_) => call.r#type(),
        None => return Err("Expecting 'type' to be present".to_owned()),
    };
    let has = |there: bool, name: &str| match there {
        true => Ok(()),
        false => Err(format!("Expecting '{name}' to be present")),
    };
    if kind == CallType::Subscribe {
        has(call.subscribe.is_some(), "subscribe")?;
        let named = call.subscribe.as_ref().and_then(|subscribe| subscribe.framework_info.id.as_ref());
        return match (named, &call.framework_id) {
            (None, None) => Ok(()),
            (Some(one), Some(other)) if one == other => Ok(()),
            (None, Some(_)) => Err("'framework_id' is set, but 'subscribe.framework_info.id' is not".to_owned()),
            _ => Err("'framework_id' differs from 'subscribe.framework_info.id'".to_owned()),
        };
    }
    has(call.framework_id.is_some(), "framework_id")?;
    match kind {
        CallType::Accept => has(call.accept.is_some(), "accept"),
        CallType::Decline => has(call.decline.is_some(), "decline"),
        CallType::AcceptInverseOffers => has(call.accept_inverse_offers.is_some(), "accept_inverse_offers"),
        CallType::DeclineInverseOffers => has(call.decline_inverse_offers.is_some(), "decline_inverse_offers"),
        CallType::Kill => has(call.kill.is_some(), "kill"),
        CallType::Shutdown => has(call.shutdown.is_some(), "shutdown"),
        CallType::Acknowledge => {
            has(call.acknowledge.is_some(), "acknowledge")?;
            uuid_of(call.acknowledge.as_ref().map(|acknowledge| &acknowledge.uuid[..]).unwrap_or_default())
        }
        CallType::AcknowledgeOperationStatus => {
            has(call.acknowledge_operation_status.is_some(), "acknowledge_operation_status")?;
            uuid_of(call.acknowledge_operation_status.as_ref().map(|status| &status.uuid[..]).unwrap_or_default())
        }
        CallType::Reconcile => has(call.reconcile.is_some(), "reconcile"),
        CallType::ReconcileOperations => has(call.reconcile_operations.is_some(), "reconcile_operations"),
        CallType::Message => has(call.message.is_some(), "message"),
        CallType::Request => has(call.request.is_some(), "request"),
        CallType::UpdateFramework => {
            has(call.update_framework.is_some(), "update_framework")?;
            let named = call.update_framework.as_ref().and_then(|update| update.framework_info.id.as_ref());
            match named == call.framework_id.as_ref() {
                true => Ok(()),
                false => Err("'framework_id' differs from 'update_framework.framework_info.id'".to_owned()),
            }
        }
        CallType::Teardown | CallType::Revive | CallType::Suppress | CallType::Unknown | CallType::Subscribe => Ok(()),
    }
}

fn uuid_of(bytes: &[u8]) -> Result<(), String> {
    match bytes.len() {
        16 => Ok(()),
        length => Err(format!("Not a valid UUID: it has {length} bytes, not 16")),
    }
}

fn in_words(refused: Refused, id: &str, stream: Option<&str>) -> Refusal {
    match (refused, stream) {
        (Refused::Unknown, _) => Refusal::bad_request("Framework cannot be found"),
        (Refused::NotSubscribed, _) => Refusal::new(StatusCode::FORBIDDEN, "Framework is not subscribed"),
        (Refused::Stream, None) => {
            Refusal::bad_request("All non-subscribe calls should include the 'Mesos-Stream-Id' header")
        }
        (Refused::Stream, Some(stream)) => Refusal::bad_request(format!(
            "The stream ID '{stream}' included in this request didn't match the stream ID currently associated with \
             framework ID {id}"
        )),
        (Refused::Invalid(reason), _) => Refusal::bad_request(reason),
    }
}

/// The master has ended while it was asked.
pub fn ended(_: Ended) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "Master is not leading any more")
}
