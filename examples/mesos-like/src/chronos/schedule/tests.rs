use super::*;

fn time(text: &str) -> Timestamp {
    text.parse().expect(text)
}

fn read(text: &str) -> Schedule {
    Schedule::read(text, "", time("2026-11-28T12:00:00Z")).expect(text)
}

#[test]
fn a_schedule_is_written_as_it_is_read_from_its_next_slot_on() {
    let now = time("2026-11-28T12:00:07Z");
    let mut schedule = read("R3/2026-11-28T12:00:00Z/PT5S");
    assert_eq!(schedule.due(now), Due::Slot(time("2026-11-28T12:00:05Z")), "the first slot is in the second");
    schedule.pass(now, true);
    assert_eq!(schedule.to_string(), "R2/2026-11-28T12:00:10.000Z/PT5S");
    assert_eq!(schedule.due(now), Due::Nothing);
    schedule.pass(time("2026-11-28T12:00:11Z"), false);
    assert_eq!(schedule.to_string(), "R2/2026-11-28T12:00:15.000Z/PT5S", "a slot that was passed over is no run");
    assert_eq!(schedule.from_start(), "R2/2026-11-28T12:00:00.000Z/PT5S");
    let empty = read("R//PT10M");
    assert_eq!(empty.to_string(), "R/2026-11-28T12:00:00.000Z/PT10M");
}

#[test]
fn what_is_over_is_never_due() {
    let mut once = read("R1/2026-11-28T12:00:00Z/PT0S");
    let now = time("2030-01-01T00:00:00Z");
    assert_eq!(once.due(now), Due::Slot(time("2026-11-28T12:00:00Z")));
    once.pass(now, true);
    assert!(once.is_over() && once.due(now) == Due::Nothing && once.next().is_none());
    assert!(read("R0//PT5S").is_over());
}

#[test]
fn months_are_those_of_the_calendar_and_do_not_drift() {
    let mut schedule = read("R/2026-01-31T08:00:00Z/P1M");
    let mut slots = Vec::new();
    for _ in 0..4 {
        let next = schedule.next().expect("there is always one");
        slots.push(next.to_string());
        schedule.pass(next, true);
    }
    assert_eq!(slots, ["2026-01-31T08:00:00Z", "2026-02-28T08:00:00Z", "2026-03-31T08:00:00Z", "2026-04-30T08:00:00Z"]);
    let years = read("R/2024-02-29T00:00:00Z/P1Y");
    assert_eq!(years.due(time("2025-12-01T00:00:00Z")), Due::Slot(time("2025-02-28T00:00:00Z")));
}

#[test]
fn many_years_of_seconds_are_passed_over_at_once() {
    let mut schedule = read("R/1970-01-01T00:00:00Z/PT1S");
    let now = time("2026-11-28T12:00:00.500Z");
    assert_eq!(schedule.due(now), Due::Slot(time("2026-11-28T12:00:00Z")));
    schedule.pass(now, true);
    assert_eq!(schedule.next(), Some(time("2026-11-28T12:00:01Z")));
    let far = read("R/9999-12-01T00:00:00Z/P1M");
    assert_eq!(
        far.due(time("9999-12-30T00:00:00Z")),
        Due::Slot(time("9999-12-01T00:00:00Z")),
        "and there is no later one"
    );
}

#[test]
fn a_time_zone_keeps_the_fields_of_the_start() {
    let now = time("2026-06-01T00:00:00Z");
    let fixed = Schedule::read("R/2026-06-02T08:00:00Z/P1D", "+02:00", now).expect("a schedule");
    assert_eq!(fixed.next(), Some(time("2026-06-02T06:00:00Z")));
    assert_eq!(fixed.to_string(), "R/2026-06-02T08:00:00.000+02:00/P1D");
    let offset = Schedule::read("R/2026-06-02T08:00:00+02:00/P1D", "", now).expect("a schedule");
    assert_eq!(offset.to_string(), "R/2026-06-02T06:00:00.000Z/P1D");
    if std::path::Path::new("/usr/share/zoneinfo/Europe/Paris").exists() {
        // The clocks go back on the 25th of October.
        let mut paris = Schedule::read("R/2026-10-24T08:00:00/P1D", "Europe/Paris", now).expect("a schedule");
        let mut slots = Vec::new();
        for _ in 0..3 {
            let next = paris.next().expect("there is always one");
            slots.push(next.to_string());
            paris.pass(next, true);
        }
        assert_eq!(slots, ["2026-10-24T06:00:00Z", "2026-10-25T07:00:00Z", "2026-10-26T07:00:00Z"]);
    }
}

#[test]
fn what_is_no_schedule_is_refused_with_what_to_write() {
    let now = time("2026-11-28T12:00:00Z");
    for (text, zone, part) in [
        ("R/2026-11-28T12:00:00Z", "", "three parts"),
        ("3/2026-11-28T12:00:00Z/PT5S", "", "begins with R"),
        ("R-1//PT5S", "", "how many times"),
        ("R3/tomorrow/PT5S", "", "'tomorrow' is no time"),
        ("R3//5 seconds", "", "is no period"),
        ("R3//P", "", "is no period"),
        ("R3//-PT5S", "", "is no period"),
        ("R3//PT0S", "", "period of nothing"),
        ("R/1969-12-31T23:59:59Z/P1D", "", "before 1970"),
        ("*/5 * * * *", "", "cron expression"),
        ("R//PT5S", "Mars/Olympus", "no time zone"),
        ("", "", "three parts"),
    ] {
        let refused = Schedule::read(text, zone, now).expect_err(text);
        assert!(refused.contains(part), "{text}: {refused}");
    }
}

#[test]
fn a_length_does_not_depend_on_the_calendar() {
    assert_eq!(length("PT15M"), Ok(std::time::Duration::from_secs(900)));
    assert_eq!(length("P1D"), Ok(std::time::Duration::from_secs(86_400)));
    assert!(length("P1M").is_err_and(|refused| refused.contains("PT720H")));
}
