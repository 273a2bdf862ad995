//! Jobs as they are listed.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::chronos::core::{Chronos, Job};
use crate::http::{Query, Refusal};

/// How many jobs a search finds if nothing is said.
const SEARCH_LIMIT: usize = 10;

/// A job, with what is counted of it.
pub(super) fn job(job: &Job) -> Map<String, Value> {
    let counts = &job.counts;
    let mut fields = job.definition.to_json();
    fields.extend([
        ("successCount".to_owned(), counts.successes.into()),
        ("errorCount".to_owned(), counts.errors.into()),
        ("errorsSinceLastSuccess".to_owned(), counts.errors_since_success.into()),
        ("lastSuccess".to_owned(), time(counts.last_success).into()),
        ("lastError".to_owned(), time(counts.last_error).into()),
    ]);
    fields
}

fn time(time: Option<Timestamp>) -> String {
    time.map(|time| format!("{time:.3}")).unwrap_or_default()
}

/// All jobs.
pub(super) fn all(chronos: &Chronos) -> Vec<Map<String, Value>> {
    chronos.jobs().map(job).collect()
}

/// How all jobs are, in short.
pub(super) fn summary(chronos: &Chronos) -> Value {
    let short = |job: &Job| {
        let definition = &job.definition;
        let parents: Vec<&String> = definition.parents().into_iter().flatten().collect();
        json!({
            "name": definition.name, "status": job.last_state().text(), "state": job.activity(),
            "schedule": definition.schedule().map(ToString::to_string).unwrap_or_default(),
            "parents": parents, "disabled": definition.disabled,
        })
    };
    json!({ "jobs": chronos.jobs().map(short).collect::<Vec<_>>() })
}

/// Which jobs are looked for, by parts of their names and commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Search {
    name: String,
    command: String,
    any: String,
    limit: usize,
    offset: usize,
}

impl Search {
    /// Reads what is looked for.
    ///
    /// # Errors
    /// A [`Refusal`] if a number is none.
    pub(super) fn read(query: &Query) -> Result<Self, Refusal> {
        let text = |name| query.get(name).unwrap_or_default().to_lowercase();
        let number = |name, default| {
            let number = query.number(name).map_err(Refusal::bad_request)?;
            number.map_or(Ok(default), |number| {
                usize::try_from(number).map_err(|_| Refusal::bad_request(format!("{name} is below zero: {number}")))
            })
        };
        let (limit, offset) = (number("limit", SEARCH_LIMIT)?, number("offset", 0)?);
        Ok(Self { name: text("name"), command: text("command"), any: text("any"), limit, offset })
    }

    /// The jobs that have both parts, or the one that may stand in either.
    pub(super) fn results(&self, chronos: &Chronos) -> Vec<Map<String, Value>> {
        let finds = |found: &&Job| {
            let (name, command) = (found.definition.name.to_lowercase(), found.definition.command.to_lowercase());
            let both = name.contains(&self.name) && command.contains(&self.command);
            both && (self.any.is_empty()
                || !(self.name.is_empty() && self.command.is_empty())
                || self.is_in(&name, &command))
                || !self.any.is_empty() && self.is_in(&name, &command)
        };
        chronos.jobs().filter(finds).skip(self.offset).take(self.limit).map(job).collect()
    }

    fn is_in(&self, name: &str, command: &str) -> bool {
        name.contains(&self.any) || command.contains(&self.any)
    }
}
