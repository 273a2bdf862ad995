//! The project's own commands, the same for people and for CI: `cargo xtask help` lists them.
#![forbid(unsafe_code)]

mod apt;
mod browser;
mod clauses;
mod command;
mod containers;
mod mesos_clients;
mod parts;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use command::{Failed, cargo, cargo_in};

const HELP: &str = "\
cargo xtask COMMAND

  test      every test: units, contracts, faults, documentation, whole systems; those of containers
            need root, and are left out by `test --without-containers`
  lint      what must hold before a change is accepted, without running tests:
            format, tidy, clippy, documentation, benches compile
  ci        lint, then test; takes `--without-containers` too
  fix       format, what clippy can mend by itself, the lock file of the benches
  tidy      the house rules that a program can check
  clauses   every clause of every contract, and how many faults each controller survived
  bench     the tables of docs/benchmarks.md, measured here and now; `bench store queue`
            measures these parts alone (store, queue, engine, sched, offers, runtime, proxy); `runtime` and
            `proxy` need root; `bench proxy --quick` takes half a minute in place of seven, and
            `--services=1000,10000 --endpoints=2` says what sizes are measured
  help      this text
";

fn main() -> ExitCode {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["test"] => test(&root),
        ["test", containers::WITHOUT] => test_without_containers(&root),
        ["lint"] => lint(&root),
        ["ci"] => lint(&root).and_then(|()| test(&root)),
        ["ci", containers::WITHOUT] => lint(&root).and_then(|()| test_without_containers(&root)),
        ["fix"] => fix(&root),
        ["tidy"] => tidy::run(&root),
        ["clauses"] => clauses::run(&root),
        ["bench", ref parts @ ..] => bench(&root, parts),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("xtask: {failed}");
            ExitCode::FAILURE
        }
    }
}

fn test(root: &Path) -> Result<(), Failed> {
    containers::require_root()?;
    parts::provide(root, &[parts::STORES, parts::CONTAINERS].concat())?;
    without_what_is_missing(root, || test_targets(root, &["--all-targets"]))
}

/// Runs tests, and says before and after which programs of others they are run without: clients, a browser.
fn without_what_is_missing(root: &Path, test: impl FnOnce() -> Result<(), Failed>) -> Result<(), Failed> {
    let mut missing = mesos_clients::provide(root)?;
    missing.extend(browser::provide(root)?);
    let warn = || missing.iter().for_each(|program| eprintln!("xtask: NOT TESTED with {program}"));
    warn();
    let tested = test();
    warn();
    tested
}

fn test_without_containers(root: &Path) -> Result<(), Failed> {
    parts::provide(root, parts::STORES)?;
    let tree = tidy::Tree::read(root).map_err(|error| Failed(format!("cannot read the tests: {error}")))?;
    let targets = containers::Targets::of(&tree);
    let warning = format!("NOT TESTED, since it takes root: {}", targets.of_containers.join(", "));
    eprintln!("xtask: {warning}");
    let tested = without_what_is_missing(root, || test_targets(root, &targets.arguments_without()));
    // Once more, where it is seen.
    eprintln!("xtask: {warning}");
    tested
}

fn test_targets(root: &Path, targets: &[&str]) -> Result<(), Failed> {
    cargo(root, &[&["test", "--workspace", "--all-features", "--no-fail-fast"], targets].concat())?;
    cargo(root, &["test", "--workspace", "--all-features", "--doc", "--no-fail-fast"])
}

fn lint(root: &Path) -> Result<(), Failed> {
    cargo(root, &["fmt", "--all", "--check"])?;
    cargo_in(&root.join("benches/peers"), &["fmt", "--check"])?;
    tidy::run(root)?;
    cargo(root, &["clippy", "--workspace", "--all-features", "--all-targets", "--", "-D", "warnings"])?;
    command::cargo_with(
        root,
        &[("RUSTDOCFLAGS", "-D warnings")],
        &["doc", "--workspace", "--all-features", "--no-deps"],
    )?;
    // Its lock file is its own, and is not seen to be out of date by anything else. `fix` brings it up to date.
    cargo_in(&root.join("benches/peers"), &["check", "--locked", "--benches"])
}

fn fix(root: &Path) -> Result<(), Failed> {
    cargo(
        root,
        &["clippy", "--workspace", "--all-features", "--all-targets", "--fix", "--allow-dirty", "--allow-staged"],
    )?;
    cargo(root, &["fmt", "--all"])?;
    cargo_in(&root.join("benches/peers"), &["fmt"])?;
    cargo_in(&root.join("benches/peers"), &["update", "--workspace"])
}

fn bench(root: &Path, parts: &[&str]) -> Result<(), Failed> {
    let all = parts.iter().all(|part| part.starts_with("--"));
    if all || parts.contains(&"store") {
        parts::provide(root, parts::STORES)?;
    }
    if all || parts.contains(&"runtime") || parts.contains(&"proxy") {
        parts::provide(root, parts::CONTAINERS)?;
    }
    cargo_in(&root.join("benches/peers"), &[&["run", "--locked", "--release", "--quiet", "--"], parts].concat())
}
