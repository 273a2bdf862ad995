//! Only implementations of the five contracts are called Store, Scheduler, Controller, Runtime and Proxy.

use crate::tidy::tree::Tree;
use crate::tidy::{Finding, Rule};

pub(crate) const RULE: Rule = Rule {
    name: "contract-names",
    check,
    bad: &[(
        "orch-net/src/a.rs",
        "pub struct RouteStore;\nimpl ServiceProxy for TableProxy {}\npub struct TableProxy;\n",
    )],
};

const CONTRACTS: &[(&str, &str)] = &[
    ("Store", "Store"),
    ("Scheduler", "Scheduler"),
    ("Controller", "Controller"),
    ("Runtime", "Runtime"),
    ("Proxy", "ServiceProxy"),
];

fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust() {
        for (index, line) in text.lines().enumerate() {
            let Some(name) = declared_type(line) else { continue };
            for (suffix, contract) in CONTRACTS {
                let implemented = || {
                    tree.rust().any(|(_, text)| {
                        text.lines().any(|line| {
                            line.contains(&format!("{contract} for {name}")) && line.trim_start().starts_with("impl")
                        })
                    })
                };
                if name.ends_with(suffix) && !implemented() {
                    let message =
                        format!("{name} is no {contract}: only implementations of the contract are called so");
                    findings.push(Finding { path: path.to_owned(), line: index + 1, message });
                }
            }
        }
    }
    findings
}

fn declared_type(line: &str) -> Option<&str> {
    let rest = ["pub struct ", "pub(crate) struct ", "struct ", "pub enum ", "enum "]
        .iter()
        .find_map(|start| line.strip_prefix(start))?;
    let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
    Some(&rest[..end])
}
