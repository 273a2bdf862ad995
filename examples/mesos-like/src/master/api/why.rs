//! `/why-no-offer`: why a framework has no offer, which Mesos does not say.

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use orch_core::allocator::{FrameworkId, WhyNoOffer};
use serde_json::{Value, json};

use super::scheduler::ended;
use crate::http::{Answer, Query, Refusal, json as answered, refused};
use crate::master::actor::Handle;
use crate::master::core::Master;

/// The answer to `?framework_id=…`, or about all frameworks.
pub async fn answer(master: &Handle, request: Request<Incoming>) -> Answer {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return refused("GET");
    }
    let query = Query::of(request.uri().query().unwrap_or_default());
    let wanted = query.get("framework_id").map(str::to_owned);
    match master.ask(move |master| why(master, wanted.as_deref())).await.map_err(ended) {
        Ok(Ok(shown)) => answered(&shown),
        Ok(Err(refusal)) | Err(refusal) => refusal.into(),
    }
}

fn why(master: &Master, wanted: Option<&str>) -> Result<Value, Refusal> {
    let all = master.state().frameworks.keys();
    let ids: Vec<&String> = all.filter(|id| wanted.is_none_or(|wanted| wanted == *id)).collect();
    if let Some(wanted) = wanted.filter(|_| ids.is_empty()) {
        return Err(Refusal::new(StatusCode::NOT_FOUND, format!("There is no framework {wanted}")));
    }
    let asked = ids.into_iter().filter_map(|id| master.allocator().why_no_offer(&FrameworkId::new(id)).ok());
    Ok(json!({ "frameworks": asked.map(|why| shown(&why)).collect::<Vec<_>>() }))
}

fn shown(why: &WhyNoOffer) -> Value {
    let roles = why.roles.iter().map(|role| {
        let obstacles = role.obstacles.iter();
        let obstacles = obstacles.map(|(obstacle, agents)| json!({ "agents": agents, "why": obstacle.to_string() }));
        json!({ "role": role.role.as_str(), "agents": role.nodes, "obstacles": obstacles.collect::<Vec<_>>() })
    });
    json!({
        "framework_id": why.framework.as_str(),
        "outstanding_offers": why.outstanding,
        "roles": roles.collect::<Vec<_>>(),
        "in_words": why.to_string(),
    })
}
