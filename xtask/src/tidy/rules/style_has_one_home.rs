//! Every package takes its lints, edition and licence from the workspace.

use crate::tidy::tree::Tree;
use crate::tidy::{Finding, Rule};

pub(crate) const RULE: Rule = Rule {
    name: "style-has-one-home",
    check,
    bad: &[("orch-net/Cargo.toml", "[package]\nedition.workspace = true\nlicense.workspace = true\n")],
};

fn check(tree: &Tree) -> Vec<Finding> {
    let wanted = ["[lints]\nworkspace = true", "edition.workspace = true", "license.workspace = true"];
    let mut findings = Vec::new();
    for (path, text) in tree.ending("/Cargo.toml").filter(|(path, _)| !path.starts_with("benches/")) {
        for line in wanted.iter().filter(|line| !text.contains(**line)) {
            let message = format!("the manifest needs `{}`", line.replace('\n', " "));
            findings.push(Finding { path: path.to_owned(), line: 0, message });
        }
    }
    findings
}
