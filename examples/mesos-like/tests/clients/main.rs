//! Libraries of others, unmodified, as frameworks and operators of a real cluster, and as clients of its frameworks. They are
//! used where they are found; the one that is not is named with the reason, and counts as ignored, not as passed.

mod chronos;
#[path = "../system/cluster.rs"]
#[expect(dead_code, reason = "the tests of the system use the rest")]
mod cluster;
mod library;
mod marathon;
mod mesoshttp;
mod node;
mod pymesos;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use library::Library;

/// A test of a library: its name, and what it does. It panics when something is not as it should be.
type Scenario = (&'static str, fn(&Library));

const SCENARIOS: &[(&str, &[Scenario])] = &[
    ("pymesos", pymesos::SCENARIOS),
    ("marathon", marathon::SCENARIOS),
    ("mesoshttp", mesoshttp::SCENARIOS),
    ("avmesos", mesoshttp::SCENARIOS),
    ("mesos-framework", node::SCENARIOS),
    ("chronos-python", chronos::SCENARIOS),
];

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for (name, scenarios) in SCENARIOS {
        let found = Library::find(name);
        if let Err(reason) = &found {
            eprintln!("NOT RUN: {name}: {reason}");
        }
        for (scenario, run) in *scenarios {
            let (library, title) = (found.clone().ok(), format!("{name}::{scenario}"));
            let is_missing = library.is_none();
            let trial = Trial::test(title, move || {
                library.iter().for_each(run);
                Ok(())
            });
            trials.push(trial.with_ignored_flag(is_missing));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
