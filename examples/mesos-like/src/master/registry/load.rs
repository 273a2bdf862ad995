//! All that is recorded, from the store.

use std::num::NonZeroUsize;

use orch_core::store::{Entry, ListFrom, ListOptions, Store};

use super::object::{About, Stored, everywhere, message};
use super::plan::machine_name;
use super::{AgentRecord, CompletedRecord, FrameworkRecord, MachineRecord, Registered, RegistryError, RoleRecord};
use crate::fenced::Known;

/// Reads all that is recorded, and when each record was written.
pub(super) async fn load(store: &dyn Store) -> Result<(Registered, Known), RegistryError> {
    const PAGE: NonZeroUsize = NonZeroUsize::new(1_000).expect("not zero");
    let (mut registered, mut known) = (Registered::default(), Known::new());
    let mut from = ListFrom::Latest;
    loop {
        let options = ListOptions { limit: Some(PAGE), from };
        let page = store.list(&everywhere(), options).await.map_err(RegistryError::of)?;
        for entry in &page.entries {
            known.insert(entry.key.clone(), entry.revision);
            take(&mut registered, entry)
                .map_err(|reason| RegistryError::Corrupt { key: entry.key.to_string(), reason })?;
        }
        match page.next {
            Some(next) => from = ListFrom::Continue(next),
            None => return Ok((registered, known)),
        }
    }
}

fn take(registered: &mut Registered, entry: &Entry) -> Result<(), String> {
    let stored = entry.decode::<Stored>().map_err(|error| error.to_string())?;
    let unnamed = || "it has no id".to_owned();
    match About::of(&entry.key) {
        Some(About::Agents) => {
            let record: AgentRecord = message(&stored)?;
            let id = record.agent.id.clone().ok_or_else(unnamed)?;
            registered.agents.insert(id.value, record);
        }
        Some(About::Frameworks) => {
            let record: FrameworkRecord = message(&stored)?;
            let id = record.framework.id.clone().ok_or_else(unnamed)?;
            registered.frameworks.insert(id.value, record);
        }
        Some(About::Completed) => {
            let record: CompletedRecord = message(&stored)?;
            registered.completed.insert(record.framework_id.value.clone(), record);
        }
        Some(About::Roles) => {
            let record: RoleRecord = message(&stored)?;
            registered.roles.insert(record.role.clone(), record);
        }
        Some(About::Machines) => {
            let record: MachineRecord = message(&stored)?;
            registered.machines.insert(machine_name(&record), record);
        }
        None => return Err("nothing of this kind is known: was it written by a newer master?".to_owned()),
    }
    Ok(())
}
