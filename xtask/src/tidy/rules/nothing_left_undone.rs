//! No stub is called done.

use crate::tidy::tree::Tree;
use crate::tidy::{Finding, Rule};

pub(crate) const RULE: Rule =
    Rule { name: "nothing-left-undone", check, bad: &[("orch-net/src/a.rs", "// TODO: the rest\n")] };

const MARKS: &[&str] = &["TODO", "FIXME", "XXX", "todo!(", "unimplemented!(", "allow(dead_code", "#[ignore]"];

fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust() {
        for (index, line) in text.lines().enumerate() {
            if let Some(mark) = MARKS.iter().find(|mark| line.contains(**mark)) {
                let message = format!("{mark}: finish it, or write down why it is absent");
                findings.push(Finding { path: path.to_owned(), line: index + 1, message });
            }
        }
    }
    findings
}
