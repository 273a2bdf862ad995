//! What is run.

use super::super::findings::Findings;
use crate::marathon::model::App;

pub(super) fn check(app: &App, findings: &mut Findings) {
    runs_something(app, findings);
    if !app.executor.is_empty() {
        let message = format!("{:?}: instances are run by the agent's own executor: leave it out", app.executor);
        findings.add("/executor", message);
    }
    no_nul("/cmd", app.cmd.as_deref(), findings);
    no_nul("/user", app.user.as_deref(), findings);
    for (index, argument) in app.args.iter().flatten().enumerate() {
        no_nul(&format!("/args({index})"), Some(argument), findings);
    }
    for (name, value) in &app.env {
        if name.is_empty() || name.contains('=') {
            findings.add(&format!("/env/{name}"), "a variable has a name, without '='");
        }
        no_nul(&format!("/env/{name}"), Some(name), findings);
        no_nul(&format!("/env/{name}"), Some(value), findings);
    }
    if app.user.as_deref() == Some("") {
        findings.add("/user", "it is empty: leave it out");
    }
    for (index, fetch) in app.fetch.iter().enumerate() {
        if fetch.uri.trim().is_empty() {
            findings.add(&format!("/fetch({index})/uri"), "it is empty");
        }
    }
}

fn runs_something(app: &App, findings: &mut Findings) {
    if !findings.have_read(&["cmd", "args", "container"]) {
        return;
    }
    let has_image = app.container.as_ref().is_some_and(|container| container.docker.is_some());
    match (&app.cmd, &app.args) {
        (Some(_), Some(_)) => findings.add("/args", "`cmd` says what is run, too: leave one of them out"),
        (None, None) if !has_image => {
            findings
                .add("/", "nothing says what is run: there has to be `cmd`, `args`, or a `container` with an image");
        }
        (Some(line), None) if line.trim().is_empty() => findings.add("/cmd", "it is empty"),
        (None, Some(words)) if !has_image && words.first().is_some_and(String::is_empty) => {
            findings.add("/args(0)", "it is the program, and empty");
        }
        _ => {}
    }
}

/// No program can be given one.
fn no_nul(path: &str, text: Option<&str>, findings: &mut Findings) {
    if text.is_some_and(|text| text.contains('\0')) {
        findings.add(path, "there is a NUL in it");
    }
}
