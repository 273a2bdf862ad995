//! Follows whether the store answers.

use std::time::Duration;

use orch_core::store::StoreError;
use tokio::time::{sleep, timeout};

use crate::show::Voice;

/// How often the store is asked.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How long it may take to answer before people are told.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Says when the store stops answering, and when it answers again: meanwhile everything runs on as it is, which would
/// otherwise look as if all were well. Returns when the answer is no.
pub(crate) async fn follow(ask: impl AsyncFn() -> Result<bool, StoreError>, voice: &Voice) {
    let mut is_away = false;
    loop {
        let trouble = match timeout(ANSWER_WITHIN, ask()).await {
            Ok(Ok(true)) => None,
            Ok(Ok(false)) => return,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer within {} s", ANSWER_WITHIN.as_secs())),
        };
        match &trouble {
            Some(trouble) if !is_away => {
                voice.say(&format!("the store is away: {trouble}; what runs goes on, changes wait until it is back"));
            }
            None if is_away => voice.say("the store is back"),
            _ => {}
        }
        is_away = trouble.is_some();
        sleep(ASK_EVERY).await;
    }
}
