//! What the machine has, to be divided among the nodes.

/// What the machine has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    pub(crate) cpu_millis: i64,
    pub(crate) memory_bytes: i64,
}

impl Machine {
    /// Asks the operating system. What it does not tell is taken as one core and one GiB.
    pub(crate) fn measure() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self {
            cpu_millis: i64::try_from(cores).unwrap_or(1) * 1_000,
            memory_bytes: total_memory(&text).unwrap_or(1 << 30),
        }
    }
}

fn total_memory(meminfo: &str) -> Option<i64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: i64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_from_meminfo() {
        assert_eq!(total_memory("MemTotal:       16 kB\nMemFree: 3 kB\n"), Some(16_384));
        assert_eq!(total_memory("MemTotal: much\n"), None);
    }
}
