//! Performing actions, and what goes wrong with them.

use std::sync::Arc;

use orch_core::client::{ClientError, Grace};
use orch_core::clock::Timestamp;
use orch_core::controller::{Action, ControllerError, Plan, View as _};
use orch_core::key::Key;
use orch_core::kind::AnyObject;
use orch_core::store::StoreError;

use super::member::{Frozen, Member};
use super::plan::Fault;
use super::player::{Broken, Performed, Player};
use super::report::Oracle;

impl Player<'_> {
    pub(super) async fn perform(&mut self, index: usize, key: &Key, action: Action) -> Result<Performed, Broken> {
        if let Action::Report(report) = &action {
            self.note(|| format!("  says {}: {}", report.reason, report.message));
            return Ok(Performed::Done);
        }
        let number = self.count.actions;
        self.count.actions += 1;
        let here: Vec<Fault> = self.faults.iter().copied().filter(|fault| fault.is_at(number)).collect();
        self.note(|| format!("  #{number} {}", words(&action)));
        for fault in &here {
            self.note(|| format!("    ! {fault}"));
            match fault {
                Fault::ClockJump { seconds, .. } => self.jump(*seconds),
                Fault::Conflict { .. } => self.touch(index, key, &action, number).await?,
                Fault::Refused { .. } => return Ok(Performed::Failed),
                Fault::Late { .. } => {
                    self.late.push(action);
                    self.restart(index, 0);
                    return Ok(Performed::Crashed);
                }
                _ => {}
            }
        }
        let from = self.cluster.history.len();
        let mut result = self.write(&action).await;
        if here.iter().any(|fault| matches!(fault, Fault::Twice { .. })) {
            let again = self.write(&action).await;
            self.note(|| format!("    a second time: {}", outcome(&again)));
        }
        if self.cluster.history.len() > from {
            self.quiet_since = self.elapsed;
        }
        if here.iter().any(|fault| matches!(fault, Fault::AnswerLost { .. })) {
            result = Err(lost());
        } else {
            self.members[index].wrote(key, from, &self.cluster.history);
        }
        self.check_written(from)?;
        for fault in &here {
            let lag = match fault {
                Fault::Crash { .. } => 0,
                Fault::CrashAndLag { lag, .. } => *lag,
                _ => continue,
            };
            self.restart(index, lag);
            return Ok(Performed::Crashed);
        }
        if let Err(error) = &result {
            self.note(|| format!("    failed: {error}"));
        }
        Ok(if result.is_ok() { Performed::Done } else { Performed::Failed })
    }

    pub(super) async fn write(&self, action: &Action) -> Result<(), ControllerError> {
        match action {
            Action::Create(object) => self.cluster.create_any(object.clone()).await?,
            Action::CreateAs { object, uid } => {
                self.cluster.client().create_any_as(object.clone(), uid.clone()).await?;
            }
            Action::Update { object, on } => {
                self.cluster.client().update_any(object.clone(), on).await?;
            }
            Action::Delete { object, grace } => {
                self.cluster.client().delete(&**object, *grace).await?;
            }
            Action::Effect(effect) => effect.perform().await?,
            Action::Report(_) => {}
        }
        Ok(())
    }

    pub(super) fn restart(&mut self, index: usize, lag: usize) {
        let history = &self.cluster.history;
        let known = std::mem::take(&mut self.members[index].known);
        let mut member = Member::start((self.system.controllers[index])(), history, history.len().saturating_sub(lag));
        member.known.extend(known);
        if lag > 0 {
            member.frozen =
                Some(Frozen { kind: None, over_step: false, relist: false, looked: true, patience: Frozen::PATIENCE });
        }
        self.members[index] = member;
    }

    pub(super) fn jump(&mut self, seconds: i64) {
        let now = self.cluster.now();
        let then = Timestamp::from_second(now.as_second().saturating_add(seconds)).unwrap_or(now);
        self.cluster.clock().set(then);
    }

    /// Somebody else writes to the object of the action, harmlessly.
    pub(super) async fn touch(
        &mut self,
        index: usize,
        key: &Key,
        action: &Action,
        number: usize,
    ) -> Result<(), Broken> {
        let object = match action {
            Action::Update { object, .. } | Action::Delete { object, .. } => Some(object.clone()),
            Action::Create(_) | Action::CreateAs { .. } | Action::Effect(_) | Action::Report(_) => {
                self.members[index].seen.view.get_any(key)
            }
        };
        let Some(object) = object else { return Ok(()) };
        let touched = self.cluster.touch(&*object, number).await;
        touched
            .map_err(|error| Broken { oracle: Oracle::Scenario, message: format!("cannot touch {key}: {error}") })?;
        if let Some(uid) = &object.metadata().uid {
            self.touched.insert(uid.clone(), object.key().unwrap_or_else(|_| key.clone()));
        }
        Ok(())
    }

    pub(super) async fn perform_late(&mut self) -> Result<bool, Broken> {
        if self.late.is_empty() {
            return Ok(false);
        }
        for action in std::mem::take(&mut self.late) {
            let from = self.cluster.history.len();
            let result = self.write(&action).await;
            self.note(|| format!("late: {}: {}", words(&action), outcome(&result)));
            self.check_written(from)?;
        }
        Ok(true)
    }
}

fn lost() -> ControllerError {
    ControllerError::Client(ClientError::Store(StoreError::Unavailable {
        message: "the answer was lost (a fault of the test)".to_owned(),
        outcome_is_unknown: true,
        source: None,
    }))
}

fn outcome(result: &Result<(), ControllerError>) -> String {
    result.as_ref().map_or_else(ToString::to_string, |()| "done".to_owned())
}

/// The actions of a plan in words, reports to people left out.
pub(super) fn deeds(plan: &Plan) -> impl Iterator<Item = String> {
    plan.actions.iter().filter(|action| !matches!(action, Action::Report(_))).map(words)
}

/// An action in a few words.
pub(super) fn words(action: &Action) -> String {
    let of = |object: &Arc<dyn AnyObject>| object.key().map_or_else(|error| error.to_string(), |key| key.to_string());
    match action {
        Action::Create(object) => format!("create {}", of(object)),
        Action::CreateAs { object, uid } => format!("create {} with uid {uid}", of(object)),
        Action::Update { object, on } => format!("update {} as of revision {}", of(object), on.revision),
        Action::Delete { object, grace: Grace::Now } => format!("delete {} at once", of(object)),
        Action::Delete { object, .. } => format!("delete {}", of(object)),
        Action::Effect(effect) => format!("effect {effect:?}"),
        Action::Report(report) => format!("report {}", report.reason),
    }
}
