//! What is to be written for some changes.

use orch_core::key::Key;
use orch_core::store::Value;

use super::object::{About, key, stored};
use super::{MachineRecord, RegistryChange, RegistryError};
use crate::fenced::{Known, Wanted};
use crate::wire::Message;

/// What is to stand where after some changes; of several of one record the last one counts.
pub(super) fn wanted(changes: &[RegistryChange], known: &Known) -> Result<Wanted, RegistryError> {
    let mut all = Wanted::new();
    for change in changes {
        match change {
            RegistryChange::Agent(record) => {
                let id = record.agent.id.as_ref().map_or("", |id| &id.value);
                all.extend([put(About::Agents, id, &**record)?]);
            }
            RegistryChange::AgentForgotten(id) => all.extend([(key(About::Agents, id)?, None)]),
            RegistryChange::Framework(record) => {
                let id = record.framework.id.as_ref().map_or("", |id| &id.value);
                all.extend([put(About::Frameworks, id, &**record)?]);
            }
            RegistryChange::FrameworkCompleted(record) => {
                let id = &record.framework_id.value;
                all.extend([(key(About::Frameworks, id)?, None), put(About::Completed, id, record)?]);
            }
            RegistryChange::FrameworkForgotten(id) => {
                all.extend([(key(About::Frameworks, id)?, None), (key(About::Completed, id)?, None)]);
            }
            RegistryChange::Role(record) if record.weight.is_none() && record.quota.is_none() => {
                all.extend([(key(About::Roles, &record.role)?, None)]);
            }
            RegistryChange::Role(record) => all.extend([put(About::Roles, &record.role, record)?]),
            RegistryChange::Machines(records) => {
                let others: Vec<Key> = known.keys().chain(all.keys()).filter(|key| is_machine(key)).cloned().collect();
                all.extend(others.into_iter().map(|key| (key, None)));
                for record in records {
                    all.extend([put(About::Machines, &machine_name(record), record)?]);
                }
            }
        }
    }
    Ok(all)
}

/// By what a machine is known: its host name and its address.
pub(super) fn machine_name(record: &MachineRecord) -> String {
    let machine = &record.machine;
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    format!("{}/{}", part(&machine.hostname), part(&machine.ip))
}

fn is_machine(key: &Key) -> bool {
    About::of(key) == Some(About::Machines)
}

fn put<T: Message>(about: About, name: &str, record: &T) -> Result<(Key, Option<Value>), RegistryError> {
    let key = key(about, name)?;
    let value = Value::new(stored(&key, record));
    Ok((key, Some(value)))
}

#[cfg(test)]
mod tests {
    use orch_core::revision::Revision;
    use orch_core::store::{Expect, Write};

    use super::super::RoleRecord;
    use super::*;
    use crate::fenced::writes;
    use crate::wire::{MachineId, TimeInfo, Unavailability};

    fn machine(hostname: &str) -> MachineRecord {
        let machine = MachineId { hostname: Some(hostname.to_owned()), ip: None };
        let unavailability = Unavailability { start: TimeInfo { nanoseconds: 1 }, duration: None };
        MachineRecord { machine, unavailability, down: false, window: 0 }
    }

    #[test]
    fn of_several_changes_of_one_record_the_last_one_counts() {
        let role = |weight| RegistryChange::Role(RoleRecord { role: "a/b".to_owned(), weight, quota: None });
        let known = Known::new();
        let plan = |changes: &[RegistryChange]| writes(&wanted(changes, &known).expect("names"), &known).len();
        assert_eq!(plan(&[role(Some(2.0)), role(Some(3.0))]), 1);
        assert_eq!(plan(&[role(Some(2.0)), role(None)]), 0);
    }

    #[test]
    fn machines_that_are_not_named_again_are_forgotten() {
        let key = |name| key(About::Machines, name).expect("a name");
        let known = Known::from([(key("a/"), Revision(3)), (key("b/"), Revision(4))]);
        let changes = [RegistryChange::Machines(vec![machine("c")]), RegistryChange::Machines(vec![machine("b")])];
        let writes = writes(&wanted(&changes, &known).expect("names"), &known);
        let written: Vec<_> = writes.iter().map(|write| (write.key().clone(), write.expect())).collect();
        let expected = [(key("a/"), Expect::Revision(Revision(3))), (key("b/"), Expect::Revision(Revision(4)))];
        assert_eq!(written, expected);
        assert!(matches!(writes[..], [Write::Delete { .. }, Write::Put { .. }]));
    }
}
