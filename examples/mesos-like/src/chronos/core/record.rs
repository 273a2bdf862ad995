//! Jobs as they are recorded: each with all its runs in one record, so that no part of it is ever newer than another.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::job::{Links, Past};
use super::{Chronos, Counts, Job, Run, Settings};
use crate::chronos::job::{Definition, When};
use crate::framework::Changes;

/// What the name of a job's record begins with.
const PREFIX: &str = "job/";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    definition: Value,
    position: Option<Position>,
    counts: Counts,
    runs: Vec<Run>,
    history: VecDeque<Past>,
    links: Links,
    is_removed: bool,
}

/// How far a schedule is. Slots are counted from the start: it is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    start: String,
    next: i64,
    left: Option<u64>,
}

impl Chronos {
    /// Goes on with what is recorded. Records that are no jobs are somebody else's.
    ///
    /// # Errors
    /// Which record is none, and why.
    pub fn resumed(settings: Settings, records: &BTreeMap<String, Value>, now: Timestamp) -> Result<Self, String> {
        let mut chronos = Self::new(settings);
        for (name, record) in records {
            let Some(name) = name.strip_prefix(PREFIX) else { continue };
            let job =
                chronos.read(record, now).map_err(|why| format!("the record of the job '{name}' is none: {why}"))?;
            chronos.jobs.insert(job.definition.name.clone(), job);
        }
        Ok(chronos)
    }

    fn read(&self, record: &Value, now: Timestamp) -> Result<Job, String> {
        let stored = Stored::deserialize(record).map_err(|error| error.to_string())?;
        let Stored { mut definition, position, counts, runs, history, links, is_removed } = stored;
        if let Some(position) = &position {
            definition["schedule"] = position.start.clone().into();
        }
        let mut definition = Definition::read(&definition, &self.settings.defaults, now)?;
        if let (When::Scheduled { schedule, .. }, Some(position)) = (&mut definition.when, position) {
            **schedule = schedule.as_ref().clone().resumed(position.next, position.left);
        }
        Ok(Job { definition, counts, runs, history, links, is_removed })
    }

    /// What is to be recorded of these jobs.
    #[must_use]
    pub fn records(&self, changed: &BTreeSet<String>) -> Changes {
        let record = |name: &String| (format!("{PREFIX}{name}"), self.jobs.get(name).map(written));
        changed.iter().map(record).collect()
    }
}

fn written(job: &Job) -> Value {
    let position = job.definition.schedule().map(|schedule| Position {
        start: schedule.from_start(),
        next: schedule.position(),
        left: schedule.left(),
    });
    let stored = Stored {
        definition: Value::Object(job.definition.to_json()),
        position,
        counts: job.counts.clone(),
        runs: job.runs.clone(),
        history: job.history.clone(),
        links: job.links.clone(),
        is_removed: job.is_removed,
    };
    // What is stored has names for keys: it can be written.
    serde_json::to_value(stored).unwrap_or_default()
}
