//! [`Refused`]: why what was asked for is not done.

use super::Circle;
use crate::marathon::model::read::{Detail, Invalid, ReadError};
use crate::marathon::model::{AppId, Version};

/// What was asked for is not done.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    /// There is no such app.
    #[error("App '{0}' does not exist")]
    NoApp(AppId),
    /// There is no such group.
    #[error("Group '{0}' does not exist")]
    NoGroup(AppId),
    /// There is no such version of an app, or of a group.
    #[error("'{0}' has no version {1}")]
    NoVersion(AppId, Version),
    /// There is no such deployment.
    #[error("deployment {0} does not exist: it may be over")]
    NoDeployment(String),
    /// There is such an app already.
    #[error("An app with id [{0}] already exists.")]
    Exists(AppId),
    /// There is such a group already.
    #[error("Group {0} is already created. Use PUT to change this group.")]
    GroupExists(AppId),
    /// Deployments have not come to their end yet.
    #[error(
        "App is locked by one or more deployments. Override with the option '?force=true'. View details at '/v2/deployments/<DEPLOYMENT_ID>'."
    )]
    Locked(Vec<String>),
    /// What shall be cannot.
    #[error(transparent)]
    Wrong(#[from] ReadError),
}

/// What is wrong at one path.
pub(super) fn invalid(path: String, error: String) -> Refused {
    ReadError::Invalid(Invalid { details: vec![Detail { path, errors: vec![error] }] }).into()
}

/// What is wrong with a part of the body, at its paths in the whole.
pub(super) fn within(place: &str, refused: Refused) -> Refused {
    match refused {
        Refused::Wrong(ReadError::Invalid(Invalid { details })) => {
            let whole = |detail: Detail| Detail { path: format!("{place}{}", detail.path), ..detail };
            ReadError::Invalid(Invalid { details: details.into_iter().map(whole).collect() }).into()
        }
        other => other,
    }
}

pub(super) fn wrong_circle(Circle(apps): &Circle) -> Refused {
    let mut names: Vec<&str> = apps.iter().map(AppId::as_str).collect();
    names.extend(names.first().copied());
    let error = format!("dependencies go in a circle: {}", names.join(" waits for "));
    invalid("/dependencies".to_owned(), error)
}
