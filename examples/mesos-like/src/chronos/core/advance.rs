//! What comes with time: slots, children whose parents have succeeded, agents that stay away.

use jiff::{SignedDuration, Timestamp};

use super::{Chronos, Job, Kill, Output, Stage};
use crate::chronos::schedule::Due;

impl Chronos {
    /// Does what is due by now. Everything follows from the state, so it may be asked for at any time, and as often as one likes.
    pub fn advance(&mut self, now: Timestamp) -> Output {
        let mut output = self.give_up_the_unreachable(now);
        for job in self.jobs.values_mut().filter(|job| !job.is_removed) {
            if run_at_slot(job, now) {
                output.changed.insert(job.definition.name.clone());
            }
        }
        let ready: Vec<String> =
            self.jobs().filter(|job| self.is_let_go(job)).map(|job| job.definition.name.clone()).collect();
        for name in ready {
            if self.run_after_parents(&name, now) {
                output.changed.insert(name);
            }
        }
        output
    }

    /// When to [`advance`](Self::advance) after now, if nothing else happens, or to launch again what failed.
    #[must_use]
    pub fn wake(&self, now: Timestamp) -> Option<Timestamp> {
        let slot = |job: &Job| {
            let schedule = job.definition.schedule().filter(|_| job.is_free() && !job.definition.disabled)?;
            schedule.next()
        };
        let of_runs = |job: &Job| {
            let due = job.runs.iter().filter_map(|run| match &run.stage {
                Stage::Waiting { from } => Some(*from).filter(|from| *from > now),
                Stage::Unreachable { since, .. } => self.end_of_patience(*since),
                Stage::Launched { .. } | Stage::Running { .. } => None,
            });
            due.min()
        };
        self.jobs.values().flat_map(|job| [slot(job).filter(|_| !job.is_removed), of_runs(job)]).flatten().min()
    }

    fn end_of_patience(&self, since: Timestamp) -> Option<Timestamp> {
        let patience = SignedDuration::try_from(self.settings.unreachable_timeout).ok()?;
        since.checked_add(patience).ok()
    }

    /// Tasks whose agents stay away are lost, and ended should they ever come back.
    fn give_up_the_unreachable(&mut self, now: Timestamp) -> Output {
        let mut lost = Vec::new();
        for job in self.jobs.values() {
            for run in &job.runs {
                let Stage::Unreachable { agent, since, .. } = &run.stage else { continue };
                if self.end_of_patience(*since).is_some_and(|end| end <= now) {
                    lost.push((
                        job.definition.name.clone(),
                        Kill { task: job.task_id(run), agent: Some(agent.clone()) },
                    ));
                }
            }
        }
        let mut output = Output::default();
        for (name, kill) in lost {
            output = output.and(self.failed(&name, &kill.task, "its agent stayed away", false, now));
            output.kills.push(kill);
        }
        output
    }

    /// Whether all parents of a job have let it go more often than it ran.
    fn is_let_go(&self, job: &Job) -> bool {
        let Some(parents) = job.definition.parents() else { return false };
        let has_let_go = |parent: &String| {
            let released = self.jobs.get(parent).map_or(0, |parent| parent.links.released);
            released > job.links.seen.get(parent).copied().unwrap_or(0)
        };
        !parents.is_empty() && parents.iter().all(has_let_go)
    }

    /// Every time that all parents have let a job go is good for one run, also if it comes while an earlier one has not ended.
    fn run_after_parents(&mut self, name: &str, now: Timestamp) -> bool {
        let Some(job) = self.jobs.get(name) else { return false };
        let is_disabled = job.definition.disabled;
        if !job.is_free() && !is_disabled {
            return false;
        }
        let released = self.releases_of(job.definition.parents().into_iter().flatten());
        let Some(job) = self.jobs.get_mut(name) else { return false };
        if is_disabled {
            // What happens meanwhile passes by.
            job.links.seen = released;
        } else {
            for parent in released.into_keys() {
                *job.links.seen.entry(parent).or_default() += 1;
            }
            job.begin(now, None, now);
        }
        true
    }

    /// How often each of these has let its children go.
    pub(super) fn releases_of<'a>(
        &self,
        parents: impl Iterator<Item = &'a String>,
    ) -> std::collections::BTreeMap<String, u64> {
        let released = |parent: &String| self.jobs.get(parent).map_or(0, |parent| parent.links.released);
        parents.map(|parent| (parent.clone(), released(parent))).collect()
    }
}

/// Begins a run if a slot has come; one that came too long ago passes by.
fn run_at_slot(job: &mut Job, now: Timestamp) -> bool {
    if job.definition.disabled || !job.is_free() {
        return false;
    }
    let Some(Due::Slot(slot)) = job.definition.schedule().map(|schedule| schedule.due(now)) else { return false };
    let lateness = SignedDuration::try_from(job.definition.lateness()).unwrap_or(SignedDuration::MAX);
    let Some(schedule) = job.schedule_mut() else { return false };
    let begins = now.duration_since(slot) <= lateness;
    schedule.pass(now, begins);
    if begins {
        job.begin(slot, None, now);
    }
    true
}
