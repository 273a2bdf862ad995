//! [`Schedule`]: an ISO 8601 repeating interval, `R3/2026-01-31T08:00:00Z/P1M`, and where one is in it.

mod cron;
mod zone;

use jiff::civil::Time;
use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;
use jiff::{Span, SpanFieldwise, Timestamp, Zoned};

/// So many times, from a start on, once in every period. The n-th slot is counted from the start and not from the slot before:
/// what begins on the 31st of January is due on the 28th of February and on the 31st of March.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// How many runs are left; without end if none is said.
    left: Option<u64>,
    start: Zoned,
    period: SpanFieldwise,
    /// As it was written.
    period_text: String,
    /// The number of the next slot.
    next: i64,
    /// When that is: it is asked for at every turn.
    next_at: Option<Timestamp>,
}

/// What a schedule has come to at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing yet, or nothing any more.
    Nothing,
    /// This slot: the last one of those that have come.
    Slot(Timestamp),
}

impl Schedule {
    /// Reads a schedule. An empty start is now. A name of a time zone keeps the start's fields, whatever zone stands there.
    ///
    /// # Errors
    /// What is wrong with it, and what to write.
    pub fn read(text: &str, zone: &str, now: Timestamp) -> Result<Self, String> {
        if let Some(instead) = cron::instead(text, now) {
            return Err(instead);
        }
        let wrong = |why: &str| {
            format!("Cannot parse schedule '{text}': {why}. Write R[times]/[start]/period, as in R/{now:.0}/PT24H")
        };
        let parts: Vec<&str> = text.split('/').collect();
        let [repeat, start, period_text] = parts[..] else { return Err(wrong("it has three parts")) };
        let repeat = repeat.strip_prefix('R').ok_or_else(|| wrong("it begins with R"))?;
        let left = match repeat {
            "" => None,
            times => Some(times.parse().map_err(|_| wrong(&format!("'{times}' is not how many times")))?),
        };
        let zone = zone::named(zone)?;
        let start = start_of(start, zone, now).map_err(|why| wrong(&why))?;
        // Slots are told by their milliseconds.
        let start = start.with().microsecond(0).nanosecond(0).build().unwrap_or(start);
        if start.timestamp() < Timestamp::UNIX_EPOCH {
            return Err(format!("Scheduled start date '{}' is before 1970!", start.timestamp()));
        }
        let period = period(period_text).map_err(|why| wrong(&why))?;
        if period.is_zero() && left.is_none_or(|left| left > 1) {
            return Err(wrong("a period of nothing never comes to the second run"));
        }
        Ok(Self {
            left,
            start,
            period: period.fieldwise(),
            period_text: period_text.to_owned(),
            next: 0,
            next_at: None,
        }
        .looked_up())
    }

    /// A schedule as [`read`](Self::read) gives it, at its `next` slot and with so many runs left.
    #[must_use]
    pub fn resumed(mut self, next: i64, left: Option<u64>) -> Self {
        (self.next, self.left) = (next.max(0), left);
        self.looked_up()
    }

    fn looked_up(mut self) -> Self {
        self.next_at = self.slot(self.next);
        self
    }

    /// Where one is in it: the number of the next slot.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.next
    }

    /// How many runs are left; without end if none is said.
    #[must_use]
    pub fn left(&self) -> Option<u64> {
        self.left
    }

    /// Whether no run is left.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.left == Some(0)
    }

    /// When the next slot is; never if it is past all times, or no run is left.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        if self.is_over() { None } else { self.next_at }
    }

    /// What has come by now.
    pub(super) fn due(&self, now: Timestamp) -> Due {
        match self.next() {
            Some(next) if next <= now => Due::Slot(self.slot(self.last_by(now)).unwrap_or(next)),
            _ => Due::Nothing,
        }
    }

    /// Goes on to the first slot after now; a run was begun for one that had come, or for none.
    pub(super) fn pass(&mut self, now: Timestamp, begun: bool) {
        if begun {
            self.left = self.left.map(|left| left.saturating_sub(1));
        }
        if !self.period.0.is_zero() {
            self.next = self.last_by(now).saturating_add(1);
            self.next_at = self.slot(self.next);
        }
    }

    /// The number of the last slot that has come, of which there is one.
    fn last_by(&self, now: Timestamp) -> i64 {
        let has_come = |number: i64| self.slot(number).is_some_and(|slot| slot <= now);
        if self.period.0.is_zero() {
            return self.next;
        }
        let (mut come, mut step) = (self.next, 1_i64);
        while has_come(come.saturating_add(step)) {
            come = come.saturating_add(step);
            step = step.saturating_mul(2);
        }
        // The slot at `come` has come, and the one at `come + step` has not.
        while step > 1 {
            step /= 2;
            if has_come(come.saturating_add(step)) {
                come = come.saturating_add(step);
            }
        }
        come
    }

    fn slot(&self, number: i64) -> Option<Timestamp> {
        let after = self.period.0.checked_mul(number).ok()?;
        self.start.checked_add(after).ok().map(|slot| slot.timestamp())
    }

    /// The start as it was read.
    #[must_use]
    pub fn start(&self) -> &Zoned {
        &self.start
    }

    /// The schedule as it would be written with its start.
    #[must_use]
    pub fn from_start(&self) -> String {
        self.written(&self.start)
    }

    fn written(&self, start: &Zoned) -> String {
        let left = self.left.map(|left| left.to_string()).unwrap_or_default();
        let offset =
            if start.time_zone() == &TimeZone::UTC { "Z".to_owned() } else { start.strftime("%:z").to_string() };
        format!("R{left}/{}{offset}/{}", start.strftime("%Y-%m-%dT%H:%M:%S%.3f"), self.period_text)
    }
}

/// As it is written: from the next slot on.
impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let next = self
            .slot(self.next)
            .map_or_else(|| self.start.clone(), |slot| slot.to_zoned(self.start.time_zone().clone()));
        f.write_str(&self.written(&next))
    }
}

fn start_of(text: &str, zone: Option<TimeZone>, now: Timestamp) -> Result<Zoned, String> {
    if text.is_empty() {
        return Ok(now.to_zoned(zone.unwrap_or(TimeZone::UTC)));
    }
    let wrong = |_| format!("'{text}' is no time");
    let pieces = Pieces::parse(text).map_err(wrong)?;
    let civil = pieces.date().to_datetime(pieces.time().unwrap_or(Time::midnight()));
    match (zone, pieces.to_numeric_offset()) {
        (Some(zone), _) => civil.to_zoned(zone).map_err(wrong),
        (None, Some(offset)) => offset.to_timestamp(civil).map(|start| start.to_zoned(TimeZone::UTC)).map_err(wrong),
        (None, None) => civil.to_zoned(TimeZone::UTC).map_err(wrong),
    }
}

/// The length of time that stands in ISO 8601, as in `P1M` and `PT5S`.
///
/// # Errors
/// Why it is none.
pub fn period(text: &str) -> Result<Span, String> {
    let wrong = || format!("'{text}' is no period, as PT5M, P1D and P1M are");
    // jiff takes words, too, and signs.
    if !text.starts_with('P') || text.len() < 3 {
        return Err(wrong());
    }
    let span: Span = text.parse().map_err(|_| wrong())?;
    if span.is_negative() { Err(wrong()) } else { Ok(span) }
}

/// As [`period`], for a length that does not depend on the calendar: a day has 24 hours, and there are no months.
///
/// # Errors
/// Why it is none.
pub fn length(text: &str) -> Result<std::time::Duration, String> {
    let span = period(text)?;
    let days = jiff::SpanRelativeTo::days_are_24_hours();
    let length =
        span.to_duration(days).map_err(|_| format!("'{text}' is not always equally long: write PT720H for P1M"))?;
    length.try_into().map_err(|_| format!("'{text}' is too long"))
}

#[cfg(test)]
mod tests;
