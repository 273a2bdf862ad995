//! What people ask for.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::job::Counts;
use super::{Chronos, Job, Kill, Output, Refused};
use crate::chronos::job::{Definition, When};

/// How many runs of one job may wait because people asked for them.
const MOST_RUNS: usize = 1_000;

impl Chronos {
    /// A job as it is from now on, new or in place of the one of its name. What runs, runs on.
    ///
    /// # Errors
    /// Why it cannot be: a parent is not there, or runs after this job.
    pub fn put(&mut self, definition: Definition, now: Timestamp) -> Result<Output, Refused> {
        if let Some(parents) = definition.parents() {
            self.check_parents(&definition.name, parents)?;
        }
        let name = definition.name.clone();
        let mut seen = self.releases_of(definition.parents().into_iter().flatten());
        let job = self.jobs.entry(name.clone()).or_insert_with(|| Job::new(definition.clone(), now));
        if job.is_removed {
            // Tasks of it have not ended: until then the new one waits, if it is not concurrent.
            job.is_removed = false;
            job.history.clear();
            job.links.last_due = job.links.last_due.max(now.as_millisecond() - 1);
        } else {
            // What a parent has done since the job ran last counts on.
            let kept = job.links.seen.iter().filter(|(parent, _)| seen.contains_key(*parent));
            let kept: Vec<_> = kept.map(|(parent, count)| (parent.clone(), *count)).collect();
            seen.extend(kept);
        }
        job.links.seen = seen;
        job.counts = Counts::default();
        if definition.disabled {
            job.runs.retain(super::Run::is_live);
        }
        job.definition = definition;
        Ok(Output::changed(&name))
    }

    fn check_parents(&self, name: &str, parents: &BTreeSet<String>) -> Result<(), Refused> {
        let unknown: Vec<&str> =
            parents.iter().filter(|parent| self.job(parent).is_err() && *parent != name).map(String::as_str).collect();
        if !unknown.is_empty() {
            let there = format!("There is no job '{}' for '{name}' to depend on", unknown.join("' and no job '"));
            return Err(Refused(format!("{there}: add parents first")));
        }
        match self.way_up(name, parents) {
            Some(way) => Err(Refused(format!(
                "'{name}' would depend on itself: {}. Leave one of these out",
                way.join(" after ")
            ))),
            None => Ok(()),
        }
    }

    /// The jobs by which one with these parents would run after itself.
    fn way_up(&self, name: &str, parents: &BTreeSet<String>) -> Option<Vec<String>> {
        let mut below: BTreeMap<&str, &str> = parents.iter().map(|parent| (parent.as_str(), name)).collect();
        let mut look: Vec<&str> = parents.iter().map(String::as_str).collect();
        while let Some(job) = look.pop() {
            if job == name {
                break;
            }
            for parent in self.jobs.get(job).and_then(|job| job.definition.parents()).into_iter().flatten() {
                if !below.contains_key(parent.as_str()) {
                    below.insert(parent, job);
                    look.push(parent);
                }
            }
        }
        let (mut way, mut at) = (vec![name.to_owned()], *below.get(name)?);
        while at != name {
            way.push(at.to_owned());
            at = below.get(at)?;
        }
        way.push(name.to_owned());
        way.reverse();
        Some(way)
    }

    /// A job is no more; its tasks end. What ran after it runs after its parents, or, if it had none and was the only one,
    /// at its times.
    ///
    /// # Errors
    /// That there is no such job.
    pub fn remove(&mut self, name: &str) -> Result<Output, Refused> {
        let gone = self.job(name)?.definition.clone();
        let children: Vec<String> = self.children(name).map(|child| child.definition.name.clone()).collect();
        let inherited = self.releases_of(gone.parents().into_iter().flatten());
        let mut output = self.end_runs(name);
        for child in children {
            let Some(job) = self.jobs.get_mut(&child) else { continue };
            if let When::After(parents) = &mut job.definition.when {
                parents.remove(name);
                job.links.seen.remove(name);
                for (parent, released) in &inherited {
                    parents.insert(parent.clone());
                    job.links.seen.entry(parent.clone()).or_insert(*released);
                }
                if parents.is_empty() {
                    job.definition.when = gone.when.clone();
                }
            }
            output.changed.insert(child);
        }
        if let Some(job) = self.jobs.get_mut(name) {
            job.is_removed = true;
        }
        self.forget_if_over(name);
        output.changed.insert(name.to_owned());
        Ok(output)
    }

    /// A job that was removed is forgotten when its last task has ended.
    pub(super) fn forget_if_over(&mut self, name: &str) {
        if self.jobs.get(name).is_some_and(|job| job.is_removed && job.runs.is_empty()) {
            self.jobs.remove(name);
        }
    }

    /// A run begins now, after those of a job that is not concurrent.
    ///
    /// # Errors
    /// That there is no such job, or that it is not run.
    pub fn run_now(&mut self, name: &str, arguments: Option<String>, now: Timestamp) -> Result<Output, Refused> {
        if self.job(name)?.definition.disabled {
            return Err(Refused(format!("Job '{name}' is disabled: it is not run until \"disabled\" is false")));
        }
        let Some(job) = self.jobs.get_mut(name) else { return Ok(Output::default()) };
        if job.runs.len() >= MOST_RUNS {
            return Err(Refused(format!("{MOST_RUNS} runs of '{name}' wait already")));
        }
        job.begin(now, arguments, now);
        Ok(Output::changed(name))
    }

    /// A job is taken to have succeeded: those that run after it run.
    ///
    /// # Errors
    /// That there is no such job.
    pub fn mark_success(&mut self, name: &str, now: Timestamp) -> Result<Output, Refused> {
        self.job(name)?;
        self.succeeded(name, now);
        Ok(Output::changed(name))
    }

    /// All runs of a job end; they are not tried again, and do not count.
    ///
    /// # Errors
    /// That there is no such job.
    pub fn kill_tasks(&mut self, name: &str) -> Result<Output, Refused> {
        self.job(name)?;
        Ok(self.end_runs(name))
    }

    fn end_runs(&mut self, name: &str) -> Output {
        let Some(job) = self.jobs.get_mut(name) else { return Output::default() };
        job.runs.retain(super::Run::is_live);
        job.runs.iter_mut().for_each(|run| run.to_end = true);
        let kill = |run: &super::Run| Kill { task: job.task_id(run), agent: run.agent().map(str::to_owned) };
        Output { kills: job.runs.iter().map(kill).collect(), ..Output::changed(name) }
    }

    /// A job has succeeded.
    pub(super) fn succeeded(&mut self, name: &str, now: Timestamp) {
        let Some(job) = self.jobs.get_mut(name) else { return };
        job.counts.successes += 1;
        job.counts.errors_since_success = 0;
        job.counts.last_success = Some(now);
        job.links.released += 1;
    }
}
