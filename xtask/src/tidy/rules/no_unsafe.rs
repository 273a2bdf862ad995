//! Every crate forbids unsafe code.

use crate::tidy::tree::Tree;
use crate::tidy::{Finding, Rule};

pub(crate) const RULE: Rule = Rule { name: "no-unsafe", check, bad: &[("orch-net/src/lib.rs", "//! A crate.\n")] };

fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust()
        .filter(|(path, _)| {
            path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs") || path.contains("/src/bin/")
        })
        .filter(|(_, text)| !text.contains("#![forbid(unsafe_code)]"))
        .map(|(path, _)| Finding {
            path: path.to_owned(),
            line: 0,
            message: "a crate's root needs #![forbid(unsafe_code)]".to_owned(),
        })
        .collect()
}
