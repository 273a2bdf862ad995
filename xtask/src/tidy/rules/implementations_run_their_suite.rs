//! A crate that implements a contract runs that contract's suite.

use crate::tidy::tree::{Tree, without_tests};
use crate::tidy::{Finding, Rule};

pub(crate) const RULE: Rule = Rule {
    name: "implementations-run-their-suite",
    check,
    bad: &[("orch-net/src/a.rs", "impl ServiceProxy for TableProxy {}\n")],
};

const SUITES: &[(&str, &str)] = &[
    (" Store for ", "store_suite!"),
    (" Scheduler for ", "scheduler_suite!"),
    (" Allocator for ", "allocator_suite!"),
    (" Controller for ", "controller_suite!"),
    (" Runtime for ", "runtime_suite!"),
    (" Interactive for ", "interactive_suite!"),
    (" Images for ", "images_suite!"),
    (" ServiceProxy for ", "proxy_suite!"),
    (" PodRoutes for ", "routes_suite!"),
    (" Volumes for ", "volumes_suite!"),
];

fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree
        .rust()
        .filter(|(path, _)| path.starts_with("orch-") && path.contains("/src/") && !path.ends_with("/tests.rs"))
    {
        let Some(package) = path.split('/').next().filter(|package| *package != "orch-testkit") else { continue };
        for (index, line) in without_tests(text).lines().enumerate().filter(|(_, line)| line.starts_with("impl")) {
            for (implementation, suite) in SUITES {
                let runs = || tree.rust().any(|(path, text)| path.starts_with(package) && text.contains(suite));
                if line.contains(implementation) && !runs() {
                    let message = format!("run the contract's suite on it: {suite} in {package}/tests");
                    findings.push(Finding { path: path.to_owned(), line: index + 1, message });
                }
            }
        }
    }
    findings
}
