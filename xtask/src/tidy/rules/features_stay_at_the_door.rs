//! A feature is a folder: its `cfg` stands at a `mod` or `pub use` line and nowhere else.

use crate::tidy::tree::Tree;
use crate::tidy::{Finding, Rule};

pub(crate) const RULE: Rule = Rule {
    name: "features-stay-at-the-door",
    check,
    bad: &[(
        "orch-store/src/lib.rs",
        "#[cfg(feature = \"etcd\")]\npub mod etcd;\n#[cfg(feature = \"etcd\")]\nfn f() {}\n",
    )],
};

fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust() {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (index, line) in lines.iter().enumerate() {
            if !line.contains("cfg(feature") {
                continue;
            }
            let next = lines[index + 1..].iter().find(|line| !line.starts_with("#[") && !line.starts_with("//"));
            let at_the_door = next.is_some_and(|line| {
                ["mod ", "pub mod ", "pub(crate) mod ", "pub use "].iter().any(|start| line.starts_with(start))
            });
            if !at_the_door {
                let message = "a feature's cfg belongs at a `mod` or `pub use` line only".to_owned();
                findings.push(Finding { path: path.to_owned(), line: index + 1, message });
            }
        }
    }
    findings
}
