//! Finds the master that leads, and stays with it.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use orch_core::entropy::{Entropy as _, SeededEntropy};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::actor::{Gone, Handle};
use crate::http::{Client, ClientError, STREAM_ID, Stream};
use crate::wire::{AgentCall, AgentEvent, AgentEventType, MediaType};

/// Where agents call a master.
const PATH: &str = "/api/v1/agent";

/// The longest that is waited before the next try.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How many pings may be missed before a master is given up.
const MISSED_PINGS: u32 = 5;

/// Where masters are, and how they are looked for.
#[derive(Clone, Debug)]
pub struct Masters {
    /// Each `host:port`.
    pub addresses: Vec<String>,
    /// The first pause after a failure is at most so long; the next ones may be twice as long each.
    pub backoff: Duration,
}

/// Why a master is given up.
type Reason = String;

/// Registers the agent with the master that leads, again and again, until the agent ends.
pub async fn stay(agent: Handle, masters: Masters) {
    let (client, entropy) = (Client::default(), SeededEntropy::from_os());
    let mut failures: u32 = 0;
    loop {
        let address = &masters.addresses[failures as usize % masters.addresses.len()];
        let stayed = register(&agent, &client, address).await;
        if agent.ask(|actor| actor.core.disconnected()).await.is_err() {
            return;
        }
        failures = match stayed {
            Ok(Stayed { registered: true, reason }) => {
                tracing::warn!(reason, "the connection to the master is broken; registering again");
                0
            }
            Ok(Stayed { reason, .. }) => {
                tracing::info!(address, reason, "not registered yet");
                failures.saturating_add(1)
            }
            Err(Gone) => return,
        };
        let longest = masters.backoff.saturating_mul(1 << failures.min(6)).min(LONGEST_PAUSE);
        let part = (entropy.next_u64() % 1000) as u32;
        sleep(longest * part / 1000).await;
    }
}

struct Stayed {
    registered: bool,
    reason: Reason,
}

/// Registers with a master, and stays with it as long as it is heard.
async fn register(agent: &Handle, client: &Client, address: &str) -> Result<Stayed, Gone> {
    let (calls, mut said) = mpsc::unbounded_channel();
    let register = agent
        .ask(move |actor| {
            actor.link_master(calls);
            actor.core.register()
        })
        .await?;
    let answer = client.post(address, PATH, MediaType::Protobuf, &HeaderMap::new(), &register).await;
    let not = |reason: Reason| Ok(Stayed { registered: false, reason });
    let (master, response) = match answer {
        Ok(answered) => answered,
        Err(error) => return not(error.to_string()),
    };
    let Some(stream_id) = response.headers().get(STREAM_ID).cloned() else {
        return not(format!("{master} gave no Mesos-Stream-Id: is it a master?"));
    };
    let mut events = Stream::of(response, MediaType::Protobuf);
    let (mut registered, mut silence) = (false, Duration::from_secs(60));
    loop {
        let event = tokio::select! {
            biased;
            event = timeout(silence, events.next::<AgentEvent>()) => event,
            Some(call) = said.recv() => {
                if let Err(reason) = tell(client, &master, &stream_id, &call).await {
                    return Ok(Stayed { registered, reason });
                }
                continue;
            }
        };
        let event = match event {
            Ok(Ok(Some(event))) => event,
            Ok(Ok(None)) => return Ok(Stayed { registered, reason: "the master ended it".to_owned() }),
            Ok(Err(error)) => return Ok(Stayed { registered, reason: error.to_string() }),
            Err(_) => return Ok(Stayed { registered, reason: format!("nothing was heard for {silence:?}") }),
        };
        if let Some(accepted) = event.registered.as_ref().filter(|_| event.r#type() == AgentEventType::Registered) {
            registered = true;
            silence = Duration::from_secs_f64(accepted.ping_seconds.clamp(0.1, 3600.0)) * MISSED_PINGS;
            tracing::info!(master, agent = accepted.agent_id.value, "registered");
        }
        agent.ask(move |actor| actor.core.master_says(event)).await?;
    }
}

async fn tell(client: &Client, master: &str, stream_id: &HeaderValue, call: &AgentCall) -> Result<(), Reason> {
    let headers = HeaderMap::from_iter([(STREAM_ID, stream_id.clone())]);
    match client.post(master, PATH, MediaType::Protobuf, &headers, call).await {
        Ok(_) => Ok(()),
        Err(ClientError::Refused { status: StatusCode::BAD_REQUEST, message, .. }) => {
            // To say it again would not help.
            tracing::error!(message, "the master does not understand this agent");
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    }
}
