//! Cron expressions, which many write first: what to write instead.

use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// Why a cron expression is no schedule here, and what to write instead; nothing if it is none.
pub(super) fn instead(text: &str, now: Timestamp) -> Option<String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let is_field = |field: &&str| field.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*/,-?#".contains(&byte));
    let is_cron = (5..=7).contains(&fields.len()) && fields.iter().all(is_field);
    let nickname = text.trim().strip_prefix('@').filter(|name| name.bytes().all(|byte| byte.is_ascii_alphabetic()));
    if !is_cron && nickname.is_none() {
        return None;
    }
    let fields = match nickname {
        Some(name) => of_nickname(name).split(' ').collect(),
        None => fields,
    };
    let write = match same(&fields, now) {
        Some(schedule) => format!("For this one write {schedule}"),
        None => format!("Once a day, say, is R/{now:.0}/P1D; what has no single period needs several jobs"),
    };
    Some(format!(
        "Cannot parse schedule '{text}': this is a cron expression, and here schedules are ISO 8601 repeating intervals, \
         R[times]/[start]/period. {write}"
    ))
}

fn of_nickname(name: &str) -> &'static str {
    match name {
        "hourly" => "0 * * * *",
        "weekly" => "0 0 * * 0",
        "monthly" => "0 0 1 * *",
        "yearly" | "annually" => "0 0 1 1 *",
        _ => "0 0 * * *",
    }
}

/// The repeating interval that says the same, from now on, if there is one.
fn same(fields: &[&str], now: Timestamp) -> Option<String> {
    let &[minute, hour, day, month, weekday] = fields else { return None };
    let today = now.to_zoned(TimeZone::UTC).datetime();
    let number = |text: &str| text.parse::<i8>().ok();
    let at = |hour, minute| today.with().hour(hour).minute(minute).second(0).subsec_nanosecond(0).build().ok();
    if let Some(step) = minute.strip_prefix("*/").and_then(number) {
        let is_plain = [hour, day, month, weekday] == ["*"; 4] && step > 0 && 60 % step == 0;
        return is_plain.then(|| written(at(today.hour(), 0)?, &format!("PT{step}M"), now)).flatten();
    }
    let (start, period) = match (minute, number(minute), number(hour), hour) {
        ("*", _, _, "*") => (at(today.hour(), today.minute())?, "PT1M"),
        (_, Some(minute), _, "*") => (at(today.hour(), minute)?, "PT1H"),
        (_, Some(minute), Some(hour), _) => (at(hour, minute)?, "P1D"),
        _ => return None,
    };
    let (start, period) = match (number(day), number(month), number(weekday)) {
        (None, None, None) if [day, month, weekday] == ["*"; 3] => (start, period),
        (None, None, Some(weekday)) if [day, month] == ["*"; 2] && period == "P1D" => {
            let wanted = Weekday::from_sunday_zero_offset(weekday % 7).ok()?;
            let until = start.date().weekday().until(wanted);
            (start.checked_add(i64::from(until).days()).ok()?, "P1W")
        }
        (Some(day), None, None) if [month, weekday] == ["*"; 2] && period == "P1D" => {
            (start.with().day(day).build().ok()?, "P1M")
        }
        (Some(day), Some(month), None) if weekday == "*" && period == "P1D" => {
            (start.with().month(month).day(day).build().ok()?, "P1Y")
        }
        _ => return None,
    };
    written(start, period, now)
}

/// The schedule, from its next slot on.
fn written(start: DateTime, period: &str, now: Timestamp) -> Option<String> {
    let schedule = super::Schedule::read(&format!("R/{start}Z/{period}"), "", now).ok()?;
    let next = match schedule.due(now) {
        super::Due::Nothing => schedule.next()?,
        super::Due::Slot(_) => {
            let mut later = schedule.clone();
            later.pass(now, false);
            later.next()?
        }
    };
    Some(format!("R/{next:.0}/{period}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cron_expression_is_told_with_what_to_write_instead() {
        // A Saturday.
        let now = "2026-11-28T23:17:05Z".parse().expect("a time");
        for (cron, interval) in [
            ("*/5 * * * *", "R/2026-11-28T23:20:00Z/PT5M"),
            ("* * * * *", "R/2026-11-28T23:18:00Z/PT1M"),
            ("30 * * * *", "R/2026-11-28T23:30:00Z/PT1H"),
            ("0 4 * * *", "R/2026-11-29T04:00:00Z/P1D"),
            ("15 9 * * 1", "R/2026-11-30T09:15:00Z/P1W"),
            ("0 0 1 * *", "R/2026-12-01T00:00:00Z/P1M"),
            ("@hourly", "R/2026-11-29T00:00:00Z/PT1H"),
            ("@yearly", "R/2027-01-01T00:00:00Z/P1Y"),
        ] {
            let instead = instead(cron, now).expect(cron);
            assert!(instead.contains(interval), "{cron}: {instead}");
        }
        for cron in ["0 9-17 * * MON-FRI", "0 0 1,15 * *", "0 0/5 * * * ?"] {
            assert!(instead(cron, now).is_some_and(|instead| instead.contains("several jobs")), "{cron}");
        }
        for other in ["R/2026-11-28T23:00:00Z/PT5M", "every five minutes", "", "R3//PT5S"] {
            assert_eq!(instead(other, now), None, "{other}");
        }
    }
}
