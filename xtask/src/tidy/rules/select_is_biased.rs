//! `tokio::select!` tries its branches in the order written, so that a seed replays a run.

use crate::tidy::tree::Tree;
use crate::tidy::{Finding, Rule};

pub(crate) const RULE: Rule = Rule {
    name: "select-is-biased",
    check,
    bad: &[("orch-net/src/a.rs", "fn f() {\n    tokio::select! {\n        _ = a => {}\n    }\n}\n")],
};

fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust() {
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let Some((before, inside)) = line.split_once("select! {") else { continue };
            let next =
                if inside.trim().is_empty() { lines.get(index + 1).copied().unwrap_or_default() } else { inside };
            if !before.trim_start().starts_with("//") && !next.trim_start().starts_with("biased;") {
                let message = "begin with `biased;`: the default takes branches in random order".to_owned();
                findings.push(Finding { path: path.to_owned(), line: index + 1, message });
            }
        }
    }
    findings
}
