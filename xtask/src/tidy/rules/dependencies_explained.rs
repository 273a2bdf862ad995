//! Every dependency has its reason in `docs/architecture.md`.

use crate::tidy::tree::{Tree, names_in_section};
use crate::tidy::{Finding, Rule};

pub(crate) const RULE: Rule = Rule {
    name: "dependencies-explained",
    check,
    bad: &[
        ("Cargo.toml", "[workspace.dependencies]\nserde = \"1\"\nleft-pad = \"1\"\n"),
        ("docs/architecture.md", "| `serde` | reads and writes objects |\n"),
    ],
};

fn check(tree: &Tree) -> Vec<Finding> {
    let (Some(manifest), Some(explained)) = (tree.text("Cargo.toml"), tree.text("docs/architecture.md")) else {
        return Vec::new();
    };
    names_in_section(manifest, "workspace.dependencies")
        .into_iter()
        .filter(|(_, name)| !name.starts_with("orch-") && !explained.contains(&format!("`{name}`")))
        .map(|(line, name)| Finding {
            path: "Cargo.toml".to_owned(),
            line,
            message: format!("say in docs/architecture.md why `{name}` is needed"),
        })
        .collect()
}
