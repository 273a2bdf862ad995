//! `POST /api/v1/agent`: what agents say. It is this project's own: in Mesos, agents and masters speak libprocess.

use std::net::SocketAddr;

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;

use super::scheduler::ended;
use crate::http::{Answer, Refusal, STREAM_ID, accepted, empty, read_call, refused, subscription};
use crate::master::actor::Handle;
use crate::wire::{AgentCall, AgentCallType};

/// How many records may wait for an agent that reads slowly.
const WAITING: usize = 16_384;

/// Answers an agent's request to the leading master: `REGISTER` by a stream, all others by 202.
pub async fn answer(master: &Handle, request: Request<Incoming>, peer: SocketAddr) -> Answer {
    match follow(master, request, peer).await {
        Ok(answer) => answer,
        Err(refusal) => refusal.into(),
    }
}

async fn follow(master: &Handle, request: Request<Incoming>, peer: SocketAddr) -> Result<Answer, Refusal> {
    if request.method() != Method::POST {
        return Ok(refused("POST"));
    }
    let headers = request.headers().clone();
    let call: AgentCall = read_call(request, "AgentCall").await?;
    if call.r#type() != AgentCallType::Register {
        let stream = headers.get(STREAM_ID).map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
        let heard = master.ask(move |master| master.agent_call(call, stream.as_deref().unwrap_or_default())).await;
        return match heard.map_err(ended)? {
            true => Ok(empty(StatusCode::ACCEPTED)),
            false => Err(Refusal::new(StatusCode::FORBIDDEN, "Agent is not registered")),
        };
    }
    let register =
        call.register.ok_or_else(|| Refusal::bad_request("Expecting 'register' to be present".to_owned()))?;
    let (stream, outbox, answer) = subscription(accepted(&headers)?, WAITING);
    let (name, id, ip) = (
        stream.clone(),
        call.agent_id.map(|id| id.value),
        register.ip.clone().unwrap_or_else(|| peer.ip().to_string()),
    );
    let job = move |master: &mut crate::master::core::Master| master.register(id.as_deref(), register, &name, &ip);
    master.attach(&stream, outbox, job).await.map_err(ended)?;
    Ok(answer)
}
