//! A helper lives beside its only user or gets a noun: there is no drawer for the rest.

use crate::tidy::tree::Tree;
use crate::tidy::{Finding, Rule};

pub(crate) const RULE: Rule =
    Rule { name: "no-drawers", check, bad: &[("orch-store/src/util/mod.rs", "//! Things.\n")] };

fn check(tree: &Tree) -> Vec<Finding> {
    let is_drawer = |part: &str| {
        let name = part.strip_suffix(".rs").unwrap_or(part);
        ["util", "utils", "common", "helper", "helpers", "misc"].contains(&name)
    };
    tree.rust()
        .filter(|(path, _)| path.split('/').any(is_drawer))
        .map(|(path, _)| Finding {
            path: path.to_owned(),
            line: 0,
            message: "name the file after what is in it, or put it beside its user".to_owned(),
        })
        .collect()
}
