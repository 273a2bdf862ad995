//! What must hold in a run itself; what it must leave behind is in `oracle`.

use std::collections::BTreeSet;
use std::sync::Arc;

use orch_core::controller::Action;
use orch_core::key::Key;
use orch_core::kind::AnyObject;

use super::TOUCHED;
use super::perform::{deeds, words};
use super::player::{Broken, Player};
use super::report::Oracle;

impl Player<'_> {
    pub(super) fn check_limits(&self) -> Result<(), Broken> {
        let writes = self.cluster.history.len();
        for (what, found, most) in [
            ("actions", self.count.actions, self.limit.actions),
            ("reconciles", self.count.reconciles, self.limit.reconciles),
            ("writes", writes, self.limit.writes),
        ] {
            if found > most {
                let message = format!("more than {most} {what}, and no end: the parts undo each other's work");
                return Err(Broken { oracle: Oracle::Bounded, message });
            }
        }
        Ok(())
    }

    /// What a controller wrote from position `from` on was its business, and left the scenario as it must be.
    pub(super) fn check_written(&self, from: usize) -> Result<(), Broken> {
        for position in from..self.cluster.history.len() {
            let Some(write) = self.cluster.history.write(position) else { continue };
            let is_it = |object: &Arc<dyn AnyObject>| object.key().is_ok_and(|key| key == write.key);
            let not_it = self.invalid().is_some_and(|object| !is_it(object));
            if not_it || self.scenario.bystanders.iter().any(is_it) {
                let message = format!("{} is no business of the controllers and was written to", write.key);
                return Err(Broken { oracle: Oracle::Modest, message });
            }
        }
        self.check_invariants()
    }

    pub(super) fn check_invariants(&self) -> Result<(), Broken> {
        for (words, check) in &self.scenario.invariants {
            check(&self.cluster)
                .map_err(|found| Broken { oracle: Oracle::Invariant, message: format!("{words}, but {found}") })?;
        }
        Ok(())
    }

    /// What others wrote to an object is still there.
    pub(super) fn check_touched(&self) -> Result<(), Broken> {
        for (uid, key) in &self.touched {
            let Some(entry) = self.cluster.history.entry(key) else { continue };
            let metadata = super::oracle::metadata(&entry);
            let same = metadata["uid"].as_str() == Some(uid.as_str());
            if same && metadata["annotations"][TOUCHED].is_null() {
                let message = format!("an annotation that somebody else had put on {key} is gone");
                return Err(Broken { oracle: Oracle::Modest, message });
            }
        }
        Ok(())
    }

    /// After a plan that did `done`: a key that is asked about again does nothing of that a second time, and after a few
    /// more steps nothing at all.
    pub(super) async fn ask_again(
        &mut self,
        index: usize,
        key: &Key,
        mut done: BTreeSet<String>,
    ) -> Result<(), Broken> {
        const STEPS: usize = 8;
        let broken = |message| Err(Broken { oracle: Oracle::Idempotent, message });
        for _ in 0..STEPS {
            self.members[index].catch_up(&self.cluster.history);
            let Ok(plan) = self.decide(index, key).await? else { return Ok(()) };
            let next: BTreeSet<String> = deeds(&plan).collect();
            if let Some(twice) = next.intersection(&done).next() {
                return broken(format!("the plan for {key} was performed and is seen, and then once more: {twice}"));
            }
            if !self.carry_out(index, key, plan).await? || next.is_empty() {
                return Ok(());
            }
            done.extend(next);
        }
        broken(format!("{key} was asked about {STEPS} times in a row and still gives something to do"))
    }

    /// At rest, another look at everything does nothing; neither does one by controllers just started.
    pub(super) async fn check_settled(&mut self) -> Result<(), Broken> {
        for anew in [false, true] {
            for index in 0..self.members.len() {
                if anew {
                    self.restart(index, 0);
                }
                let member = &mut self.members[index];
                member.catch_up(&self.cluster.history);
                let mut keys = member.known.clone();
                keys.extend(member.nobody());
                for key in keys {
                    let writes = self.cluster.history.len();
                    let Ok(plan) = self.decide(index, &key).await? else { continue };
                    let idle = |action: &&Action| {
                        matches!(action, Action::Report(_)) || anew && matches!(action, Action::Effect(_))
                    };
                    // The client refuses to write an invalid object, and what follows in the plan is not performed.
                    let refused = |action: &Action| match (action, self.invalid()) {
                        (Action::Update { object, .. }, Some(invalid)) => same_key(object, invalid),
                        _ => false,
                    };
                    let mut performed = plan.actions.iter().take_while(|action| !refused(action));
                    if let Some(action) = performed.find(|action| !idle(action)) {
                        let message = format!("at rest, after {writes} writes, {key} still gives: {}", words(action));
                        return Err(Broken { oracle: Oracle::Settled, message });
                    }
                }
            }
        }
        Ok(())
    }
}

fn same_key(a: &Arc<dyn AnyObject>, b: &Arc<dyn AnyObject>) -> bool {
    matches!((a.key(), b.key()), (Ok(a), Ok(b)) if a == b)
}
