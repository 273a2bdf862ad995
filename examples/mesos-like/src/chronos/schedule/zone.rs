//! A time zone by its name.

use std::path::{Path, PathBuf};

use jiff::tz::{Offset, TimeZone};

/// Where systems keep their time zones, each in a file of its name.
const FOLDERS: [&str; 2] = ["/usr/share/zoneinfo", "/usr/lib/zoneinfo"];

/// The time zone of a name: UTC, a fixed offset as in `+02:00` or `GMT-3`, or what the system knows, as in `Europe/Paris`; none if
/// no name is given.
///
/// # Errors
/// What is wrong with the name, and what to write.
pub(super) fn named(name: &str) -> Result<Option<TimeZone>, String> {
    match name {
        "" => return Ok(None),
        "UTC" | "GMT" | "Z" | "Zulu" | "Etc/UTC" | "Etc/GMT" | "Universal" => return Ok(Some(TimeZone::UTC)),
        _ => {}
    }
    let offset = name.strip_prefix("UTC").or_else(|| name.strip_prefix("GMT")).unwrap_or(name);
    if let Some(offset) = fixed(offset) {
        return Ok(Some(TimeZone::fixed(offset)));
    }
    let is_name = name.split('/').all(|part| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+'))
    });
    if !is_name {
        return Err(format!(
            "'{name}' is no time zone: write UTC, an offset as in +02:00, or a name as in Europe/Paris"
        ));
    }
    let files: Vec<PathBuf> = FOLDERS.iter().map(|folder| Path::new(folder).join(name)).collect();
    let Some(data) = files.iter().find_map(|file| std::fs::read(file).ok()) else {
        return Err(match FOLDERS.iter().any(|folder| Path::new(folder).is_dir()) {
            true => format!(
                "this machine knows no time zone '{name}': write UTC, an offset as in +02:00, or a name as in Europe/Paris"
            ),
            false => format!(
                "this machine has no time zones, so '{name}' is not known: install tzdata, or write an offset as in +02:00"
            ),
        });
    };
    TimeZone::tzif(name, &data)
        .map(Some)
        .map_err(|error| format!("the time zone '{name}' of this machine is damaged: {error}"))
}

/// An offset as in `+2`, `-03:30` and `+0530`.
fn fixed(text: &str) -> Option<Offset> {
    let (sign, digits) = match text.as_bytes() {
        [b'+', ..] => (1, &text[1..]),
        [b'-', ..] => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 && digits.is_ascii() => digits.split_at(2),
        None => (digits, "0"),
    };
    let number = |text: &str| text.parse::<i32>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    if minutes > 59 || hours > 18 {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_utc_offsets_and_what_the_system_knows() {
        assert_eq!(named(""), Ok(None));
        assert_eq!(named("UTC"), Ok(Some(TimeZone::UTC)));
        for (name, seconds) in [("+02:00", 7_200), ("-0330", -12_600), ("GMT+1", 3_600), ("UTC-8", -28_800)] {
            let offset = Offset::from_seconds(seconds).expect("an offset");
            assert_eq!(named(name), Ok(Some(TimeZone::fixed(offset))), "{name}");
        }
        if Path::new(FOLDERS[0]).join("Europe/Paris").exists() {
            assert!(named("Europe/Paris").is_ok_and(|zone| zone.is_some()));
        }
    }

    #[test]
    fn what_is_no_zone_is_refused_with_what_to_write() {
        for name in ["../../etc/passwd", "Europe/Atlantis", "/etc/passwd", "+25:00", "Europe//Paris", "a b", "."] {
            let refused = named(name).expect_err(name);
            assert!(refused.contains(name) && refused.contains("+02:00"), "{refused}");
        }
    }
}
