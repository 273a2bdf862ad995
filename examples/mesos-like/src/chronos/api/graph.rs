//! Which job runs after which, for programs that draw.

use http::StatusCode;

use crate::chronos::core::Chronos;
use crate::http::{Answer, empty, text};

/// Jobs and links as lines of commas: `node,NAME,success|failure|fresh,STATE` and `link,PARENT,CHILD`.
pub(super) fn csv(chronos: &Chronos) -> Answer {
    let mut lines = String::new();
    for job in chronos.jobs() {
        lines.push_str(&format!("node,{},{},{}\n", job.definition.name, job.last_state().text(), job.activity()));
    }
    for (parent, child) in links(chronos) {
        lines.push_str(&format!("link,{parent},{child}\n"));
    }
    // A client takes an answer for a failure that says nothing and does not say so.
    if lines.is_empty() { empty(StatusCode::NO_CONTENT) } else { text(StatusCode::OK, lines) }
}

/// The same in the language of Graphviz.
pub(super) fn dot(chronos: &Chronos) -> Answer {
    let mut lines = "digraph G {\n".to_owned();
    for job in chronos.jobs() {
        lines.push_str(&format!("  \"{}\";\n", job.definition.name));
    }
    for (parent, child) in links(chronos) {
        lines.push_str(&format!("  \"{parent}\" -> \"{child}\";\n"));
    }
    lines.push_str("}\n");
    text(StatusCode::OK, lines)
}

fn links(chronos: &Chronos) -> impl Iterator<Item = (&str, &str)> {
    chronos.jobs().flat_map(|job| {
        let parents = job.definition.parents().into_iter().flatten();
        parents.map(|parent| (parent.as_str(), job.definition.name.as_str()))
    })
}
