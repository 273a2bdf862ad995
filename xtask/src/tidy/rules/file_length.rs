//! A file holds one concept; one that does not fit in this many lines holds several.

use crate::tidy::tree::{Tree, without_tests};
use crate::tidy::{Finding, Rule};

/// Lines before the unit tests.
const MOST: usize = 500;

pub(crate) const RULE: Rule = Rule { name: "file-length", check, bad: &[("orch-core/src/long.rs", LONG)] };

fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust()
        .map(|(path, text)| (path, without_tests(text).lines().count()))
        .filter(|(_, lines)| *lines > MOST)
        .map(|(path, lines)| Finding {
            path: path.to_owned(),
            line: 0,
            message: format!("{lines} lines before the tests, at most {MOST}: which of them are another concept?"),
        })
        .collect()
}

/// One line too many.
const LONG: &str = match std::str::from_utf8(&[b'\n'; MOST + 1]) {
    Ok(text) => text,
    Err(_) => "",
};
