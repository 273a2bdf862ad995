//! What the kernel's texts say.

use orch_core::runtime::Supply;

/// Ticks of `/proc/stat` in a second: `USER_HZ`, the same on every architecture that there still is.
const TICK_NANOS: u64 = 1_000_000_000 / 100;

/// How many processors this process may use, by `/proc/self/status`.
pub(super) fn processors_allowed(status: &str) -> Option<u64> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    processors(list).filter(|count| *count > 0)
}

/// How many processors are in a list like `0-3,8`.
fn processors(list: &str) -> Option<u64> {
    list.trim().split(',').filter(|part| !part.is_empty()).try_fold(0_u64, |count, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        count.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

/// Processor time used since the machine was started, by `/proc/stat`: what was not idle. Guests are in user time.
pub(super) fn cpu_used_nanos(stat: &str) -> Option<u64> {
    let numbers = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = numbers.split_whitespace().map_while(|number| number.parse().ok()).collect();
    let [user, nice, system, _idle, rest @ ..] = ticks.as_slice() else { return None };
    // After idle: waiting for I/O, which is idle, two kinds of interrupts, and what the host took away.
    let busy =
        rest.iter().skip(1).take(3).chain([user, nice, system]).fold(0, |sum: u64, ticks| sum.saturating_add(*ticks));
    Some(busy.saturating_mul(TICK_NANOS))
}

/// The machine's memory, by `/proc/meminfo`.
pub(super) fn memory(meminfo: &str) -> Option<Supply> {
    let bytes = |field: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
        line.trim().trim_end_matches("kB").trim_end().parse::<u64>().ok()?.checked_mul(1024)
    };
    let capacity = bytes("MemTotal").filter(|total| *total > 0)?;
    // Kernels before 3.14 do not estimate it.
    let estimate = || Some(bytes("MemFree")?.saturating_add(bytes("Cached").unwrap_or(0)));
    let available = bytes("MemAvailable").or_else(estimate)?;
    Some(Supply { capacity, available: available.min(capacity) })
}

/// How many threads there are, by `/proc/loadavg`.
pub(super) fn threads(loadavg: &str) -> Option<u64> {
    loadavg.split_whitespace().nth(3)?.split_once('/')?.1.parse().ok()
}

/// How the system calls itself, by `/etc/os-release`.
pub(super) fn pretty_name(os_release: &str) -> Option<String> {
    let value = os_release.lines().find_map(|line| line.trim().strip_prefix("PRETTY_NAME="))?;
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''));
    let inner = match quote {
        Some(quote) => value.strip_prefix(quote)?.trim_end().strip_suffix(quote)?,
        None => value.trim_end(),
    };
    let mut name = String::new();
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        name.push(match character {
            '\\' if quote != Some('\'') => characters.next().unwrap_or('\\'),
            character => character,
        });
    }
    Some(name).filter(|name| !name.trim().is_empty())
}

/// What Go, and so Kubernetes and images, call an architecture that Rust calls so.
pub(super) fn architecture(rust: &str) -> &str {
    match rust {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "loongarch64" => "loong64",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        "mips64" if cfg!(target_endian = "little") => "mips64le",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted() {
        let table = [
            ("0", Some(1)),
            ("0-3", Some(4)),
            ("0-3,8", Some(5)),
            ("1,3,5-6\n", Some(4)),
            ("", Some(0)),
            ("3-1", None),
            ("a", None),
            ("0-", None),
            ("0-18446744073709551615", None),
            ("-1", None),
        ];
        for (list, count) in table {
            assert_eq!(processors(list), count, "{list:?}");
        }
        assert_eq!(processors_allowed("Name:\tx\nCpus_allowed:\t3\nCpus_allowed_list:\t0-1\n"), Some(2));
        assert_eq!(processors_allowed("Cpus_allowed_list:\t\n"), None);
        assert_eq!(processors_allowed(""), None);
    }

    #[test]
    fn processor_time_is_what_was_not_idle() {
        let table = [
            ("cpu  100 10 50 10000 500 3 4 5 60 7\ncpu0 1 1 1 1\n", Some(172)),
            // As before Linux 2.6.
            ("cpu 1 2 3 4\n", Some(6)),
            ("cpu 1 2 3\n", None),
            ("cpu0 1 2 3 4\n", None),
            ("cpu x\n", None),
            ("", None),
        ];
        for (stat, ticks) in table {
            assert_eq!(cpu_used_nanos(stat), ticks.map(|ticks| ticks * 10_000_000), "{stat:?}");
        }
        assert_eq!(cpu_used_nanos("cpu 18446744073709551615 1 1 1"), Some(u64::MAX));
    }

    #[test]
    fn memory_is_in_bytes() {
        let supply =
            |capacity: u64, available: u64| Some(Supply { capacity: capacity * 1024, available: available * 1024 });
        let table = [
            ("MemTotal:  100 kB\nMemFree:  10 kB\nMemAvailable:  60 kB\n", supply(100, 60)),
            ("MemTotal:  100 kB\nMemFree:  10 kB\nCached:  20 kB\n", supply(100, 30)),
            ("MemTotal:  100 kB\nMemAvailable:  101 kB\n", supply(100, 100)),
            ("MemTotal:  100 kB\n", None),
            ("MemTotal:  0 kB\nMemAvailable: 0 kB\n", None),
            ("MemTotal:  18446744073709551615 kB\nMemAvailable: 1 kB\n", None),
            ("MemTotalX: 1 kB\n", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(memory(text), expected, "{text:?}");
        }
    }

    #[test]
    fn threads_are_counted() {
        assert_eq!(threads("8.16 6.08 3.41 8/215 3337\n"), Some(215));
        for wrong in ["", "1 2 3", "1 2 3 4", "1 2 3 4/x 5"] {
            assert_eq!(threads(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_system_is_called_as_it_calls_itself() {
        let table = [
            ("NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n", Some("Debian GNU/Linux 12 (bookworm)")),
            ("PRETTY_NAME='A \\ b'\n", Some("A \\ b")),
            ("PRETTY_NAME=Alpine\n", Some("Alpine")),
            (r#"PRETTY_NAME="The \"best\" \$ \\""#, Some(r#"The "best" $ \"#)),
            ("PRETTY_NAME=\"open\n", None),
            ("PRETTY_NAME=\"\n", None),
            ("PRETTY_NAME=\"\"\n", None),
            ("PRETTY_NAME=\n", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(pretty_name(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn architectures_have_the_names_of_images() {
        for (rust, go) in
            [("x86_64", "amd64"), ("aarch64", "arm64"), ("x86", "386"), ("riscv64", "riscv64"), ("arm", "arm")]
        {
            assert_eq!(architecture(rust), go);
        }
    }
}
