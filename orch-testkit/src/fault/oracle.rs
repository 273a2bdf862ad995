//! What a run leaves behind, and how it is compared with what a run without faults leaves behind.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::key::Key;
use orch_core::store::Entry;
use serde_json::Value;

use super::plan::Fault;
use super::player::{Broken, Player};
use super::report::Oracle;
use super::{MASKED, TOUCHED};

/// What a run leaves behind.
#[derive(Debug)]
pub(super) struct End {
    /// The objects as JSON, masked.
    objects: BTreeMap<Key, Value>,
    /// For each key, how often an object was created there and how often one was removed.
    changes: BTreeMap<Key, (usize, usize)>,
    /// The key of the object that manages each object, as long as it had one.
    owners: BTreeMap<Key, String>,
    outside: Vec<(&'static str, String)>,
}

impl End {
    pub(super) fn of(player: &Player<'_>) -> Self {
        let history = &player.cluster.history;
        let mut end = Self {
            objects: BTreeMap::new(),
            changes: BTreeMap::new(),
            owners: BTreeMap::new(),
            outside: player.system.outside.iter().map(|(name, state)| (*name, state())).collect(),
        };
        for position in 0..history.len() {
            let Some(write) = history.write(position) else { continue };
            let counts = end.changes.entry(write.key.clone()).or_default();
            match (&write.before, &write.after) {
                (None, Some(_)) => counts.0 += 1,
                (Some(_), None) => counts.1 += 1,
                _ => {}
            }
            if let (Some(entry), None) = (&write.before, &write.after) {
                end.owners.extend(manager(&metadata(entry)).map(|owner| (write.key, owner)));
            }
        }
        for entry in player.cluster.entries() {
            let mut value = json(&entry);
            end.owners.extend(manager(&value["metadata"]).map(|owner| (entry.key.clone(), owner)));
            mask(&mut value);
            end.objects.insert(entry.key.clone(), value);
        }
        end
    }

    /// Compares with the end of a run without faults.
    pub(super) fn compare(&self, expected: &Self, faults: &[Fault]) -> Result<(), Broken> {
        let blurred = faults.iter().any(|fault| fault.blurs());
        self.compare_outside(expected)?;
        if blurred {
            self.compare_shape(expected)?
        } else {
            self.compare_objects(expected)?
        }
        if faults.iter().any(|fault| fault.excuses_detours()) {
            return Ok(());
        }
        self.compare_changes(expected, blurred)
    }

    fn compare_outside(&self, expected: &Self) -> Result<(), Broken> {
        for ((name, found), (_, expected)) in self.outside.iter().zip(&expected.outside) {
            if found != expected {
                return end_differs(format!("{name} is {found}, without faults it is {expected}"));
            }
        }
        Ok(())
    }

    fn compare_objects(&self, expected: &Self) -> Result<(), Broken> {
        let keys: BTreeSet<&Key> = self.objects.keys().chain(expected.objects.keys()).collect();
        for key in keys {
            match (self.objects.get(key), expected.objects.get(key)) {
                (Some(found), Some(expected)) => {
                    if let Some(difference) = difference("", found, expected) {
                        return end_differs(format!("{key}{difference}"));
                    }
                }
                (None, _) => return end_differs(format!("there is no {key}, without faults there is")),
                (_, None) => return end_differs(format!("there is {key}, without faults there is not")),
            }
        }
        Ok(())
    }

    /// Objects that nobody manages are compared field by field, the others by number.
    fn compare_shape(&self, expected: &Self) -> Result<(), Broken> {
        let unmanaged = |end: &Self| Self {
            objects: end.objects.iter().filter(|(key, _)| !end.owners.contains_key(*key)).map(cloned).collect(),
            changes: BTreeMap::new(),
            owners: BTreeMap::new(),
            outside: Vec::new(),
        };
        unmanaged(self).compare_objects(&unmanaged(expected))?;
        let numbers = |end: &Self| {
            let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
            for key in end.objects.keys().filter(|key| end.owners.contains_key(*key)) {
                *numbers.entry(end.group(key)).or_default() += 1;
            }
            numbers
        };
        let (found, expected) = (numbers(self), numbers(expected));
        if found == expected {
            return Ok(());
        }
        end_differs(format!("the numbers of managed objects are {found:?}, without faults they are {expected:?}"))
    }

    fn compare_changes(&self, expected: &Self, blurred: bool) -> Result<(), Broken> {
        let count = |end: &Self| {
            let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
            for (key, (creates, removals)) in &end.changes {
                let name = if blurred { end.group(key) } else { key.to_string() };
                let counted = counts.entry(name).or_default();
                counted.0 += creates;
                counted.1 += removals;
            }
            counts.retain(|_, counted| *counted != (0, 0));
            counts
        };
        let (found, expected) = (count(self), count(expected));
        for name in found.keys().chain(expected.keys()) {
            let [found, expected] = [&found, &expected].map(|counts| counts.get(name).copied().unwrap_or_default());
            if found != expected {
                let message = format!(
                    "{name} was created {} and removed {} times, without faults {} and {}",
                    found.0, found.1, expected.0, expected.1
                );
                return Err(Broken { oracle: Oracle::Counts, message });
            }
        }
        Ok(())
    }

    /// What a managed object is counted under.
    fn group(&self, key: &Key) -> String {
        match self.owners.get(key) {
            Some(owner) => format!("{} of {owner}", key.collection()),
            None => key.to_string(),
        }
    }
}

fn cloned((key, value): (&Key, &Value)) -> (Key, Value) {
    (key.clone(), value.clone())
}

fn end_differs(message: String) -> Result<(), Broken> {
    Err(Broken { oracle: Oracle::EndState, message })
}

fn json(entry: &Entry) -> Value {
    let text = entry.value.encode().unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// The name of the object that manages the one with this metadata.
fn manager(metadata: &Value) -> Option<String> {
    let owners = metadata["ownerReferences"].as_array()?;
    owners.iter().find(|owner| owner["controller"] == true)?["name"].as_str().map(str::to_owned)
}

/// The metadata of an object of any type.
pub(super) fn metadata(entry: &Entry) -> Value {
    json(entry)["metadata"].take()
}

/// Takes out what may differ between two runs that are both right; see [`MASKED`].
fn mask(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove(TOUCHED);
            for (name, field) in fields.iter_mut() {
                if MASKED.contains(&name.as_str()) {
                    *field = Value::Null;
                } else {
                    mask(field);
                }
            }
            fields.retain(|name, field| name != "annotations" || field.as_object().is_none_or(|map| !map.is_empty()));
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

/// The first difference, in words that follow the key: where, what is found, what was expected.
fn difference(path: &str, found: &Value, expected: &Value) -> Option<String> {
    match (found, expected) {
        (Value::Object(a), Value::Object(b)) => {
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            names.into_iter().find_map(|name| {
                let [a, b] = [a, b].map(|fields| fields.get(name).unwrap_or(&Value::Null));
                difference(&format!("{path}.{name}"), a, b)
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(index, (a, b))| difference(&format!("{path}[{index}]"), a, b))
        }
        _ if found == expected => None,
        _ => Some(format!("{path} is {found}, without faults it is {expected}")),
    }
}
