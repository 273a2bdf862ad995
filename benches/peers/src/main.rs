//! Measures this project against other people's crates, or against the least that the job costs, and prints a table.
#![forbid(unsafe_code)]

mod measure;
mod objects;
mod sched;
mod store;

fn main() {
    println!("{}\n", machine());
    println!("| what | ours, per operation | held against | times faster, wall (min–max) | times less processor time |");
    println!("|---|---|---|---|---|");
    for rows in [store::rows, sched::rows] {
        for row in rows() {
            println!("{}", row.markdown());
        }
    }
}

/// What it was measured on, as one line.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg");
    let load: Vec<&str> = load.split(' ').take(1).collect();
    format!(
        "{} pairs each, medians; {cores} cores of {}; load at the start {}",
        measure::PAIRS,
        model.trim_start_matches(['\t', ':', ' ']),
        load.join(" ")
    )
}
