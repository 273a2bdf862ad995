//! [`Group`]: groups as people write them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::findings::Findings;
use super::{app, fields, shape};
use crate::marathon::model::{App, AppId, Version};

/// What is to become of a group.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupChange {
    /// All its apps run so many times as often.
    ScaleBy(f64),
    /// It is as it was then.
    RollBack(Version),
    /// It is this.
    Put(Group),
}

/// Apps and groups that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Where it is.
    pub id: AppId,
    /// The apps in it.
    pub apps: Vec<App>,
    /// The groups in it.
    pub groups: Vec<Group>,
    /// What is deployed before it.
    pub dependencies: BTreeSet<AppId>,
}

/// The largest factor: what is larger was not meant.
const LARGEST_FACTOR: f64 = 10_000.0;

/// What is to become of a group; none if it makes no sense to look on.
pub(super) fn change(
    given: Map<String, Value>,
    parent: &AppId,
    id: Option<&AppId>,
    findings: &mut Findings,
) -> Option<GroupChange> {
    let mut given = shape::fields(given, fields::GROUP, findings);
    let (factor, version) = (given.remove("scaleBy"), given.remove("version"));
    let says_more =
        given.iter().any(|(name, value)| name != "id" && value.as_array().is_some_and(|all| !all.is_empty()));
    match (factor.as_ref().and_then(Value::as_f64), version.as_ref().and_then(Value::as_str)) {
        (None, None) => group(given, parent, id, &mut BTreeSet::new(), findings).map(GroupChange::Put),
        (Some(_), Some(_)) => {
            findings.add("/scaleBy", "the group goes back to `version`: leave one of them out");
            None
        }
        (Some(_), None) if says_more => {
            findings.add("/scaleBy", "the group is replaced by what else is here: leave one of them out");
            None
        }
        (None, Some(_)) if says_more => {
            let message = "the group would be what it was then, and not what else is here: leave one of them out";
            findings.add("/version", message);
            None
        }
        (Some(factor), None) => {
            if !(0.0..=LARGEST_FACTOR).contains(&factor) {
                findings.add("/scaleBy", format!("{factor} is not from 0 to {LARGEST_FACTOR}"));
            }
            Some(GroupChange::ScaleBy(factor))
        }
        (None, Some(version)) => match version.parse() {
            Ok(version) => Some(GroupChange::RollBack(version)),
            Err(error) => {
                findings.add("/version", error);
                None
            }
        },
    }
}

/// A group, whose fields have their form.
fn group(
    mut given: Map<String, Value>,
    parent: &AppId,
    id: Option<&AppId>,
    named: &mut BTreeSet<AppId>,
    findings: &mut Findings,
) -> Option<Group> {
    let Some(id) = app::own_id(given.remove("id"), parent, id, findings) else {
        // Where its apps are depends on where it is.
        return None;
    };
    is_new(&id, parent, named, findings);
    app::absolute_dependencies(&mut given, &id, findings);
    let dependencies: BTreeSet<AppId> = texts(&given, "dependencies").filter_map(|text| text.parse().ok()).collect();
    if let Some(dependency) = dependencies.iter().find(|dependency| id.is_within(dependency)) {
        findings.add("/dependencies", format!("{dependency} cannot be deployed before {id}, which is part of it"));
    }
    let apps = parts(&mut given, "apps", findings, |given, findings| {
        let app = app::new(given, &id, None, findings)?;
        if findings.have_read(&["id"]) {
            is_new(&app.id, &id, named, findings);
        }
        Some(app)
    });
    let groups = parts(&mut given, "groups", findings, |given, findings| {
        let mut given = shape::fields(given, fields::GROUP, findings);
        given.remove("version");
        if given.remove("scaleBy").is_some() {
            findings.add("/scaleBy", "only a whole group is scaled: ask for it at the group's own path");
        }
        group(given, &id, None, named, findings)
    });
    Some(Group { id, apps, groups, dependencies })
}

/// The apps or groups of a group, with what is wrong with each at its own path.
fn parts<T>(
    given: &mut Map<String, Value>,
    name: &str,
    findings: &mut Findings,
    mut read: impl FnMut(Map<String, Value>, &mut Findings) -> Option<T>,
) -> Vec<T> {
    let Some(Value::Array(all)) = given.remove(name) else { return Vec::new() };
    let mut parts = Vec::new();
    for (index, part) in all.into_iter().enumerate() {
        let Value::Object(part) = part else {
            findings.add(&format!("/{name}({index})"), "an object is wanted");
            continue;
        };
        let mut within = findings.within(&format!("/{name}({index})"));
        parts.extend(read(part, &mut within));
        findings.take(within);
    }
    parts
}

/// Notes an id, which must be in its group and nobody else's.
fn is_new(id: &AppId, group: &AppId, named: &mut BTreeSet<AppId>, findings: &mut Findings) {
    if !id.is_within(group) {
        findings.add("/id", format!("{id} is not in the group {group}: write it relative to the group"));
    }
    if !named.insert(id.clone()) {
        findings.add("/id", format!("{id} is named twice"));
    }
}

fn texts<'a>(given: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a str> {
    given.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}
