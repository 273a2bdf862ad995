//! Links between documents lead somewhere.

use crate::tidy::tree::Tree;
use crate::tidy::{Finding, Rule};

pub(crate) const RULE: Rule =
    Rule { name: "links-resolve", check, bad: &[("docs/a.md", "See [b](b.md) and [a](a.md#top).\n")] };

fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".md") {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (index, line) in text.lines().enumerate() {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next()) {
                let known_ending = target.rsplit_once('.').is_none_or(|(_, end)| ["md", "rs", "toml"].contains(&end));
                let checked = !target.is_empty() && !target.contains(':') && known_ending;
                if checked && !tree.has(&resolve(folder, target)) {
                    let message = format!("the link to {target} leads nowhere");
                    findings.push(Finding { path: path.to_owned(), line: index + 1, message });
                }
            }
        }
    }
    findings
}

fn resolve(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}
