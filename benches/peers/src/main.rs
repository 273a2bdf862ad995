//! Measures this project against other people's crates, or against the least that the job costs, and prints a table.
#![forbid(unsafe_code)]

mod engine;
mod measure;
mod objects;
mod queue;
mod sched;
mod store;

use std::process::Command;

use measure::Row;

/// What ours runs on, and what it is held against.
const PACKAGES: [&str; 4] = ["k8s-openapi", "kube", "kube-runtime", "tokio"];

/// What is measured. Arguments choose among the parts; without any all are.
const PARTS: [(&str, fn() -> Vec<Row>); 4] =
    [("store", store::rows), ("queue", queue::rows), ("engine", engine::rows), ("sched", sched::rows)];

fn main() {
    println!("{}\n\n{}", circumstances(), Row::HEAD);
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    for (part, rows) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == part) {
            rows().iter().for_each(|row| println!("{}", row.markdown()));
        }
    }
    println!("\nLoad at the end: {}.", load());
}

/// What is measured, with what, where, and what else goes on there.
fn circumstances() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("an unknown processor");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let packages: Vec<String> = PACKAGES.iter().map(|package| format!("{package} {}", version(package))).collect();
    format!(
        "Commit {}, {}; {}; {}. {} pairs each: medians, and from least to most. {cores} cores of {}. Load at the start: \
         {}.",
        answer("git", &["describe", "--always", "--dirty"]),
        answer("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        answer("rustc", &["--version"]),
        packages.join(", "),
        measure::PAIRS,
        model.trim_start_matches(['\t', ':', ' ']),
        load()
    )
}

/// The version of a package that was compiled in.
fn version(package: &str) -> &str {
    let lock = include_str!("../Cargo.lock");
    let of_package = lock.split("[[package]]").find(|text| text.contains(&format!("name = \"{package}\"\n")));
    let version = of_package.and_then(|text| text.split("version = \"").nth(1)?.split('"').next());
    version.expect("the lock file names every package")
}

/// What a command says, for what this program cannot know by itself.
fn answer(command: &str, arguments: &[&str]) -> String {
    let said = Command::new(command).args(arguments).output().map(|output| output.stdout).unwrap_or_default();
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    if said.is_empty() { format!("unknown ({command} does not say)") } else { said }
}

/// How many threads wanted to run, on average of the last minute and the last five.
fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(2).collect::<Vec<_>>().join(" ")
}
