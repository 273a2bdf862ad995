//! Apps and groups as people write them, read: older ways to say things are translated, what is wrong is refused, all of it
//! at once.

mod app;
mod check;
mod complete;
mod fields;
mod findings;
mod group;
mod old;
mod shape;

pub use findings::{Detail, Invalid};
pub use group::{Group, GroupChange};

use serde_json::Value;

use self::findings::Findings;
use super::{App, AppId};

/// Why what was written is no app and no group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is something else altogether.
    #[error("{0}")]
    Malformed(String),
    /// Some of it is wrong.
    #[error("{0}")]
    Invalid(Invalid),
}

/// A new app. Relative ids and dependencies start from `group`. `id` is the one that is known already, which need not be
/// repeated and must not differ.
///
/// # Errors
/// [`ReadError`]
pub fn app(body: Value, group: &AppId, id: Option<&AppId>) -> Result<App, ReadError> {
    let (given, mut findings) = (app::object(body)?, Findings::default());
    let app = app::new(given, group, id, &mut findings);
    findings.end(app)
}

/// An app that exists, with the top-level fields of a body replaced; `null` sets a field back to its default.
///
/// # Errors
/// [`ReadError`]
pub fn update(existing: &App, body: Value) -> Result<App, ReadError> {
    let (given, mut findings) = (app::object(body)?, Findings::default());
    let app = app::changed(existing, given, &mut findings);
    findings.end(app)
}

/// A new group, or what is to become of one. A relative id starts from `parent`. `id` is the one that is known already, which
/// need not be repeated and must not differ.
///
/// # Errors
/// [`ReadError`]
pub fn group(body: Value, parent: &AppId, id: Option<&AppId>) -> Result<GroupChange, ReadError> {
    let (given, mut findings) = (app::object(body)?, Findings::default());
    let change = group::change(given, parent, id, &mut findings);
    findings.end(change)
}

#[cfg(test)]
mod tests;
