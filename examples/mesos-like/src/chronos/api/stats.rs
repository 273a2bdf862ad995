//! How long jobs take, and how often they succeed.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::chronos::core::{Chronos, Job};
use crate::http::Refusal;

/// What is measured of how long a job's last runs took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    Mean,
    /// Of so many in a hundred none took longer.
    Percentile(u8),
}

/// The measures that there are, by the names that Chronos has for them.
const MEASURES: [(&str, Measure); 6] = [
    ("75thPercentile", Measure::Percentile(75)),
    ("95thPercentile", Measure::Percentile(95)),
    ("98thPercentile", Measure::Percentile(98)),
    ("99thPercentile", Measure::Percentile(99)),
    ("median", Measure::Percentile(50)),
    ("mean", Measure::Mean),
];

impl Measure {
    /// The measure of a name.
    ///
    /// # Errors
    /// A [`Refusal`] that says which there are.
    pub(super) fn of(name: &str) -> Result<Self, Refusal> {
        let found = MEASURES.iter().find(|(known, _)| *known == name).map(|(_, measure)| *measure);
        found.ok_or_else(|| {
            let names: Vec<&str> = MEASURES.iter().map(|(name, _)| *name).collect();
            Refusal::bad_request(format!("'{name}' is not measured: ask for {}", names.join(", ")))
        })
    }

    /// In milliseconds, of times in their order.
    #[expect(clippy::cast_precision_loss, reason = "a time of so many milliseconds has not been yet")]
    fn over(self, times: &[i64]) -> f64 {
        let (Some(last), count) = (times.len().checked_sub(1), times.len()) else { return 0.0 };
        match self {
            Self::Mean => times.iter().sum::<i64>() as f64 / count as f64,
            Self::Percentile(percent) => {
                times[(count * usize::from(percent)).div_ceil(100).saturating_sub(1).min(last)] as f64
            }
        }
    }
}

/// How long the last runs of a job took that succeeded, in milliseconds and in their order.
fn times(job: &Job) -> Vec<i64> {
    let succeeded = job.history.iter().filter(|past| past.succeeded);
    let mut times: Vec<i64> = succeeded.map(|past| milliseconds(past.began, past.ended)).collect();
    times.sort_unstable();
    times
}

fn milliseconds(from: Timestamp, to: Timestamp) -> i64 {
    to.as_millisecond() - from.as_millisecond()
}

/// How long the last runs of a job took, and how each of its last tasks went.
pub(super) fn of_job(job: &Job) -> Value {
    let times = times(job);
    let mut histogram: Map<String, Value> =
        MEASURES.iter().map(|(name, measure)| ((*name).to_owned(), measure.over(&times).into())).collect();
    histogram.insert("count".to_owned(), times.len().into());
    let live = job.runs.iter().filter_map(|run| {
        let task = (job.task_id(run), run.agent()?);
        Some(entry(job, &task.0, task.1, run.began()?, None, "Running"))
    });
    let past = job.history.iter().map(|past| {
        let status = if past.succeeded { "Success" } else { "Fail" };
        let mut entry = entry(job, &past.task, &past.agent, past.began, Some(past.ended), status);
        entry["message"] = past.how.clone().into();
        entry
    });
    json!({ "histogram": histogram, "taskStatHistory": live.chain(past).collect::<Vec<_>>() })
}

fn entry(job: &Job, task: &str, agent: &str, began: Timestamp, ended: Option<Timestamp>, status: &str) -> Value {
    let time = |time: Timestamp| time.strftime("%m/%d/%y %H:%M:%S").to_string();
    let mut entry = json!({
        "taskId": task, "jobName": job.definition.name, "slaveId": agent, "startTime": time(began),
        "endTime": ended.map_or_else(|| "N/A".to_owned(), time), "status": status,
    });
    if let Some(ended) = ended {
        entry["duration"] = duration(milliseconds(began, ended) / 1000).into();
    }
    entry
}

/// Seconds as Chronos writes them: `1d2h3m4s`.
fn duration(seconds: i64) -> String {
    let parts = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m")];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}"));
    parts.chain([format!("{}s", seconds % 60)]).collect()
}

/// How long jobs take, in seconds, the slowest first.
pub(super) fn of_all(chronos: &Chronos, measure: Measure) -> Vec<Value> {
    let mut jobs: Vec<(&str, f64)> =
        chronos.jobs().map(|job| (job.definition.name.as_str(), measure.over(&times(job)))).collect();
    jobs.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    jobs.into_iter().map(|(name, time)| json!({ "jobNameLabel": name, "time": time / 1000.0 })).collect()
}

/// What is measured, as Dropwizard's library writes it.
pub(super) fn metrics(chronos: &Chronos) -> Value {
    let (mut counters, mut histograms, mut gauges) = (Map::new(), Map::new(), Map::new());
    let (mut count, mut queued, mut running) = (0_usize, 0_usize, 0_usize);
    for job in chronos.jobs() {
        let name = &job.definition.name;
        counters.insert(format!("jobs.run.success.{name}"), json!({ "count": job.counts.successes }));
        counters.insert(format!("jobs.run.failure.{name}"), json!({ "count": job.counts.errors }));
        let times = times(job);
        let at = |percent| Measure::Percentile(percent).over(&times);
        let histogram = json!({
            "count": times.len(), "min": at(0), "max": at(100), "mean": Measure::Mean.over(&times), "p50": at(50),
            "p75": at(75), "p95": at(95), "p98": at(98), "p99": at(99),
        });
        histograms.insert(format!("jobs.run.time.{name}"), histogram);
        count += 1;
        running += job.runs.iter().filter(|run| run.is_live()).count();
        queued += job.runs.iter().filter(|run| !run.is_live()).count();
    }
    for (name, value) in [("jobs", count), ("runs.queued", queued), ("runs.running", running)] {
        gauges.insert(format!("chronos.{name}"), json!({ "value": value }));
    }
    json!({ "version": "4.0.0", "gauges": gauges, "counters": counters, "histograms": histograms, "meters": {}, "timers": {} })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_are_over_the_times_that_there_are() {
        let times: Vec<i64> = (1..=100).collect();
        for (name, expected) in [("median", 50.0), ("75thPercentile", 75.0), ("99thPercentile", 99.0), ("mean", 50.5)] {
            let measure = Measure::of(name).expect(name);
            assert!((measure.over(&times) - expected).abs() < f64::EPSILON, "{name}");
            assert!(measure.over(&[]).abs() < f64::EPSILON);
            assert!((measure.over(&[7]) - 7.0).abs() < f64::EPSILON);
        }
        assert!(Measure::of("mode").is_err_and(|refused| refused.message.contains("median")));
    }

    #[test]
    fn a_duration_has_no_parts_of_nothing_but_seconds() {
        for (seconds, text) in [(0, "0s"), (61, "1m1s"), (3_600, "1h0s"), (90_061, "1d1h1m1s")] {
            assert_eq!(duration(seconds), text);
        }
    }
}
