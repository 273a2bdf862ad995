//! What is asked of a container, and what the answers mean.

use std::net::IpAddr;
use std::time::Duration;

use orch_core::object::{Container, Probe};
use orch_core::runtime::ContainerId;

use super::background::Subject;
use super::question::Question;

/// One probe of one attempt of a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ProbeId {
    pub(super) container: ContainerId,
    pub(super) kind: ProbeKind,
}

impl Subject for ProbeId {
    fn container(&self) -> &ContainerId {
        &self.container
    }
}

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ProbeKind {
    /// Fails: the container is restarted. The others wait until it succeeded.
    Startup,
    /// Fails: the container is restarted.
    Liveness,
    /// Fails: the pod gets no requests.
    Readiness,
}

impl ProbeKind {
    /// As in `Container web failed liveness probe`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
        }
    }

    /// As in `Liveness probe failed`.
    pub(super) fn capitalized(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
        }
    }

    /// The probe of this kind, if the container has one.
    pub(super) fn of(self, container: &Container) -> Option<&Probe> {
        match self {
            Self::Startup => container.startup_probe.as_ref(),
            Self::Liveness => container.liveness_probe.as_ref(),
            Self::Readiness => container.readiness_probe.as_ref(),
        }
    }
}

/// What the answers so far amount to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Neither threshold was reached yet.
    #[default]
    Undecided,
    /// As many good answers in a row as it takes.
    Success,
    /// As many bad answers in a row as it takes; the last one's message.
    Failure(String),
}

/// Everything that it takes to ask a container again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inquiry {
    pub(super) id: ProbeId,
    pub(super) question: Question,
    /// How long to wait before the first question.
    pub(super) delay: Duration,
    pub(super) period: Duration,
    pub(super) timeout: Duration,
    pub(super) success_threshold: u32,
    pub(super) failure_threshold: u32,
}

impl Inquiry {
    /// What to ask a container that has been running for `age` at this address.
    pub(super) fn new(id: ProbeId, probe: &Probe, container: &Container, pod_ip: IpAddr, age: Duration) -> Self {
        let least = Duration::from_secs(1);
        Self {
            id,
            question: Question::of_probe(probe, container, pod_ip),
            delay: probe.initial_delay().saturating_sub(age),
            period: probe.period().max(least),
            timeout: probe.timeout().max(least),
            success_threshold: probe.success_threshold(),
            failure_threshold: probe.failure_threshold(),
        }
    }
}

/// Counts answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    verdict: Verdict,
    good_in_a_row: u32,
    bad_in_a_row: u32,
}

impl Tally {
    /// Counts an answer, and returns the verdict if that changed it. A failure that goes on, with another message, is
    /// no change.
    pub(super) fn count(&mut self, answer: Result<(), String>, inquiry: &Inquiry) -> Option<Verdict> {
        let verdict = match answer {
            Ok(()) => {
                (self.good_in_a_row, self.bad_in_a_row) = (self.good_in_a_row.saturating_add(1), 0);
                (self.good_in_a_row >= inquiry.success_threshold).then_some(Verdict::Success)
            }
            Err(message) => {
                (self.good_in_a_row, self.bad_in_a_row) = (0, self.bad_in_a_row.saturating_add(1));
                (self.bad_in_a_row >= inquiry.failure_threshold).then_some(Verdict::Failure(message))
            }
        }?;
        if std::mem::discriminant(&verdict) == std::mem::discriminant(&self.verdict) {
            return None;
        }
        self.verdict = verdict.clone();
        Some(verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> ProbeId {
        let container =
            ContainerId { pod: "uid".parse().expect("a uid"), name: "web".parse().expect("a name"), attempt: 0 };
        ProbeId { container, kind: ProbeKind::Readiness }
    }

    fn inquiry(probe: &Probe) -> Inquiry {
        let container = Container { name: "web".into(), ..Container::default() };
        Inquiry::new(id(), probe, &container, [10, 0, 0, 7].into(), Duration::from_secs(3))
    }

    #[test]
    fn a_verdict_takes_as_many_answers_in_a_row_as_the_threshold_says() {
        let inquiry = inquiry(&Probe { success_threshold: Some(2), failure_threshold: Some(3), ..Probe::default() });
        let mut tally = Tally::default();
        // Good, bad, and the verdict that this changes to: success, failure or none.
        let answers = ["+ ", "- ", "+ ", "+S", "+ ", "- ", "- ", "+ ", "- ", "- ", "-F", "- ", "+ ", "- ", "+ ", "+S"];
        for (number, answer) in answers.into_iter().enumerate() {
            let given = if answer.starts_with('+') { Ok(()) } else { Err("bad".to_owned()) };
            let changed = match tally.count(given, &inquiry) {
                None => ' ',
                Some(Verdict::Success) => 'S',
                Some(Verdict::Failure(_)) => 'F',
                Some(Verdict::Undecided) => '?',
            };
            assert_eq!(Some(changed), answer.chars().last(), "answer {number}");
        }
    }

    #[test]
    fn the_delay_counts_from_the_start_of_the_container() {
        let delay = |seconds| inquiry(&Probe { initial_delay_seconds: Some(seconds), ..Probe::default() }).delay;
        assert_eq!([delay(10), delay(3), delay(1)].map(|delay| delay.as_secs()), [7, 0, 0]);
    }
}
