//! A public error enum can get new variants without breaking its users.

use crate::tidy::tree::Tree;
use crate::tidy::{Finding, Rule};

pub(crate) const RULE: Rule = Rule {
    name: "error-enums-grow",
    check,
    bad: &[("orch-net/src/error.rs", "#[derive(Debug, thiserror::Error)]\npub enum E {\n    A,\n}\n")],
};

fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust().filter(|(path, _)| path.starts_with("orch-")) {
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            if !line.starts_with("pub enum ") {
                continue;
            }
            let attributes = || lines[..index].iter().rev().take_while(|line| line.starts_with("#["));
            let is_error = attributes().any(|line| line.contains("derive") && line.contains("Error"));
            if is_error && !attributes().any(|line| *line == "#[non_exhaustive]") {
                let message = "a public error enum needs #[non_exhaustive]".to_owned();
                findings.push(Finding { path: path.to_owned(), line: index + 1, message });
            }
        }
    }
    findings
}
