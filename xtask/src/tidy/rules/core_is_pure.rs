//! `orch-core` depends on no client and on no async runtime.

use crate::tidy::tree::{Tree, names_in_section};
use crate::tidy::{Finding, Rule};

pub(crate) const RULE: Rule = Rule {
    name: "core-is-pure",
    check,
    bad: &[("orch-core/Cargo.toml", "[dependencies]\nserde.workspace = true\ntokio = \"1\"\n")],
};

/// What is neither a client nor does I/O. To add one here, say in docs/architecture.md why it belongs in the core.
const ALLOWED: &[&str] = &[
    "async-trait",
    "bytes",
    "futures",
    "jiff",
    "serde",
    "serde-saphyr",
    "serde_json",
    "serde_path_to_error",
    "thiserror",
];

fn check(tree: &Tree) -> Vec<Finding> {
    let path = "orch-core/Cargo.toml";
    let Some(manifest) = tree.text(path) else { return Vec::new() };
    names_in_section(manifest, "dependencies")
        .into_iter()
        .filter(|(_, name)| !ALLOWED.contains(name))
        .map(|(line, name)| Finding {
            path: path.to_owned(),
            line,
            message: format!("orch-core must not depend on {name}: it holds contracts, not clients and runtimes"),
        })
        .collect()
}
