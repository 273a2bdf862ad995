//! Ports by which whoever balances load knows an app: Marathon chooses those that are not named.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::refused::invalid;
use super::{Marathon, Refused, Root};
use crate::marathon::model::{App, AppId};

impl Marathon {
    /// Ports that were chosen before stay, where nothing else is said.
    pub(super) fn keep_service_ports(&self, after: &mut Root) {
        for (id, app) in &mut after.apps {
            let Some(before) = self.root.apps.get(id).filter(|before| !Arc::ptr_eq(before, app)) else { continue };
            if before.is_in_host_network() == app.is_in_host_network() && app.service_ports().contains(&0) {
                let mut kept = App::clone(app);
                for (port, before) in
                    kept.service_ports_mut().zip(before.service_ports()).filter(|(port, _)| **port == 0)
                {
                    *port = before;
                }
                *app = Arc::new(kept);
            }
        }
    }

    /// Chooses the ports of apps where they are 0.
    ///
    /// # Errors
    /// If there are not as many.
    pub(super) fn choose_service_ports(&self, after: &mut Root, changed: &BTreeSet<AppId>) -> Result<(), Refused> {
        // What is required on the agent is not chosen for whoever balances load.
        let is_chosen =
            |app: &App| !(app.require_ports && app.is_in_host_network()) && app.service_ports().contains(&0);
        let wanting: Vec<&AppId> =
            changed.iter().filter(|id| after.apps.get(*id).is_some_and(|app| is_chosen(app))).collect();
        if wanting.is_empty() {
            return Ok(());
        }
        let all = after.apps.values().chain(self.root.apps.values());
        let taken: BTreeSet<u16> = all.flat_map(|app| app.service_ports()).collect();
        let range = self.settings.service_ports.clone();
        let mut free = range.clone().filter(|port| !taken.contains(port));
        for id in wanting {
            let Some(app) = after.apps.get_mut(id) else { continue };
            for port in Arc::make_mut(app).service_ports_mut().filter(|port| **port == 0) {
                *port = free.next().ok_or_else(|| {
                    let error = format!(
                        "all service ports from {} to {} are taken: name one, or give Marathon more by --local_port_max",
                        range.start(),
                        range.end()
                    );
                    invalid("/portDefinitions".to_owned(), error)
                })?;
            }
        }
        Ok(())
    }
}
