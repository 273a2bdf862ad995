//! What is measured of a master, by the names that Mesos has for it.

use orch_core::clock::{Clock as _, SystemClock};

use super::about::About;

/// What is measured of every master, whether it leads or not.
#[must_use]
pub fn of_every_master(about: &About, leads: bool) -> Vec<(String, f64)> {
    let up = SystemClock.now().duration_since(about.started).as_secs_f64().max(0.0);
    let mut all =
        vec![("master/elected".to_owned(), f64::from(u8::from(leads))), ("master/uptime_secs".to_owned(), up)];
    all.extend(of_the_machine());
    all
}

/// Load, processors and memory.
fn of_the_machine() -> Vec<(String, f64)> {
    let mut all = Vec::new();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    for (name, value) in ["1min", "5min", "15min"].into_iter().zip(load.split(' ')) {
        all.extend(value.parse().ok().map(|value| (format!("system/load_{name}"), value)));
    }
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    all.push(("system/cpus_total".to_owned(), u32::try_from(processors).map_or(f64::MAX, f64::from)));
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    for (name, shown) in [("MemTotal:", "mem_total_bytes"), ("MemFree:", "mem_free_bytes")] {
        let line = memory.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        all.extend(kilobytes.map(|kilobytes| (format!("system/{shown}"), kilobytes * 1024.0)));
    }
    all
}
