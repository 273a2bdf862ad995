//! An app from what was written, step by step: its form, older ways, what is not said, and whether all of it can be.

use serde_json::{Map, Value};

use super::findings::Findings;
use super::{ReadError, check, complete, fields, old, shape};
use crate::marathon::model::{App, AppId};

/// The longest id of an app: with what tells its instances apart it is the id of a task, which has at most 255 letters.
const LONGEST_ID: usize = 190;

/// The fields of a body.
pub(super) fn object(body: Value) -> Result<Map<String, Value>, ReadError> {
    match body {
        Value::Object(given) => Ok(given),
        _ => Err(ReadError::Malformed("the body is no JSON object: it begins with '{'".to_owned())),
    }
}

/// A new app; none if it makes no sense to look on.
pub(super) fn new(
    given: Map<String, Value>,
    group: &AppId,
    id: Option<&AppId>,
    findings: &mut Findings,
) -> Option<App> {
    let mut given = shape::fields(given, fields::APP, findings);
    old::translate(&mut given, findings);
    identify(&mut given, group, id, findings);
    read(given, findings)
}

/// An app of which some fields are replaced.
pub(super) fn changed(existing: &App, given: Map<String, Value>, findings: &mut Findings) -> Option<App> {
    let back: Vec<String> = given.iter().filter(|(_, value)| value.is_null()).map(|(name, _)| name.clone()).collect();
    let mut given = shape::fields(given, fields::APP, findings);
    old::translate(&mut given, findings);
    identify(&mut given, &AppId::root(), Some(&existing.id), findings);
    let Ok(Value::Object(mut whole)) = serde_json::to_value(existing) else { return None };
    for name in back {
        whole.remove(old::new_name(&name));
    }
    if given.contains_key("networks") && !given.contains_key("portDefinitions") && !complete::is_in_host_network(&given)
    {
        whole.remove("portDefinitions");
    }
    whole.extend(given);
    let app = read(whole, findings)?;
    check::change(existing, &app, findings);
    Some(App { version: existing.version, version_info: existing.version_info, ..app })
}

/// Makes the ids in an app absolute.
fn identify(given: &mut Map<String, Value>, group: &AppId, known: Option<&AppId>, findings: &mut Findings) {
    let id = own_id(given.remove("id"), group, known, findings);
    match &id {
        Some(id) if id.is_root() => {
            findings.add("/id", "\"/\" is the group in which all others are: name an app in it")
        }
        Some(id) if id.as_str().len() > LONGEST_ID => {
            findings.add("/id", format!("it is longer than {LONGEST_ID} letters"));
        }
        Some(_) => {}
        None => findings.unread("id"),
    }
    // What is wrong with the rest is to be found in an app without an id, too.
    let id = id.unwrap_or_else(AppId::root);
    given.insert("id".to_owned(), id.as_str().into());
    absolute_dependencies(given, group, findings);
}

/// The id that something has in its group: the one that it says, or the one that is known.
pub(super) fn own_id(
    said: Option<Value>,
    group: &AppId,
    known: Option<&AppId>,
    findings: &mut Findings,
) -> Option<AppId> {
    let said = said.as_ref().and_then(Value::as_str);
    let (text, known) = match (said, known) {
        (None, Some(known)) => return Some(known.clone()),
        (None, None) => {
            if findings.have_read(&["id"]) {
                findings.add("/id", "it has to be there");
            }
            return None;
        }
        (Some(said), known) => (said, known),
    };
    match (AppId::within(group, text), known) {
        (Ok(id), Some(known)) if id != *known => {
            findings.add("/id", format!("it is {id}, and the request is for {known}: leave it out"));
            None
        }
        (Ok(id), _) => Some(id),
        (Err(error), _) => {
            findings.add("/id", error.to_string());
            None
        }
    }
}

/// Makes the ids of dependencies absolute.
pub(super) fn absolute_dependencies(given: &mut Map<String, Value>, group: &AppId, findings: &mut Findings) {
    let Some(Value::Array(all)) = given.get_mut("dependencies") else { return };
    let mut wrong = Vec::new();
    for (index, dependency) in all.iter_mut().enumerate() {
        match AppId::within(group, dependency.as_str().unwrap_or_default()) {
            Ok(id) => *dependency = id.as_str().into(),
            Err(error) => wrong.push((index, error)),
        }
    }
    if !wrong.is_empty() {
        given.remove("dependencies");
        findings.unread("dependencies");
    }
    for (index, error) in wrong {
        findings.add(&format!("/dependencies({index})"), error.to_string());
    }
}

/// An app from fields that have their form.
fn read(mut whole: Map<String, Value>, findings: &mut Findings) -> Option<App> {
    complete::complete(&mut whole, findings);
    match serde_path_to_error::deserialize::<_, App>(Value::Object(whole)) {
        Ok(app) => {
            check::app(&app, findings);
            Some(app)
        }
        Err(error) => {
            let path = error.path().to_string().replace('.', "/").replace('[', "(").replace(']', ")");
            findings.add(&format!("/{path}"), error.into_inner().to_string());
            None
        }
    }
}
