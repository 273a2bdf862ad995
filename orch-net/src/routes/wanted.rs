//! What both kinds of routes want alike of a table.

use std::collections::BTreeSet;

use orch_core::network::{HostTable, RoutesError};

use super::model::{Forwarding, Observed};

/// The families that the host must forward: those of pods, as soon as there is another host.
pub(super) fn forwarding_for(table: &HostTable) -> Forwarding {
    let ranges = || table.others().flat_map(|(_, host)| &host.pod_ranges);
    Forwarding { v4: ranges().any(|range| range.is_ipv4()), v6: ranges().any(|range| !range.is_ipv4()) }
}

/// Another host cannot have an address of this one: then this one's name is wrong, or the other's address.
pub(super) fn refuse_own_addresses(table: &HostTable, observed: &Observed) -> Result<(), RoutesError> {
    let own: BTreeSet<_> = observed.addresses.iter().map(|found| found.address).collect();
    for (name, host) in table.others().filter(|(_, host)| !host.pod_ranges.is_empty()) {
        if let Some(address) = host.addresses.iter().find(|address| own.contains(address)) {
            let message = format!(
                "its address {address} is one of this host, which is called {:?} here: correct the address, or this host's \
                 name",
                table.own_name()
            );
            return Err(RoutesError::Unsupported { host: name.to_owned(), message });
        }
    }
    Ok(())
}
