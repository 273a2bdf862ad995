//! Measures this project against other people's crates and programs, or against the least that the job costs, and
//! prints tables.
#![forbid(unsafe_code)]

mod engine;
mod measure;
mod objects;
mod offers;
mod proxy;
mod queue;
mod row;
mod runtime;
mod sched;
mod store;

use std::process::{Command, ExitCode};

use row::Row;

/// What ours runs on, and what it is held against.
const PACKAGES: [&str; 6] = ["k8s-openapi", "kube", "kube-runtime", "prost", "tokio", "tonic"];

/// What is measured. Arguments choose among the parts; without any all are.
const PARTS: [(&str, fn()); 7] = [
    ("store", store::run),
    ("queue", || Row::print_table([queue::rows()])),
    ("engine", || Row::print_table([engine::rows()])),
    ("sched", || Row::print_table([sched::rows()])),
    ("offers", offers::run),
    ("runtime", runtime::run),
    ("proxy", proxy::run),
];

fn main() -> ExitCode {
    // Runtimes start this program once more for each container.
    orch_runtime::process::run_shim_if_asked();
    orch_runtime::containerd::run_logger_if_asked();
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name] = &wanted[..]
        && flag == store::LOAD
    {
        store::load(name);
        return ExitCode::SUCCESS;
    }
    if let [flag, what, pods] = &wanted[..]
        && flag == runtime::AGENT
    {
        runtime::agent(what, pods.parse().expect("a number of pods"));
        return ExitCode::SUCCESS;
    }
    if let Err(wrong) = proxy::options() {
        eprintln!("{wrong}");
        return ExitCode::from(2);
    }
    wanted.retain(|wanted| !proxy::has_option(wanted));
    if let Some(unknown) = wanted.iter().find(|wanted| PARTS.iter().all(|(part, _)| part != wanted)) {
        let parts: Vec<&str> = PARTS.iter().map(|(part, _)| *part).collect();
        eprintln!("there is no part `{unknown}`, only {}", parts.join(", "));
        return ExitCode::from(2);
    }
    let is_wanted = |part: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == part);
    let needs_root = ["runtime", "proxy"].into_iter().any(is_wanted);
    if let Some(obstacle) = runtime::obstacle().filter(|_| needs_root) {
        eprintln!("{obstacle}");
        return ExitCode::from(2);
    }
    println!("{}", circumstances());
    for (_, run) in PARTS.into_iter().filter(|(part, _)| is_wanted(part)) {
        run();
    }
    println!("\nLoad at the end: {}.", load());
    ExitCode::SUCCESS
}

/// What is measured, with what, where, and what else goes on there.
fn circumstances() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("an unknown processor");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let packages: Vec<String> = PACKAGES.iter().map(|package| format!("{package} {}", version(package))).collect();
    format!(
        "Commit {}, {}; {}; {}. {} rounds: medians, and from least to most. {cores} cores of {}. Load at the start: {}.",
        answer("git", &["describe", "--always", "--dirty"]),
        answer("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        answer("rustc", &["--version"]),
        packages.join(", "),
        measure::ROUNDS,
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

/// The first line that a command says, for what this program cannot know by itself.
fn answer(command: &str, arguments: &[&str]) -> String {
    let said = Command::new(command).args(arguments).output().map(|output| output.stdout).unwrap_or_default();
    let said = String::from_utf8_lossy(&said).lines().next().unwrap_or_default().trim().to_owned();
    if said.is_empty() { format!("unknown ({command} does not say)") } else { said }
}

/// How many threads wanted to run, on average of the last minute and the last five.
fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(2).collect::<Vec<_>>().join(" ")
}
