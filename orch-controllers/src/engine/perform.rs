//! Performing one [`Action`].

use std::num::NonZeroUsize;

use orch_core::client::ClientError;
use orch_core::controller::{Action, ControllerError};
use orch_core::key::{Key, KeyError, Prefix};
use orch_core::kind::{AnyObject, Kind};
use orch_core::revision::Revision;
use orch_core::store::{ListFrom, ListOptions, StoreError};
use tokio::time::Instant;

use super::breaker::Verdict;
use super::queue::Awaited;
use super::runner::Runner;

/// Which object an action writes.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) kind: &'static Kind,
    pub(super) key: Key,
}

impl Written {
    fn of(object: &dyn AnyObject) -> Result<Self, KeyError> {
        Ok(Self { kind: object.kind(), key: object.key()? })
    }
}

/// Why an action was not performed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Box<ControllerError>,
    /// The object that was to be written, if it was that.
    pub(super) written: Option<Written>,
    pub(super) is_refused_by_budget: bool,
}

impl Failure {
    pub(super) fn of(error: ControllerError) -> Self {
        Self { error: Box::new(error), written: None, is_refused_by_budget: false }
    }

    /// Whether a write may nevertheless have happened.
    pub(super) fn outcome_is_unknown(&self) -> bool {
        matches!(&*self.error, ControllerError::Client(ClientError::Store(error)) if error.outcome_is_unknown())
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::of(error.into())
    }
}

impl Runner {
    /// Performs an action and returns what the view must reach to show it.
    pub(super) async fn perform(&self, action: &Action) -> Result<Option<Awaited>, Failure> {
        let (name, result) = match action {
            Action::Create(object) => {
                let created = self.client.create_any(object.clone()).await;
                ("create", self.written(&**object, created.map(|object| object.metadata().revision)))
            }
            Action::CreateAs { object, uid } => {
                let created = self.client.create_any_as(object.clone(), uid.clone()).await;
                ("create", self.written(&**object, created.map(|object| object.metadata().revision)))
            }
            Action::Update { object, on } => {
                let updated = self.client.update_any(object.clone(), on).await;
                ("update", self.written(&**object, updated.map(|object| object.metadata().revision)))
            }
            Action::Delete { object, grace } => match self.within_budget(&**object) {
                Ok(()) => {
                    let deleted = self.client.delete(&**object, *grace).await;
                    if deleted.as_ref().is_err_and(|error| !may_have_happened(error)) {
                        self.breaker.give_back(object.kind());
                    }
                    ("delete", self.written(&**object, deleted.map(Some)))
                }
                Err(failure) => ("delete", Err(failure)),
            },
            Action::Report(report) => {
                let recorded = self.recorder.record(self.name, report.clone());
                self.metrics.acted(self.name, "report", recorded);
                return Ok(None);
            }
            Action::Effect(effect) => ("effect", effect.perform().await.map(|()| None).map_err(Failure::of)),
        };
        self.metrics.acted(self.name, name, result.is_ok());
        result
    }

    /// What the view must reach to show the present state of an object that was written, or refused to be.
    ///
    /// A deleted object has no revision; there, the state of its whole kind is asked for.
    pub(super) async fn state_of(&self, written: &Written) -> Result<Option<Awaited>, StoreError> {
        let store = self.client.store();
        let revision = match store.get(&written.key).await? {
            Some(entry) => entry.revision,
            None => {
                let options = ListOptions { limit: Some(NonZeroUsize::MIN), from: ListFrom::Latest };
                store.list(&Prefix::collection(written.kind), options).await?.revision
            }
        };
        Ok(self.awaited(written.kind, revision))
    }

    fn written(
        &self,
        object: &dyn AnyObject,
        result: Result<Option<Revision>, ClientError>,
    ) -> Result<Option<Awaited>, Failure> {
        match result {
            Ok(revision) => Ok(revision.and_then(|revision| self.awaited(object.kind(), revision))),
            Err(error) => {
                let written = Some(Written::of(object)?);
                Err(Failure { written, ..Failure::of(error.into()) })
            }
        }
    }

    /// What to wait for. A kind that the controller does not see keeps it from nothing.
    fn awaited(&self, kind: &Kind, revision: Revision) -> Option<Awaited> {
        self.view.id_of(kind).map(|id| (id.0, revision))
    }

    fn within_budget(&self, object: &dyn AnyObject) -> Result<(), Failure> {
        let kind = object.kind();
        let (controller, refusal) = match self.breaker.ask(kind, self.view.len(kind), Instant::now()) {
            Verdict::Allowed => return Ok(()),
            Verdict::AllowedAgain => {
                tracing::warn!(controller = self.name, "deletions go on");
                self.metrics.breaker(self.name, false);
                return Ok(());
            }
            Verdict::Refused(refusal) => (self.name, refusal),
            Verdict::Tripped(refusal) => {
                tracing::error!(controller = self.name, "deletions are stopped: {refusal}");
                self.metrics.breaker(self.name, true);
                (self.name, refusal)
            }
        };
        let message = format!("controller {controller} may not delete {:?}: {refusal}", object.metadata().name);
        let error = ControllerError::Outside { message, transient: true, source: None };
        Err(Failure { is_refused_by_budget: true, ..Failure::of(error) })
    }
}

fn may_have_happened(error: &ClientError) -> bool {
    matches!(error, ClientError::Store(error) if error.outcome_is_unknown())
}
