//! What stands in documentation compiles and runs.

use crate::tidy::tree::Tree;
use crate::tidy::{Finding, Rule};

pub(crate) const RULE: Rule = Rule {
    name: "docs-run",
    check,
    bad: &[("orch-core/src/a.rs", "/// ```ignore\n/// nothing();\n/// ```\nfn a() {}\n")],
};

fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust().chain(tree.ending(".md")) {
        for (index, line) in text.lines().enumerate() {
            let code = line.trim_start_matches(['/', '!', ' ']);
            if code.starts_with("```") && code.contains("ignore") {
                let message = "an example that is not compiled rots: make it compile, or use `text`".to_owned();
                findings.push(Finding { path: path.to_owned(), line: index + 1, message });
            }
        }
    }
    findings
}
