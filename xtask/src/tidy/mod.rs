//! The house rules that a program can check. Each rule has a bad sample that it must reject, in its own file.

mod rules;
mod tree;

use std::fmt;
use std::path::Path;

pub(crate) use tree::Tree;

use crate::command::Failed;

/// A breach of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The file.
    path: String,
    /// The line, from 1; 0 for the whole file.
    line: usize,
    /// What is wrong, and what to do.
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, message } = self;
        if *line == 0 { write!(f, "{path}: {message}") } else { write!(f, "{path}:{line}: {message}") }
    }
}

/// A rule: what it is called, what it looks for, and a tree that it must reject.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) check: fn(&Tree) -> Vec<Finding>,
    /// Path and text of the files of a tree that breaks this rule once.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the tests alone, but kept beside the rule"))]
    pub(crate) bad: &'static [(&'static str, &'static str)],
}

/// Checks the working tree against every rule.
pub(crate) fn run(root: &Path) -> Result<(), Failed> {
    let tree = Tree::read(root).map_err(|error| Failed(format!("cannot read the working tree: {error}")))?;
    let mut count = 0;
    for rule in rules::ALL {
        for finding in (rule.check)(&tree) {
            eprintln!("{finding} [{}]", rule.name);
            count += 1;
        }
    }
    match count {
        0 => {
            eprintln!("xtask: tidy, {} rules over {} files", rules::ALL.len(), tree.len());
            Ok(())
        }
        count => Err(Failed(format!("tidy found {count} breaches of the house rules"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_rejects_its_bad_sample() {
        for rule in rules::ALL {
            let tree = Tree::from_files(rule.bad);
            assert_eq!((rule.check)(&tree).len(), 1, "{} finds its bad sample once", rule.name);
        }
    }

    #[test]
    fn a_finding_names_file_and_line() {
        let finding = Finding { path: "a.rs".into(), line: 3, message: "is wrong".into() };
        assert_eq!(finding.to_string(), "a.rs:3: is wrong");
    }
}
