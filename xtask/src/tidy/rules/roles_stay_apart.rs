//! Role crates know the core alone; only examples and the test kit see several of them.

use crate::tidy::tree::{Tree, names_in_section};
use crate::tidy::{Finding, Rule};

pub(crate) const RULE: Rule = Rule {
    name: "roles-stay-apart",
    check,
    bad: &[("orch-sched/Cargo.toml", "[dependencies]\norch-core.workspace = true\norch-store.workspace = true\n")],
};

const ROLES: &[&str] = &["orch-store", "orch-sched", "orch-controllers", "orch-runtime", "orch-net", "orch-testkit"];

fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for role in ROLES {
        let path = format!("{role}/Cargo.toml");
        let Some(manifest) = tree.text(&path) else { continue };
        for (line, name) in names_in_section(manifest, "dependencies") {
            if ROLES.contains(&name) {
                let message = format!("{role} must not depend on {name}: meet in orch-core, or in a dev-dependency");
                findings.push(Finding { path: path.clone(), line, message });
            }
        }
    }
    findings
}
