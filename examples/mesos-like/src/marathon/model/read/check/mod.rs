//! Whether an app can be what it says.

mod amounts;
mod constraints;
mod container;
mod health;
mod ports;
mod program;
mod strategy;

use std::collections::BTreeSet;

use super::findings::Findings;
use crate::marathon::model::{App, Volume};

/// Whether an app can be what it says. Nothing is said of fields that could not be read.
pub(super) fn app(app: &App, findings: &mut Findings) {
    program::check(app, findings);
    amounts::check(app, findings);
    constraints::check(app, findings);
    container::check(app, findings);
    ports::check(app, findings);
    health::check(app, findings);
    strategy::check(app, findings);
    if let Some(dependency) = app.dependencies.iter().find(|dependency| app.id.is_within(dependency)) {
        findings
            .add("/dependencies", format!("{dependency} cannot be deployed before {}, which is part of it", app.id));
    }
}

/// Whether an app can become another one: what is reserved for instances with disks stays as it is.
pub(super) fn change(from: &App, to: &App, findings: &mut Findings) {
    if !from.is_resident() {
        return;
    }
    let why = "instances have it reserved, with their disks: delete the app, or name the new one otherwise";
    for (path, is_same) in [
        ("/cpus", from.cpus == to.cpus),
        ("/mem", from.mem == to.mem),
        ("/disk", from.disk == to.disk),
        ("/gpus", from.gpus == to.gpus),
        ("/container/volumes", disks(from) == disks(to)),
    ] {
        if !is_same {
            findings.add(path, format!("it cannot be changed: {why}"));
        }
    }
}

fn disks(app: &App) -> Vec<&Volume> {
    let volumes = app.container.iter().flat_map(|container| &container.volumes);
    volumes.filter(|volume| volume.persistent.is_some()).collect()
}

/// The texts that are there a second time, with where they are.
fn repeated<'a>(texts: impl Iterator<Item = (usize, &'a str)>) -> Vec<(usize, &'a str)> {
    let mut seen = BTreeSet::new();
    texts.filter(|(_, text)| !seen.insert(*text)).collect()
}
