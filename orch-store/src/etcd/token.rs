//! [`Tokens`]: who asks, as the cluster wants to be told.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::config::EtcdCredentials;
use super::connection::{Connection, Token};
use super::error::{Failure, Meaning};
use super::wire::AuthenticateRequest;

/// The user's token, asked for when it is first needed, and again when the cluster no longer knows it: tokens die with
/// their time to live, and the usual ones with a restart of etcd.
#[derive(Debug)]
pub(super) struct Tokens {
    credentials: Option<EtcdCredentials>,
    held: Mutex<Held>,
}

#[derive(Debug)]
enum Held {
    Nothing,
    Token(Arc<Token>),
    /// The cluster asks nobody for a password.
    NotNeeded,
}

impl Tokens {
    pub(super) fn new(credentials: Option<EtcdCredentials>) -> Self {
        Self { credentials, held: Mutex::new(Held::Nothing) }
    }

    /// The token to send, if any is needed. Those who ask at the same time wait for one answer.
    pub(super) async fn token(&self, connection: &Connection) -> Result<Option<Arc<Token>>, Failure> {
        let Some(credentials) = &self.credentials else { return Ok(None) };
        let mut held = self.held.lock().await;
        if let Held::Nothing = *held {
            *held = authenticate(credentials, connection).await?;
        }
        match &*held {
            Held::Token(token) => Ok(Some(Arc::clone(token))),
            Held::Nothing | Held::NotNeeded => Ok(None),
        }
    }

    /// Gives up `refused`, with which a request was refused. Returns whether another one is worth a try.
    pub(super) async fn give_up(&self, refused: Option<&Arc<Token>>) -> bool {
        if self.credentials.is_none() {
            return false;
        }
        let mut held = self.held.lock().await;
        let is_held = match (&*held, refused) {
            (Held::Token(token), Some(refused)) => Arc::ptr_eq(token, refused),
            (Held::NotNeeded, None) => true,
            _ => false,
        };
        if is_held {
            *held = Held::Nothing;
        }
        true
    }
}

async fn authenticate(credentials: &EtcdCredentials, connection: &Connection) -> Result<Held, Failure> {
    let EtcdCredentials { user, password } = credentials.clone();
    let answer = match connection.unary(AuthenticateRequest { name: user, password }, None).await {
        Ok(answer) => answer,
        Err(failure) if failure.meaning == Meaning::NoTokenNeeded => return Ok(Held::NotNeeded),
        // Nothing that was asked for has happened yet.
        Err(Failure { meaning: Meaning::Unknown, message, .. }) => {
            return Err(Failure::new(Meaning::AskAnother, message));
        }
        Err(failure) => return Err(failure),
    };
    let mut token: Token = answer.token.parse().map_err(|_| {
        let message = format!("{}: its token cannot be sent back in a header", connection.member.shown);
        Failure::new(Meaning::Refused, message)
    })?;
    token.set_sensitive(true);
    Ok(Held::Token(Arc::new(token)))
}
