//! Reads a [`Definition`] as clients of Chronos write it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use super::fields::Fields;
use super::{Constraint, Container, Defaults, Definition, Fetch, When};
use crate::chronos::schedule::{Schedule, length};

/// The longest name of a job: with all that is around it, it is the name of a task.
const LONGEST_NAME: usize = 128;

impl Definition {
    /// Reads a job. What is not said is as the defaults say; fields that nobody knows are passed over. What says neither
    /// `schedule` nor `parents` is run once, now.
    ///
    /// # Errors
    /// What is wrong with it, and what to write.
    pub fn read(job: &Value, defaults: &Defaults, now: Timestamp) -> Result<Self, String> {
        let fields = Fields::of(job, "")?;
        let name = fields.needed("name")?;
        check_name(&name)?;
        let command = fields.text_or_empty("command")?;
        let executor = fields.text_or_empty("executor")?;
        let container = fields.get("container").map(|value| Container::read(value, "container")).transpose()?;
        if command.is_empty() && executor.is_empty() && container.is_none() {
            return Err("command is missing: a job without a container has one".to_owned());
        }
        let epsilon = match fields.text_or_empty("epsilon")? {
            none if none.is_empty() => written(defaults.epsilon),
            epsilon => epsilon,
        };
        length(&epsilon).map_err(|why| format!("epsilon: {why}"))?;
        Ok(Self {
            name,
            command,
            shell: fields.flag("shell", true)?,
            arguments: fields.texts("arguments")?,
            executor,
            executor_flags: fields.text_or_empty("executorFlags")?,
            task_info_data: fields.text_or_empty("taskInfoData")?,
            retries: fields.count("retries", 2)?,
            owner: fields.text_or_empty("owner")?,
            owner_name: fields.text_or_empty("ownerName")?,
            description: fields.text_or_empty("description")?,
            cpus: fields.amount("cpus", defaults.cpus)?,
            mem: fields.amount("mem", defaults.mem)?,
            disk: fields.amount("disk", defaults.disk)?,
            disabled: fields.flag("disabled", false)?,
            soft_error: fields.flag("softError", false)?,
            data_processing: fields.flag("dataProcessingJobType", false)?,
            is_async: fields.flag("async", false)?,
            fetch: fetched(&fields)?,
            environment: fields.list("environmentVariables", variable)?,
            high_priority: fields.flag("highPriority", false)?,
            run_as_user: fields.text("runAsUser")?.unwrap_or_else(|| defaults.user.clone()),
            concurrent: fields.flag("concurrent", false)?,
            max_completion_time: fields.count("maxCompletionTime", 0)?,
            container,
            constraints: fields.list("constraints", Constraint::read)?,
            epsilon,
            when: when(&fields, now)?,
        })
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let is_of_them = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !name.chars().all(is_of_them) {
        return Err(format!("the job's name is invalid: '{name}'. Allowed names: '([\\w\\.-]+)'"));
    }
    if name.len() > LONGEST_NAME {
        return Err(format!("the job's name is longer than {LONGEST_NAME} characters"));
    }
    Ok(())
}

fn when(fields: &Fields<'_>, now: Timestamp) -> Result<When, String> {
    let parents: BTreeSet<String> = fields.texts("parents")?.into_iter().collect();
    let (schedule, zone) = (fields.text_or_empty("schedule")?, fields.text_or_empty("scheduleTimeZone")?);
    match (fields.get("parents").is_some(), schedule.is_empty()) {
        (true, false) if !parents.is_empty() => {
            Err("a job has a schedule or parents, not both: with parents, it runs after them".to_owned())
        }
        (true, true) if parents.is_empty() => {
            Err("parents is empty: name the jobs after which this one runs".to_owned())
        }
        (true, true) => Ok(When::After(parents)),
        (false, true) => {
            let schedule = Schedule::read("R1//PT24H", &zone, now)?;
            Ok(When::Scheduled { schedule: Box::new(schedule), zone })
        }
        _ => Ok(When::Scheduled { schedule: Box::new(Schedule::read(&schedule, &zone, now)?), zone }),
    }
}

/// What is fetched: as `fetch` says, or as `uris` says, which is older. What was read from here has both.
fn fetched(fields: &Fields<'_>) -> Result<Vec<Fetch>, String> {
    let fetch = |value, path: &str| {
        let fields = Fields::of(value, path)?;
        Ok(Fetch {
            uri: fields.needed("uri")?,
            executable: fields.flag("executable", false)?,
            cache: fields.flag("cache", false)?,
            extract: fields.flag("extract", true)?,
            output_file: fields.text_or_empty("output_file")?,
        })
    };
    let (fetch, uris) = (fields.list("fetch", fetch)?, fields.texts("uris")?);
    let are_same = fetch.iter().map(|fetch| &fetch.uri).eq(&uris);
    match (fetch.is_empty(), uris.is_empty() || are_same) {
        (true, _) => {
            let plain = |uri| Fetch { uri, executable: false, cache: false, extract: true, output_file: String::new() };
            Ok(uris.into_iter().map(plain).collect())
        }
        (false, true) => Ok(fetch),
        (false, false) => {
            Err("uris and fetch say different things: give fetch, and leave the older uris out".to_owned())
        }
    }
}

fn variable(value: &Value, path: &str) -> Result<(String, String), String> {
    let fields = Fields::of(value, path)?;
    Ok((fields.needed("name")?, fields.text_or_empty("value")?))
}

/// A length of time in ISO 8601.
fn written(length: std::time::Duration) -> String {
    format!("PT{}S", length.as_secs_f64())
}
